"""One thing that was looked at: well, doubtful or wrong, and how to mend it."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["well", "doubtful", "wrong"]


@dataclass(frozen=True)
class Finding:
    """`about` is the part of the installation, `mend` what to do where it is not well."""

    verdict: Verdict
    about: str
    seen: str
    mend: str = ""


def well(about: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding("well", about, seen)


def doubtful(about: str, seen: str, mend: str) -> Finding:
    """It works, or may on purpose be so; somebody should know."""
    return Finding("doubtful", about, seen, mend)


def wrong(about: str, seen: str, mend: str) -> Finding:
    """Workflows will not run, or not as they should."""
    return Finding("wrong", about, seen, mend)
