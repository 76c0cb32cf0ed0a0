"""Two hosts, and nothing gets through between them for a while: no connection is told so."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.chaos.drawing import SERVICES
from tests.chaos.hosts import TwoHosts, possible
from tests.chaos.record import read_books
from tests.chaos.replaying import FINAL
from tests.chaos.stage import Stage

DOCUMENT = {
    "type": "split",
    "steps": {
        "a": {"targetUrl": f"{SERVICES}/keyed/a", "query": {"n": "${context.n}"}},
        "b": {"targetUrl": f"{SERVICES}/keyed/b", "query": {"n": "${context.n}"}, "waitFor": ["a"]},
    },
}
SEED = 5
RECOVERED = 15.0
"""Seconds within which work goes on."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(possible() is not None, reason=str(possible()))]


@pytest.fixture
def stage(folder: Path) -> Iterator[Stage]:
    """Servers, web and one worker here; one worker far away."""
    with (
        TwoHosts() as network,
        Stage(folder, "postgresql", [DOCUMENT], seed=SEED, workers=2, network=network) as stage,
    ):
        yield stage


def start(stage: Stage, n: int) -> str:
    """A workflow; gives back its address."""
    answer = requests.post(f"{stage.url}/api/workflows", json={"type": "split", "context": {"n": n}}, timeout=10)
    return f"{stage.url}{answer.headers['Location']}"


def ended(url: str) -> bool:
    """Whether it is over: some are refused by their services."""
    return requests.get(url, timeout=10).json()["status"] in FINAL


def until(stage: Stage, holds: Callable[[], bool], seconds: float, what: str) -> float:
    """Keep the processes running until something holds; gives back how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"waited {seconds:g} s in vain for {what}"
        stage.tend()
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_host_that_is_cut_off_holds_nothing_up_and_works_again_when_it_is_back(stage: Stage) -> None:
    """What the far worker had in hand is taken over here; after the mending it takes work again by itself."""
    assert stage.network is not None
    urls = [start(stage, n) for n in range(20)]
    until(stage, lambda: all(map(ended, urls)), 30, "work to be done on both hosts")
    stage.network.cut()
    urls = [start(stage, n) for n in range(20, 40)]
    until(stage, lambda: all(map(ended, urls)), RECOVERED + 10, "work to go on without the far host")
    time.sleep(15)  # long enough for its connections to be given up on both sides, or to wait for long
    stage.network.mend()
    near, far = stage.workers
    near.send(signal.SIGSTOP)
    try:
        alone = start(stage, 40)
        until(stage, lambda: ended(alone), RECOVERED + 10, "the far worker to take work again")
    finally:
        near.send(signal.SIGCONT)
    assert (near.lives, far.lives) == (1, 1), "both workers outlived it"
    done = Counter((call.workflow, call.step) for call in read_books(stage.books).calls if call.acted_at is not None)
    assert set(done.values()) == {1}, "nothing was done twice"
