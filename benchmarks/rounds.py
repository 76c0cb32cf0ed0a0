"""Everybody in turn, again and again: what disturbs the machine for a while disturbs all of them."""

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from benchmarks.figures import Measured
from benchmarks.peer import Crew, Peer
from benchmarks.shapes import ORDER, SUBSCRIPTION
from benchmarks.workloads import Scale, Workload, run

T = TypeVar("T")

WARM_UP = 20
"""Workflows of each kind before anything is measured: connections are made, code is loaded."""

Results = dict[str, dict[str, list[Measured]]]
"""Workload → peer → what each round gave."""


def no_results() -> Results:
    """To be filled in."""
    return defaultdict(lambda: defaultdict(list))


def measure(results: Results, peers: Sequence[Peer], workloads: Sequence[Workload], scale: Scale, rounds: int) -> None:
    """All rounds, into `results` as they come. A run that fails is told and left out; the others go on."""
    for number in range(rounds):
        for crew in dict.fromkeys(workload.crew for workload in workloads):
            together = [workload for workload in workloads if workload.crew == crew]
            for peer in rotated(peers, number):
                _turn(peer, crew, together, scale, results)
                tell(f"round {number + 1} of {rounds}: {peer.name} is done with {_names(together)}")


def rotated(peers: Sequence[T], by: int) -> list[T]:
    """Another one first in each round."""
    start = by % len(peers)
    return [*peers[start:], *peers[:start]]


def _turn(peer: Peer, crew: Crew, workloads: Sequence[Workload], scale: Scale, results: Results) -> None:
    began = time.monotonic()
    try:
        peer.set_up(crew)
        for shape in (ORDER, SUBSCRIPTION):
            run(peer, shape, WARM_UP)
        for workload in workloads:
            peer.place.postgres.checkpoint()
            results[workload.name][peer.name].append(workload.measure(peer, scale))
    except (TimeoutError, RuntimeError) as error:
        tell(f"{peer.name} failed after {time.monotonic() - began:.0f} s: {error}")
    finally:
        peer.tear_down()


def _names(workloads: Sequence[Workload]) -> str:
    return ", ".join(workload.name for workload in workloads)


def tell(line: str) -> None:
    """Progress, beside the report."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)
