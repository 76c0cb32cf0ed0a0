"""The text of a definition file → plain JSON values, and the line on which each of them stands.

YAML is read by rules that do not surprise: only `true` and `false` are booleans (`on`, `yes` and `no` are texts),
numbers are JSON's, dates are texts, and there are no tags and no merge keys. Anchors and aliases work, counted as if
they were written out. The parser's events are read one by one: no recursion, and the first thing too much ends it.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from orchestrator.jsontype import Json
from orchestrator.reading.place import Faults, Path

MAX_TEXT = 1_000_000  # characters of a file, aliases written out
MAX_NESTING = 64

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Json] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Unreadable(Exception):
    """The text cannot be read any further."""

    def __init__(self, path: Path, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.line = line


def read_text(text: str, source: str) -> tuple[Json, Faults]:
    """The value that `text` holds, and the faults found while reading it (with its lines, for those yet to be found).

    A source that ends with `.json` is read as JSON. Raises DefinitionError where there is no value to go on with.
    """
    faults = Faults(source)
    if len(text) > MAX_TEXT:
        faults.add((), f"it is longer than {MAX_TEXT} characters")
        faults.raise_any()
    if source.lower().endswith(".json"):
        return _read_json(text, source)
    builder = _Builder(source)
    value = _built(builder, text)
    return value, builder.faults


def _built(builder: "_Builder", text: str) -> Json:
    try:
        for event in _events(text):
            builder.take(event)
        if not builder.documents:
            raise Unreadable((), "it is empty")
    except Unreadable as found:
        if found.line is not None:
            builder.lines[found.path] = found.line
        builder.faults.add(found.path, found.message)
    except yaml.YAMLError as error:
        line, message = _told(error, text)
        builder.lines[()] = line
        builder.faults.add((), message)
    else:
        return builder.value
    builder.faults.raise_any()
    return None


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except UnicodeEncodeError:
        raise Unreadable((), "it holds half of a surrogate pair, which is no text") from None


def _told(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line and the meaning of a YAML error."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        return text.count("\n", 0, position) + 1, "it holds a control character, which YAML does not allow"
    lines = text.splitlines() or [""]
    line = lines[min(mark.line, len(lines) - 1)]
    problem = f"it is no YAML: {error.problem}" if isinstance(error, yaml.MarkedYAMLError) else "it is no YAML"
    if "\t" in line[: mark.column + 1]:
        problem = "it is indented with a tab; YAML takes spaces only"
    elif "${" in line and "{" in line.replace("${", ""):
        problem += '; within { } and [ ] an expression must be quoted, as in "${context.card}"'
    return mark.line + 1, problem


class _Frame:
    """A list or an object that is being read; `key` is the key whose value comes next."""

    __slots__ = ("anchor", "key", "path", "size", "value")

    def __init__(self, value: Json, path: Path, anchor: str | None, size: int) -> None:
        self.value = value
        self.path = path
        self.anchor = anchor
        self.size = size  # what had been read when it began
        self.key: str | None = None


class _Builder:
    """Takes the parser's events one by one and builds the value."""

    def __init__(self, source: str) -> None:
        self.value: Json = None
        self.documents = 0
        self.lines: dict[Path, int] = {}
        self.faults = Faults(source, self.lines)
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._size = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(str(event.anchor), line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event, line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise Unreadable((), "it holds several documents; a file holds one workflow type", line)

    def _take_scalar(self, event: Any, line: int) -> None:
        self._grow(len(event.value) + 1)
        path = self._path(line)
        self._refuse_tag(event.tag, path)
        plain = event.implicit[0]
        value = self._resolved(event.value, path) if plain else event.value
        if event.anchor:
            self._anchors[event.anchor] = (value, len(event.value) + 1)
        if self._awaits_key():
            self._take_key(event.value, value, plain, line)
        else:
            self._put(value, path)

    def _take_key(self, key: str, value: Json, plain: bool, line: int) -> None:
        frame = self._open[-1]
        path = (*frame.path, key)
        if key in frame.value:
            first = self.lines.get(path)
            self.lines[path] = line
            self.faults.add(path, f"the key '{key}' is given twice (first on line {first})")
        self.lines[path] = line
        if not isinstance(value, str):
            self.faults.add(path, f'the key {key or "(nothing)"} is no text; quote it, as in "{key}"')
        elif plain and key == "<<":
            self.faults.add(path, "merge keys (<<) are not supported; write the fields out")
        frame.key = key

    def _take_alias(self, name: str, line: int) -> None:
        path = self._path(line)
        if self._awaits_key():
            raise Unreadable(path, "an alias cannot be a key; write the key out", line)
        if name not in self._anchors:
            raise Unreadable(path, f"the alias *{name} has no anchor &{name} that ends before it", line)
        value, size = self._anchors[name]
        self._grow(size)
        self._put(value, path)

    def _begin(self, event: Any, line: int) -> None:
        self._grow(1)
        path = self._path(line)
        self._refuse_tag(event.tag, path)
        if self._awaits_key():
            raise Unreadable(path, "a key must be a text, not a list or an object; quote a text with { or [", line)
        if len(self._open) >= MAX_NESTING:
            raise Unreadable(path, f"it is nested more than {MAX_NESTING} levels deep")
        value: Json = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Frame(value, path, event.anchor, self._size))

    def _end(self) -> None:
        frame = self._open.pop()
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.value, self._size - frame.size + 1)
        self._put(frame.value, frame.path)

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _path(self, line: int) -> Path:
        """The path of the value that comes now, whose line is noted."""
        if not self._open:
            path: Path = ()
        elif isinstance(self._open[-1].value, list):
            path = (*self._open[-1].path, len(self._open[-1].value))
        else:
            path = self._open[-1].path if self._open[-1].key is None else (*self._open[-1].path, self._open[-1].key)
        self.lines.setdefault(path, line)
        return path

    def _put(self, value: Json, path: Path) -> None:
        if not self._open:
            self.value = value
            return
        frame = self._open[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        else:
            frame.value[frame.key] = value
            frame.key = None

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_TEXT:
            raise Unreadable((), f"it is longer than {MAX_TEXT} characters when its aliases are written out")

    def _refuse_tag(self, tag: str | None, path: Path) -> None:
        if tag is not None:
            self.faults.add(path, f"tags ({tag.replace('tag:yaml.org,2002:', '!!')}) are not supported; leave it out")

    def _resolved(self, word: str, path: Path) -> Json:
        """What a plain word means."""
        if word in _WORDS:
            return _WORDS[word]
        if _NOT_FINITE.fullmatch(word):
            self.faults.add(path, f"{word} is no number that JSON can write")
        found = _NUMBER.fullmatch(word)
        if found is None:
            return word
        if len(word) > 300:
            self.faults.add(path, f"a number of {len(word)} digits is too long")
            return 0
        number = int(word) if found[1] is None and found[2] is None else float(word)
        if not math.isfinite(number):
            self.faults.add(path, f"{word} is too large for a number")
            return 0
        return number


def _read_json(text: str, source: str) -> tuple[Json, Faults]:
    repeated: list[str] = []

    def unrepeated(pairs: list[tuple[str, Json]]) -> Json:
        made: dict[str, Json] = {}
        for key, value in pairs:
            if key in made:
                repeated.append(key)
            made[key] = value
        return made

    faults = Faults(source, _lines_of_json(text, source))
    try:
        value = json.loads(text, object_pairs_hook=unrepeated)
    except json.JSONDecodeError as error:
        problem = "it is empty" if not text.strip() else f"it is no JSON: {error.msg}"
        faults = Faults(source, {(): error.lineno})
        faults.add((), problem)
    except RecursionError:
        faults.add((), f"it is nested more than {MAX_NESTING} levels deep")
    except ValueError:
        faults.add((), "it holds a number that is too long")
    else:
        for key in repeated:
            faults.add((), f"the key '{key}' is given twice in one object")
        return value, faults
    faults.raise_any()
    return None, faults


def _lines_of_json(text: str, source: str) -> dict[Path, int]:
    """JSON is YAML, nearly: enough of it to know where its parts stand."""
    builder = _Builder(source)
    try:
        for event in _events(text):
            builder.take(event)
    except (Unreadable, yaml.YAMLError):
        pass  # the lines found so far are right
    return builder.lines
