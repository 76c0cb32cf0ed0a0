"""`python -m benchmarks`: measures, and prints a report in Markdown; progress goes to standard error."""

import argparse
import dataclasses
import signal
from collections.abc import Callable, Sequence

from benchmarks.bare_celery import BareCelery
from benchmarks.by_hand import ByHand
from benchmarks.dbos_peer import Dbos
from benchmarks.figures import Measured
from benchmarks.machine import described
from benchmarks.orchestrator_peer import OnSqlite, Orchestrator, WithEvents
from benchmarks.peer import Peer, Place
from benchmarks.places import places
from benchmarks.restate_peer import Restate
from benchmarks.rounds import measure, no_results, tell
from benchmarks.table import table
from benchmarks.web_workloads import START_FIGURES, STATUS_FIGURES, Web, WebScale
from benchmarks.workloads import FULL, QUICK, WORKLOADS

PEERS: tuple[type[Peer], ...] = (BareCelery, ByHand, Dbos, Restate, Orchestrator, OnSqlite, WithEvents)
QUICK_PEERS = tuple(peer for peer in PEERS if peer not in (OnSqlite, WithEvents))
WEB = ("start", "status")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print."""
    asked = _asked(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends servers and folder as Ctrl-C does
    peers = [peer for peer in PEERS if peer.name in asked.peers]
    for peer in peers:
        if what := peer.missing():
            tell(f"{peer.title} is left out; to have it: {what}")
    with places() as place:
        for line in described(place):
            print(f"- {line}")
        print()
        present = [peer(place) for peer in peers if not peer.missing()]
        _peers(asked, present)
        if set(asked.only) & set(WEB):
            _web(asked, place)


def _peers(asked: argparse.Namespace, peers: list[Peer]) -> None:
    scale = QUICK if asked.quick else FULL
    workloads = [workload for workload in WORKLOADS if workload.name in asked.only]
    results = no_results()
    titles = {peer.name: peer.title for peer in peers}
    try:
        measure(results, peers, workloads, scale, asked.rounds)
    finally:
        # Also of a run that somebody interrupts.
        for workload in workloads:
            title = workload.title.format(**dataclasses.asdict(scale))
            print("\n".join(table(title, workload.figures, titles, results[workload.name])), flush=True)


def _web(asked: argparse.Namespace, place: Place) -> None:
    scale = WebScale(asked.ledger, seconds=3 if asked.quick else 10)
    web = Web(Orchestrator(place), scale)
    started: list[Measured] = []
    read: list[Measured] = []
    try:
        tell(f"{scale.ledger} finished workflows were written in {web.set_up():.0f} s")
        for number in range(asked.rounds):
            if "start" in asked.only:
                started.append(web.start())
            if "status" in asked.only:
                read.append(web.status())
            tell(f"round {number + 1} of {asked.rounds}: the web is done")
    finally:
        web.tear_down()
    ours = {Orchestrator.name: Orchestrator.title}
    told = f"{scale.ledger:,} finished workflows in the ledger"
    for title, figures, results in (("POST /api/subscribe", START_FIGURES, started), ("GET", STATUS_FIGURES, read)):
        if results:
            print("\n".join(table(f"{title}, {told}", figures, ours, {Orchestrator.name: results})), flush=True)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS] + list(WEB)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small round, in some 3 minutes: to see that it works")
    parser.add_argument("--only", type=_one_of(names), default=names, help=f"some of: {','.join(names)}")
    parser.add_argument("--peers", type=_one_of([peer.name for peer in PEERS]), help="some of the peers, by name")
    parser.add_argument("--rounds", type=int, help="how often everybody has a turn; 5, or 1 with --quick")
    parser.add_argument("--ledger", type=int, help="finished workflows in the ledger of start and status; 100,000")
    asked = parser.parse_args(arguments)
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    asked.ledger = asked.ledger or (10_000 if asked.quick else 100_000)
    asked.peers = asked.peers or [peer.name for peer in (QUICK_PEERS if asked.quick else PEERS)]
    return asked


def _one_of(names: list[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        wanted = text.split(",")
        for name in wanted:
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
        return wanted

    return read


if __name__ == "__main__":
    main()
