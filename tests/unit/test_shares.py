"""A slow host's share of a worker, with a clock that is set."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchestrator.definition import Call
from orchestrator.ledger.crowding import Hosts
from orchestrator.reading import read_document
from orchestrator.shares import COMES_BACK_AFTER, LONG, Key, Shares, threads_for

PLACES = 20


class Worker:
    """Twenty places and two spare ones; who claims is let in, as far as the clock allows it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shares = Shares(threads_for(PLACES), Hosts({}), lambda: self.now)
        self._places = ExitStack()
        self._number = 0

    def claims(self, host: str) -> Key | None:
        """A thread brings a step that calls the host; None where that is sent aside."""
        with ExitStack() as place:
            place.enter_context(self.shares.place())
            key, call = (f"{host}-{self._number}", "only"), call_to(f"http://{host}/x")
            self._number += 1
            if self.shares.aside(key, call) is not None:
                return None
            self.shares.take(key, call)
            self._places.push(place.pop_all())
            return key

    def close(self) -> None:
        """Everybody goes home."""
        self._places.close()


def call_to(url: str) -> Call:
    """A step's call."""
    return read_document({"type": "own", "steps": {"only": {"targetUrl": url}}}).steps["only"].call


@pytest.fixture
def worker() -> Iterator[Worker]:
    """See there."""
    made = Worker()
    yield made
    made.close()


def test_one_host_alone_has_all_places_and_what_it_wants_beyond_is_sent_aside(worker: Worker) -> None:
    """The spare ones are for the others."""
    assert all(worker.claims("slow") for _ in range(PLACES))
    worker.now = LONG
    assert worker.claims("slow") is None
    assert worker.claims("quick")


def test_calls_that_end_soon_send_nobody_aside(worker: Worker) -> None:
    """However many there are: a burst of short calls is worked off as it always was."""
    for _ in range(PLACES):
        worker.claims("busy")
    worker.now = LONG - 0.1
    assert worker.shares.aside(("next", "only"), call_to("http://busy/x")) is None


def test_many_hosts_that_hang_leave_something_to_one_more(worker: Worker) -> None:
    """Each has a part, and none the last place."""
    let_in = 0
    for host in "abcdefghij" * 4:
        worker.now += LONG
        let_in += worker.claims(host) is not None
    assert let_in < threads_for(PLACES)
    assert worker.claims("quick")


def test_who_was_sent_aside_is_called_back_when_there_is_room_as_many_as_there_is_room_for(worker: Worker) -> None:
    """In the order in which they came."""
    held = [worker.claims("slow") for _ in range(PLACES)]
    worker.now = LONG
    for _ in range(9):
        assert worker.claims("slow") is None
    assert worker.shares.call_back() == []
    for key in held[:4]:
        assert key is not None
        worker.shares.drop(key)
    worker.close()
    assert [key[0] for key in worker.shares.call_back()] == [f"slow-{PLACES + number}" for number in range(9)]
    assert not worker.shares.has_lines


def test_a_line_moves_on_although_others_take_every_place(worker: Worker) -> None:
    """One of it is let in for every two calls that end, whoever else came in between."""
    held = [worker.claims("slow") for _ in range(PLACES)]
    worker.now = LONG
    for _ in range(5):
        assert worker.claims("slow") is None
    with ExitStack() as others:
        for key in held[:4]:
            assert key is not None
            worker.shares.drop(key)
            others.enter_context(worker.shares.place())
        called = worker.shares.call_back()
        assert [key[0] for key in called] == ["slow-20", "slow-21"]
        worker.now += LONG
        assert worker.shares.aside(called[0], call_to("http://slow/x")) is None


def test_those_who_are_on_their_way_count_as_if_they_were_there(worker: Worker) -> None:
    """A second look a moment later calls nobody twice, nor others in their place."""
    for _ in range(PLACES):
        worker.claims("slow")
    worker.now = LONG
    while len(worker.shares._lines.get("slow", ())) < 2 * PLACES:
        worker.claims("slow")
    worker.close()
    assert len(worker.shares.call_back()) == PLACES
    assert worker.shares.call_back() == []
    worker.now += 10
    assert len(worker.shares.call_back()) == PLACES


def test_a_long_line_comes_back_little_by_little_by_itself(worker: Worker) -> None:
    """A worker may die with its lines."""
    for _ in range(PLACES):
        worker.claims("slow")
    worker.now = LONG
    with worker.shares.place():
        call = call_to("http://slow/x")
        asides = [worker.shares.aside((str(number), "only"), call) for number in range(2_000)]
    seconds = [aside.seconds for aside in asides if aside is not None]
    assert COMES_BACK_AFTER <= seconds[0] < COMES_BACK_AFTER + 1
    assert 90 < seconds[-1] - seconds[0] < 110


@pytest.mark.parametrize(
    ("places", "threads"), [(1, 1), (2, 3), (9, 10), (10, 11), (19, 20), (20, 22), (100, 110), (1000, 1100)]
)
def test_a_tenth_of_the_threads_is_spare(places: int, threads: int) -> None:
    """And one at least, but where calls are made one by one."""
    assert threads_for(places) == threads
    assert Shares(threads, Hosts({}))._places == places


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://API.example.com:81/x", "api.example.com:81"),
        ("http://api.example.com/${context.id}", "api.example.com"),
        ("${vars.BASE}/orders/${context.id}?x=1", "base.example.com"),
        ("https://${context.tenant}.example.com/x", "https://${context.tenant}.example.com"),
        ("${context.url}", "${context.url}"),
    ],
)
def test_a_host_is_known_from_the_definition_or_named_by_what_names_it(url: str, host: str) -> None:
    """Nothing of a workflow is read for it."""
    assert Hosts({"BASE": "https://base.example.com/api"})(call_to(url)) == host


def test_a_step_that_calls_nobody_has_no_host() -> None:
    """It is never sent aside."""
    definition = read_document({"type": "own", "steps": {"only": {"wait": {"for": "1s"}}}})
    assert Hosts({})(definition.steps["only"].call) is None
