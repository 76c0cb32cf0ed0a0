"""A folder for a whole stage."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that PostgreSQL can enter although it gave up root's rights; logs are told where the test fails."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-chaos-") as made:
        Path(made).chmod(0o755)
        yield Path(made)
