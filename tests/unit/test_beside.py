"""Threads for kept steps: none waits for one, none is made twice."""

import threading

import pytest

from tasks import beside
from tasks.beside import Beside
from tests.servers import until


@pytest.fixture(autouse=True)
def _may_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "may_go_on", lambda: True)


def test_room_is_set_aside_when_it_is_asked_for() -> None:
    """Two who ask at the same moment are not given the same threads: a kept step would wait for one past its lease."""
    threads = Beside(3)
    assert threads.room(3) == 3
    assert threads.room(3) == 1, "one is left, and two are wanted: all or nothing"
    assert threads.room(2) == 2
    assert threads.room(2) == 1
    threads.give_back(2)
    assert threads.room(3) == 3


def test_more_than_are_worth_it_are_left_to_other_workers() -> None:
    """Whatever room there is."""
    assert Beside(1000).room(beside.MOST + 1) == 1


def test_a_thread_that_is_free_again_has_room() -> None:
    """A job that fails gives its thread back, too."""
    threads = Beside(1)
    assert threads.room(2) == 2

    def fail() -> None:
        raise ValueError("of no interest")

    threads.run(fail)
    until(lambda: threads.room(2) == 2, "the thread to be free", 5)


def test_a_job_whose_thread_cannot_begin_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool takes it in first and says then that it has no thread: a later thread would make the same call again."""
    threads, done = Beside(2), []
    start = threading.Thread.start
    refused = []

    def refuse(thread: threading.Thread) -> None:
        if not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert threads.room(3) == 3
    threads.run(lambda: done.append("first"))
    threads.run(lambda: done.append("second"))
    until(lambda: len(done) == 2, "both jobs", 5)
    until(lambda: threads.room(3) == 3, "both threads to be free", 5)
    assert sorted(done) == ["first", "second"]
