"""What many threads want written at once is written together, and none takes another with it."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.errors import Unavailable
from orchestrator.together import Together
from tests.servers import until


class Book:
    """Writes numbers down; the first writing waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()
        self.refused: dict[int, Exception] = {}

    def write(self, numbers: Sequence[int]) -> list[int]:
        """Doubles each."""
        self.batches.append(list(numbers))
        if len(self.batches) == 1:
            assert self.go_on.wait(10)
        for number in numbers:
            if number in self.refused:
                raise self.refused[number]
        return [number * 2 for number in numbers]


def asked(book: Book, numbers: Sequence[int]) -> list[int | Exception]:
    """What each of as many threads gets, of which the first is alone when it begins."""
    together = Together(book.write, 50)

    def ask(number: int) -> int | Exception:
        try:
            return together(number)
        except (ValueError, Unavailable) as error:
            return error

    with ThreadPoolExecutor(len(numbers)) as pool:
        first = pool.submit(ask, numbers[0])
        until(lambda: len(book.batches) == 1, "the first to be at the desk")
        others = [pool.submit(ask, number) for number in numbers[1:]]
        until(lambda: together.waiting == len(others), "the others to wait")
        book.go_on.set()
        return [first.result(10), *(other.result(10) for other in others)]


def test_who_comes_meanwhile_shares_the_next_writing() -> None:
    """And gets an answer of his own."""
    book = Book()
    assert asked(book, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert [sorted(batch) for batch in book.batches] == [[1], [2, 3, 4]]


def test_one_that_cannot_be_written_takes_no_other_with_it() -> None:
    """Each is written alone then."""
    book, wrong = Book(), ValueError("three")
    book.refused[3] = wrong
    assert asked(book, [1, 2, 3, 4]) == [2, 4, wrong, 8]


@pytest.mark.parametrize("numbers", [[1, 2], [1, 2, 3, 4]])
def test_where_nothing_can_be_written_nobody_tries_alone(numbers: list[int]) -> None:
    """A server that is away would be asked once for each of them, and be waited for each time."""
    book, away = Book(), Unavailable("away")
    book.refused = dict.fromkeys(numbers, away)
    assert asked(book, numbers) == [away] * len(numbers)
    assert len(book.batches) == 2


def test_no_more_than_the_most_are_written_at_once_and_nobody_is_forgotten() -> None:
    """Two hundred threads, five at a time."""
    sizes: list[int] = []

    def write(numbers: Sequence[int]) -> list[int]:
        sizes.append(len(numbers))
        return [number * 2 for number in numbers]

    together = Together(write, 5)
    with ThreadPoolExecutor(200) as pool:
        assert list(pool.map(together, range(200))) == [number * 2 for number in range(200)]
    assert sum(sizes) == 200
    assert max(sizes) <= 5


def test_a_thread_that_is_told_to_end_leaves_nobody_waiting() -> None:
    """Those it was writing for are told that it failed; those that came later are written."""
    book = Book()

    def write(numbers: Sequence[int]) -> list[int]:
        if len(numbers) > 1:
            raise SystemExit
        return book.write(numbers)

    together = Together(write, 2)

    def ask(number: int) -> int | str:
        try:
            return together(number)
        except (Unavailable, SystemExit) as error:
            return type(error).__name__

    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(ask, 0)]
        until(lambda: book.batches, "the first to be at the desk")
        for number in range(1, 4):
            answers.append(pool.submit(ask, number))
            until(lambda number=number: together.waiting == number, "another one to wait")
        book.go_on.set()
        assert [answer.result(10) for answer in answers] == [0, "SystemExit", "Unavailable", 6]
