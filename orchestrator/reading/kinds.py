"""The kinds of values that a field may have: each knows its JSON Schema and how to read one.

`read` gives the typed value, or notes a fault at its place and gives None. Kinds with expressions in them are in
`orchestrator.reading.expression_kinds`.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.durations import DURATION, seconds_in, span
from orchestrator.jsontype import Json
from orchestrator.reading.place import Place

NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"


class Kind(ABC):
    """One kind of value."""

    @abstractmethod
    def schema(self) -> Json:
        """Its JSON Schema (2020-12)."""

    @abstractmethod
    def read(self, value: Json, at: Place) -> Json:
        """The typed value, or None after a fault was noted."""

    def settled(self, value: Json, at: Place) -> Json:
        """The value with its fields under the names that they are stored by."""
        return value


def shown(value: Json) -> str:
    """A value as a fault quotes it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


@dataclass(frozen=True)
class Flag(Kind):
    """`true` or `false`."""

    def schema(self) -> Json:
        return {"type": "boolean"}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, bool):
            return value
        at.fault(f"must be true or false, not {shown(value)}")
        return None


@dataclass(frozen=True)
class Text(Kind):
    """A plain text; where `pattern` is given, `meaning` says in words what fits it."""

    meaning: str = "a text"
    pattern: str = ""
    longest: int = 10_000

    def schema(self) -> Json:
        return {"type": "string", "maxLength": self.longest} | (
            {"pattern": f"^{self.pattern}$"} if self.pattern else {}
        )

    def read(self, value: Json, at: Place) -> Json:
        fits = isinstance(value, str) and len(value) <= self.longest and re.fullmatch(self.pattern or r"(?s:.*)", value)
        if fits:
            return value
        at.fault(f"must be {self.meaning}, not {shown(value)}")
        return None


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...]

    def schema(self) -> Json:
        return {"enum": list(self.words)}

    def read(self, value: Json, at: Place) -> Json:
        if value in self.words and isinstance(value, str):
            return value
        hint = at.faults.suggestion(value, self.words) if isinstance(value, str) else ""
        at.fault(f"must be {' or '.join(self.words)}, not {shown(value)}{hint}")
        return None


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number."""

    least: int
    most: int

    def schema(self) -> Json:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return value
        at.fault(f"must be a whole number from {self.least} to {self.most}, not {shown(value)}")
        return None


@dataclass(frozen=True)
class Amount(Kind):
    """A number."""

    least: float
    most: float

    def schema(self) -> Json:
        return {"type": "number", "minimum": self.least, "maximum": self.most}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, int | float) and not isinstance(value, bool) and self.least <= value <= self.most:
            return float(value)
        at.fault(f"must be a number from {self.least:g} to {self.most:g}, not {shown(value)}")
        return None


@dataclass(frozen=True)
class Duration(Kind):
    """Seconds, as a number or as a text such as `90s`, `15m`, `36h`, `30d`, `500ms`."""

    most: int
    nothing: bool = False  # whether 0 is allowed

    def schema(self) -> Json:
        number = {"type": "number", "minimum" if self.nothing else "exclusiveMinimum": 0, "maximum": self.most}
        return {"oneOf": [number, {"type": "string", "pattern": f"^{DURATION.pattern}$"}]}

    def read(self, value: Json, at: Place) -> Json:
        seconds = _seconds(value)
        if seconds is None:
            at.fault(f"must be a number of seconds or a duration such as 500ms, 90s, 15m, 36h, 30d; not {shown(value)}")
        elif seconds < 0 or (seconds == 0 and not self.nothing):
            at.fault(f"must be {'0 or more' if self.nothing else 'more than 0'}, not {shown(value)}")
        elif seconds > self.most:
            at.fault(f"must be at most {span(self.most)}, not {shown(value)}")
        else:
            return seconds
        return None


@dataclass(frozen=True)
class Rate(Kind):
    """So many in a second, a minute or an hour: `100/s`, `600/m`, `5000/h`. Read as so many a second."""

    _PATTERN = r"([0-9]{1,7})/(s|m|h)"
    _SECONDS: ClassVar[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600}

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^{self._PATTERN}$"}

    def read(self, value: Json, at: Place) -> Json:
        found = re.fullmatch(self._PATTERN, value) if isinstance(value, str) else None
        if found is None or int(found[1]) == 0:
            at.fault(f"must be a rate such as 100/s, 600/m or 5000/h, not {shown(value)}")
            return None
        return int(found[1]) / self._SECONDS[found[2]]


@dataclass(frozen=True)
class StepNames(Kind):
    """A list of step names, each once; whether they exist is not asked here."""

    def schema(self) -> Json:
        return {"type": "array", "items": {"type": "string", "pattern": f"^{NAME}$"}, "uniqueItems": True}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, list):
            hint = f"; write [{value}]" if isinstance(value, str) else ""
            at.fault(f"must be a list of step names, not {shown(value)}{hint}")
            return None
        names: dict[str, int] = {}
        for index, name in enumerate(value):
            if not isinstance(name, str):
                (at / index).fault(f"must be the name of a step, not {shown(name)}")
            elif name in names:
                (at / index).fault(f"names the step '{name}' again")
            else:
                names[name] = index
        return tuple(names)


@dataclass(frozen=True)
class Join(Kind):
    """How many prerequisites must have completed: `all` (0 here), `any` (1) or a number."""

    def schema(self) -> Json:
        return {"oneOf": [{"enum": ["all", "any"]}, {"type": "integer", "minimum": 1}]}

    def read(self, value: Json, at: Place) -> Json:
        if value in ("all", "any"):
            return 0 if value == "all" else 1
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        at.fault(f"must be all, any or a whole number from 1 on, not {shown(value)}")
        return None


@dataclass(frozen=True)
class ContextPaths(Kind):
    """A list of paths into the context, such as `context.card`."""

    _PATTERN = r"context(\.[A-Za-z_][A-Za-z0-9_-]*)+"

    def schema(self) -> Json:
        return {"type": "array", "items": {"type": "string", "pattern": f"^{self._PATTERN}$"}, "uniqueItems": True}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, list):
            at.fault(f"must be a list of paths such as context.card, not {shown(value)}")
            return None
        paths: dict[str, int] = {}
        for index, path in enumerate(value):
            if not isinstance(path, str) or not re.fullmatch(self._PATTERN, path):
                (at / index).fault(f"must be a path such as context.card, not {shown(path)}")
            elif path in paths:
                (at / index).fault(f"names {path} again")
            else:
                paths[path] = index
        return tuple(paths)


@dataclass(frozen=True)
class Field:
    """What a field means, in words, and what it may hold."""

    meaning: str
    kind: Kind
    default: Json = None  # for the schema only; None where there is nothing to say


@dataclass(frozen=True)
class Group(Kind):
    """An object with known fields. `later` names fields that a later release will know.

    Of `one_of` exactly one must be given: they say the same thing in different ways, or what there can be one of only.
    `together` is what the schema says of pairs of fields which somebody else checks when the group is read.
    """

    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    together: Mapping[str, Json] = field(default_factory=dict)

    def schema(self) -> Json:
        made: dict[str, Json] = {"type": "object", "additionalProperties": False, "properties": {}}
        for name, one in self.fields.items():
            made["properties"][name] = {"description": one.meaning, **one.kind.schema()}
            if one.default is not None:
                made["properties"][name]["default"] = one.default
        if self.one_of:
            made["oneOf"] = [{"required": [name]} for name in self.one_of]
        return made | dict(self.together) | ({"required": list(self.required)} if self.required else {})

    def settled(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            return value
        camel: dict[Json, str] = {snake(name): name for name in (*self.fields, *self.later)}
        made: dict[str, Json] = {}
        for key, below in value.items():
            name = camel.get(key) or key
            if name != key and name in value:
                (at / key).fault(f"is the same field as {name}; keep one of them")
                continue
            if name != key:
                at.faults.moved((*at.path, key), (*at.path, name))
            made[name] = self.fields[name].kind.settled(below, at / name) if name in self.fields else below
        return made

    def read(self, value: Json, at: Place) -> Json:
        """The typed values of the fields that are given and right."""
        if not isinstance(value, dict):
            known = self.required or self.one_of[:1] or list(self.fields)[:3]
            at.fault(f"must be an object with {', '.join(known)}, not {shown(value)}")
            return {}
        for name in self.required:
            if name not in value:
                at.fault(f"the field '{name}' is missing")
        self._check_one_of(value, at)
        typed: dict[str, Json] = {}
        for key, below in value.items():
            if self._refused(key, below, at):
                continue
            made = self.fields[key].kind.read(below, at / key)
            if made is not None:
                typed[key] = made
        return typed

    def _check_one_of(self, value: Mapping[str, Json], at: Place) -> None:
        given = [name for name in self.one_of if name in value]
        if self.one_of and not given:
            others = f" (or {', '.join(self.one_of[1:])})" if self.one_of[1:] else ""
            at.fault(f"the field '{self.one_of[0]}' is missing{others}")
        for name in given[1:]:
            (at / name).fault(f"cannot be given beside {given[0]}; keep one of them")

    def _refused(self, key: str, below: Json, at: Place) -> bool:
        if key in self.later:
            (at / key).fault(f"the field '{key}' is not supported by this release")
        elif key not in self.fields:
            hint = at.faults.suggestion(key, self.fields) or f"; there are {', '.join(self.fields)}"
            (at / key).fault(f"there is no field '{key}'{hint}")
        elif below is None:
            (at / key).fault("is empty; give it a value or leave it out")
        else:
            return False
        return True


@dataclass(frozen=True)
class Named(Kind):
    """An object whose keys are names that the author chooses; all values are of one kind."""

    kind: Kind
    most: int

    def schema(self) -> Json:
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^{NAME}$"},
            "additionalProperties": self.kind.schema(),
            "minProperties": 1,
            "maxProperties": self.most,
        }

    def settled(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            return value
        return {name: self.kind.settled(below, at / name) for name, below in value.items()}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict) or not value:
            at.fault(f"must be an object with at least one step, not {shown(value)}")
            return {}
        if len(value) > self.most:
            at.fault(f"there are {len(value)} steps; {self.most} are the most")
            return {}
        typed: dict[str, Json] = {}
        for name, below in value.items():
            if not re.fullmatch(NAME, name):
                (at / name).fault(
                    f"'{name[:70]}' is no name for a step: a letter, then up to 63 letters, digits, _ or -"
                )
            typed[name] = self.kind.read(below, at / name)
        return typed


def snake(name: str) -> str:
    """`targetUrl` → `target_url`."""
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _seconds(value: Json) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 10**12 else 10.0**12
    return seconds_in(value) if isinstance(value, str) else None
