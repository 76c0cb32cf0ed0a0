"""What the web sends after its answer is sent by another thread, in order, whatever happens to one of them."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from orchestrator.workflow import Publication
from tasks import posting
from tasks.posting import Posting
from tests.servers import until


class Post:
    """Takes what is sent; it may be made to wait, and to fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()
        self.fails = False
        self.posting = Posting(self.send)

    def send(self, publications: Sequence[Publication]) -> None:
        """Where it is open."""
        self.batches.append([publication.workflow_id for publication in publications])
        assert self.open.wait(10)
        if self.fails:
            raise ValueError

    def start(self, *workflows: str) -> None:
        """Each has one message to be sent."""
        for workflow in workflows:
            self.posting(Publication(workflow, "order", steps=("only",)))

    @property
    def sent(self) -> list[str]:
        """All, in their order."""
        return [workflow for batch in self.batches for workflow in batch]


@pytest.fixture
def post() -> Iterator[Post]:
    """Closed at the end."""
    post = Post()
    yield post
    post.open.set()
    post.posting.close()


def test_nobody_waits_and_who_comes_meanwhile_goes_together(post: Post) -> None:
    """The broker hangs here."""
    post.open.clear()
    post.start("a")
    until(lambda: post.batches, "the first to be sent")
    post.start("b", "c")
    post.posting(Publication("nothing to send", "order"))
    post.open.set()
    until(lambda: len(post.sent) == 3, "the others to be sent")
    assert post.batches == [["a"], ["b", "c"]]


def test_what_is_left_is_sent_before_the_end(post: Post) -> None:
    """A process that is told to end ends without messages in hand."""
    post.start(*map(str, range(250)))
    post.posting.close()
    assert post.sent == [str(number) for number in range(250)]


def test_what_cannot_be_sent_does_not_end_it(post: Post) -> None:
    """The ledger has it; the next one is sent."""
    post.fails = True
    post.start("a")
    until(lambda: post.batches, "the first to be tried")
    post.fails = False
    post.start("b")
    until(lambda: post.sent == ["a", "b"], "the next one to be sent")


def test_a_broker_that_hangs_fills_no_memory(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reconciler sends the rest."""
    monkeypatch.setattr(posting, "MOST", 3)
    post.open.clear()
    post.start("a")
    until(lambda: post.batches, "the first to be sent")
    post.start("b", "c", "d", "e", "f")
    post.open.set()
    post.posting.close()
    assert post.sent == ["a", "b", "c", "d"]
