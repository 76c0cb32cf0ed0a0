"""A ledger on each kind of database with somebody who plays on it, and a webhook."""

from collections.abc import Iterator

import pytest

from tests.integration.ledger.play import Play
from tests.integration.ledger.receiver import Receiver


@pytest.fixture
def play(ledger_url: str) -> Iterator[Play]:
    """One destination is told."""
    play = Play(ledger_url)
    yield play
    play.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook that takes what it is sent."""
    with Receiver() as receiver:
        yield receiver
