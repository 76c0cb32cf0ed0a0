"""Regular expressions that a definition brings: RE2's, whose time is linear in the text, whatever the pattern.

Python's own backtrack: thirty letters can keep a thread busy for hours, and who starts workflows chooses the letters.
RE2 has no lookaround and no backreferences; `$` is the end of the text, `\\d` and `\\w` are ASCII, as in ECMA-262.
https://github.com/google/re2/wiki/Syntax
"""

from functools import lru_cache

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. Raises ValueError where it is none."""
    return _compiled(pattern).search(text) is not None


def check_pattern(pattern: str) -> None:
    """Raises ValueError with what is wrong."""
    _compiled(pattern)


@lru_cache(500)
def _compiled(pattern: str) -> "re2._Regexp[str]":
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        [reason] = error.args or (b"",)
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
