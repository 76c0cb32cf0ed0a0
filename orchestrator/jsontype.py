"""Decoded JSON, whatever a client, a definition or a service may send: its one name, and its kinds in words."""

from typing import Any

# Any on purpose: a recursive type would have to be narrowed at every use and would prove nothing.
Json = Any

_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
}


def kind_of(value: Json) -> str:
    """The JSON type in words, for errors: never the value, which may hold what neither log nor API may show."""
    return _KINDS.get(type(value), "null")
