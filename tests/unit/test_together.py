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
        until(lambda: len(together._waiting) == len(others), "the others to wait")
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
