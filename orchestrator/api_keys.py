"""Keys of the API and what each may do: `key` may do everything, `key:start+read` what its scopes say. Pure."""

import difflib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a key may be allowed to do."""

    START = "start"
    """Start workflows."""

    READ = "read"
    """See workflows, their contexts and results, definitions, workers."""

    OPERATE = "operate"
    """Cancel, pause, resume, retry, rerun, and whatever else changes what is there."""


EVERYTHING = frozenset(Scope)
_WORDS = [scope.value for scope in Scope]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key; its text is never shown."""

    secret: str = field(repr=False)
    scopes: frozenset[Scope] = EVERYTHING


def api_key(text: str) -> ApiKey:
    """The key that an entry of ORCHESTRATOR_API_KEYS means.

    What stands after the last colon are scopes where all of it is words for scopes, joined by `+`; otherwise it is a
    part of the key. A key that ends so itself is given with scopes of its own (`…:read:start+read+operate`). Raises
    ValueError where a scope seems to be misspelt: a key that may do more than was meant must not come of it.
    """
    secret, colon, tail = text.rpartition(":")
    words = tail.split("+")
    if colon and all(word in _WORDS for word in words):
        return ApiKey(secret, frozenset(Scope(word) for word in words))
    if colon and re.fullmatch(r"[a-z+]{3,}", tail) and all(_nearly(word) for word in words):
        raise ValueError(f"a key ends in {tail!r}; did you mean {'+'.join(_nearly(word) for word in words)}?")
    return ApiKey(text)


def found(keys: Sequence[ApiKey], presented: bytes) -> ApiKey | None:
    """The key with this text. Each is compared, in constant time: how long it takes says nothing about any."""
    matches = [key for key in keys if hmac.compare_digest(key.secret.encode(), presented)]
    return matches[0] if matches else None


def _nearly(word: str) -> str:
    return next(iter(difflib.get_close_matches(word, _WORDS, n=1, cutoff=0.7)), "")
