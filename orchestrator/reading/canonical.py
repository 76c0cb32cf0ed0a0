"""A document in the one form that is stored, hashed and read: plain JSON, keys sorted, whole numbers whole.

Databases keep neither the order of keys nor the difference of 1 and 1.0, so neither may mean anything: what is
read from a file and what is read again from the ledger is the same value, byte by byte.
"""

import hashlib
import json
import math

from orchestrator.jsontype import Json
from orchestrator.reading.place import Place
from orchestrator.reading.text import MAX_NESTING, MAX_TEXT


def canonical(value: Json, at: Place) -> Json:
    """`value` in its one form; what cannot be stored as JSON is a fault (and null)."""
    if isinstance(value, dict) and len(at.path) < MAX_NESTING:
        return _object(value, at)
    if isinstance(value, list) and len(at.path) < MAX_NESTING:
        return [canonical(below, at / index) for index, below in enumerate(value)]
    if isinstance(value, dict | list):
        at.fault(f"it is nested more than {MAX_NESTING} levels deep")
    elif isinstance(value, str):
        return _text(value, at)
    elif isinstance(value, float):
        if not math.isfinite(value):
            at.fault("it is a number that JSON cannot write (NaN or infinite)")
        elif value.is_integer():
            return int(value)
        else:
            return value
    elif value is None or isinstance(value, bool | int):
        return value
    else:
        at.fault(f"it is a {type(value).__name__}, which is no JSON")
    return None


def version_of(document: Json) -> str:
    """The SHA-256 (hexadecimal) of a canonical document."""
    return hashlib.sha256(_written(document)).hexdigest()


def check_size(document: Json, at: Place) -> None:
    """A document that is too long as JSON is a fault."""
    if len(_written(document)) > MAX_TEXT:
        at.fault(f"it is longer than {MAX_TEXT} bytes as JSON")


def _written(document: Json) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _object(value: dict[Json, Json], at: Place) -> Json:
    made: dict[str, Json] = {}
    for key in sorted(value, key=str):
        if not isinstance(key, str):
            at.fault(f"the key {key} is no text")
            continue
        below = at / key
        made[_text(key, below)] = canonical(value[key], below)
    return made


def _text(text: str, at: Place) -> str:
    """No database keeps NUL in a text, none keeps half of a surrogate pair."""
    if "\x00" in text:
        at.fault("it holds the character NUL, which cannot be stored")
        return text.replace("\x00", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            at.fault("it holds half of a surrogate pair, which cannot be stored")
            return text.encode(errors="replace").decode()
    return text
