"""Processes whose clock can be set, as where somebody sets that of a host: each follows a file of its own.

Only the time of day jumps (`time.time`); what counts seconds, the monotonic clock, goes on. Set inside of the process
that is to be hurt: libfaketime 0.9.10 breaks the sleep of Python 3.11.
"""

import os
import time
from pathlib import Path

FILE = "CHAOS_CLOCK"
HOUR = 3_600


def follow() -> None:
    """Let this process's clock be as far ahead as its file says; to be called before anything is imported."""
    file, right = Path(os.environ[FILE]), time.time

    def now() -> float:
        return right() + int(file.read_text())

    time.time = now


class Clock:
    """That of one process, right until it is set."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Seconds that it is ahead from now on; behind where that is less than nothing."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.rename(self.file)
