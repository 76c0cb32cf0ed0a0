"""A desk over a fresh database of each kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.web.desk import Desk


@pytest.fixture
def desk(ledger_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The API over each kind of database in turn."""
    opened = Desk(ledger_url, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_desk(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The API where the kind of database cannot matter."""
    opened = Desk(sqlite_url, tmp_path)
    yield opened
    opened.close()
