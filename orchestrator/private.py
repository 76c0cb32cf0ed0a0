"""What a workflow's requests hold in confidence, as texts: its secrets, the leaves of its sensitive fields. Pure."""

import json
from collections.abc import Iterator, Mapping

from orchestrator.definition import Definition
from orchestrator.jsontype import Json


def private_texts(definition: Definition, secrets: Mapping[str, str], fields: Mapping[str, Json]) -> tuple[str, ...]:
    """The values of the secrets that the definition reads, and of the sensitive `fields` by path."""
    read = (secrets[name] for name in sorted(definition.secrets) if name in secrets)
    return (*read, *(text for value in fields.values() for text in _leaves(value)))


def _leaves(value: Json) -> Iterator[str]:
    """Recurses no deeper than a context may be nested."""
    if isinstance(value, dict):
        for below in value.values():
            yield from _leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)
