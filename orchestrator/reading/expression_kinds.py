"""The kinds of values that hold expressions, and which names may be read in which of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orchestrator.definition import RETRY_CLASSES, STATUS_CLASSES
from orchestrator.errors import ExpressionError
from orchestrator.expressions import ROOTS, Expression, Template, compile_expression, compile_what_can_be
from orchestrator.jsontype import Json
from orchestrator.reading.kinds import Kind, shown
from orchestrator.reading.place import Path, Place

# Only in the call of a step with `forEach`, and in what undoes it: `orchestrator.reading.checks` looks for that.
OF_AN_ITEM = ("item", "index")
# What may be read: by what decides, by what is sent, by what judges an answer.
DECIDING = ("context", "steps", "workflow", "vars")
SENDING = (*DECIDING, *OF_AN_ITEM, "secret", "callback")
KEYING = (*DECIDING, *OF_AN_ITEM)
JUDGING = (*DECIDING, *OF_AN_ITEM, "response")
RETRYING = (*JUDGING, "error")

_OWN_HEADERS = {
    "idempotency-key": "set it with idempotencyKey",
    "traceparent": "the orchestrator sets it",
    "tracestate": "the orchestrator sets it",
    "x-workflow-id": "the orchestrator sets it",
    "x-step": "the orchestrator sets it",
    "x-callback-url": "the orchestrator sets it where the step has a callback",
    "x-callback-token": "the orchestrator sets it where the step has a callback",
    "host": "it follows from targetUrl",
    "content-length": "it follows from the payload",
    "transfer-encoding": "it follows from the payload",
    "connection": "the orchestrator sets it",
}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PARTS = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


@dataclass(frozen=True)
class ExpressionText(Kind):
    """One expression, with or without `${ }`."""

    roots: tuple[str, ...]

    def schema(self) -> Json:
        return {"type": ["string", "boolean"], "minLength": 1}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, bool):
            value = f"`{str(value).lower()}`"
        if not isinstance(value, str):
            at.fault(f"must be an expression such as context.amount > `100`, not {shown(value)}")
            return None
        try:
            expression = compile_expression(value)
        except ExpressionError as error:
            at.fault(str(error))
            return None
        check_roots(expression, self.roots, at)
        return expression


@dataclass(frozen=True)
class AnyTemplate(Kind):
    """Any JSON, with expressions in its texts."""

    roots: tuple[str, ...]

    def schema(self) -> Json:
        return {}

    def read(self, value: Json, at: Place) -> Json:
        template, faults = compile_what_can_be(value)
        for fault in faults:
            below(at, fault.place).fault(fault.message)
        for place, expression in template.expressions():
            check_roots(expression, self.roots, below(at, place))
        return template


@dataclass(frozen=True)
class TextTemplate(AnyTemplate):
    """A text, with expressions in it."""

    def schema(self) -> Json:
        return {"type": "string", "minLength": 1}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, str) and value:
            return super().read(value, at)
        hint = " (quote it)" if isinstance(value, bool | int | float) else ""
        at.fault(f"must be a text{hint}, not {shown(value)}")
        return None


@dataclass(frozen=True)
class TargetUrl(TextTemplate):
    """An absolute http or https URL. It may begin with an expression such as `${vars.SERVICES_URL}`."""

    roots: tuple[str, ...] = SENDING

    def read(self, value: Json, at: Place) -> Json:
        template = super().read(value, at)
        if isinstance(template, Template) and (wrong := _wrong_with_url(template)):
            at.fault(f"must be an absolute URL such as https://example.com/api; {wrong}")
        return template


@dataclass(frozen=True)
class Headers(Kind):
    """Header names → texts with expressions."""

    value: TextTemplate = field(default_factory=lambda: TextTemplate(SENDING))

    def schema(self) -> Json:
        return {"type": "object", "additionalProperties": self.value.schema()}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            at.fault(f"must be an object of names and texts, not {shown(value)}")
            return None
        folded: set[str] = set()
        made: dict[str, Template] = {}
        for name, text in value.items():
            check_header_name(name, folded, at / name)
            folded.add(name.lower())
            if isinstance(text, str) and _CONTROL.search(text):
                (at / name).fault("must be one line without control characters")
            if (template := self.value.read(text, at / name)) is not None:
                made[name] = template
        return made


@dataclass(frozen=True)
class Query(Kind):
    """Query parameters: names → texts with expressions, numbers or booleans."""

    value: AnyTemplate = field(default_factory=lambda: AnyTemplate(SENDING))

    def schema(self) -> Json:
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            at.fault(f"must be an object of names and values, not {shown(value)}")
            return None
        made: dict[str, Template] = {}
        for name, text in value.items():
            if not isinstance(text, str | bool | int | float):
                (at / name).fault(f"must be a text, a number or a boolean, not {shown(text)}")
            elif (template := self.value.read(text, at / name)) is not None:
                made[name] = template
        return made


@dataclass(frozen=True)
class Occasions(Kind):
    """A list of what is worth a retry: statuses, classes of failures, conditions in `${ }`."""

    _WORDS = (*STATUS_CLASSES, *RETRY_CLASSES)
    _LEAST, _MOST = 100, 599

    def schema(self) -> Json:
        status = {"type": "integer", "minimum": self._LEAST, "maximum": self._MOST}
        condition = {"type": "string", "pattern": r"^\s*\$\{"}
        return {"type": "array", "minItems": 1, "items": {"oneOf": [status, {"enum": list(self._WORDS)}, condition]}}

    def read(self, value: Json, at: Place) -> Json:
        """A tuple of statuses, words and compiled expressions."""
        if not isinstance(value, list) or not value:
            at.fault(f"must be a list such as [409, 5xx, timeout], not {shown(value)}")
            return None
        made = [self._read_one(one, at / index) for index, one in enumerate(value)]
        return tuple(one for one in made if one is not None)

    def _read_one(self, value: Json, at: Place) -> Json:
        if isinstance(value, str) and value.lstrip().startswith("${"):
            return ExpressionText(RETRYING).read(value, at)
        if isinstance(value, str) and value in self._WORDS:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and self._LEAST <= value <= self._MOST:
            return value
        hint = at.faults.suggestion(value, self._WORDS) if isinstance(value, str) else ""
        at.fault(
            f"must be a status from {self._LEAST} to {self._MOST}, one of {', '.join(self._WORDS)}, "
            f"or a condition in ${{ }}; not {shown(value)}{hint}"
        )
        return None


def below(at: Place, place: str) -> Place:
    """The place within a template that `items[0].name` speaks of."""
    path: Path = tuple(int(found[1]) if found[1] else found[2] for found in _PARTS.finditer(place))
    return Place(at.faults, (*at.path, *path))


def check_roots(expression: Expression, roots: Iterable[str], at: Place) -> None:
    """A name that may not be read here is a fault."""
    for root in sorted(expression.references.roots.difference(roots)):
        at.fault(_not_here(root, at))


def _not_here(root: str, at: Place) -> str:
    if root == "secret":
        return "reads a secret; secrets may stand in targetUrl, headers, query, payload and auth only"
    if root == "response":
        return "reads the response, which only success, result, poll and retry.on may"
    if root == "callback":
        return "reads the callback, which only the targetUrl, headers, query and payload of a step with callback may"
    if root == "error":
        return "reads the error, which only retry.on may; the error of an earlier step is steps.<name>.error"
    if root in ("item", "index"):
        return f"reads {root}, which only the call of a step with forEach may, and its compensation"
    if root in ("true", "false", "null"):
        return f"reads the name {root}; the value {root} is written in backticks: `{root}`"
    hint = at.faults.suggestion(root, ROOTS) or f" (there are {', '.join(ROOTS)}); a text is written in single quotes"
    return f"reads '{root[:40]}', which is no name{hint}"


def check_header_name(name: str, folded: set[str], at: Place) -> None:
    """A name that cannot be a header's, that is ours to set, or that is among the lower-case `folded`, is a fault."""
    if not _HEADER_NAME.fullmatch(name):
        at.fault("is no name for a header")
    elif name.lower() in _OWN_HEADERS:
        at.fault(f"this header cannot be given here: {_OWN_HEADERS[name.lower()]}")
    elif name.lower() in folded:
        at.fault("is given twice (the case of letters does not matter)")


def _wrong_with_url(template: Template) -> str:
    """What is wrong with the part of the URL that is known already; nothing where it is fine."""
    url: str = template.source
    constant = not template.references.roots
    if re.search(r"[\x00-\x20\x7f]", url if constant else url.split("${")[0]):
        return "it has a blank or a control character in it"
    if not constant:
        fixed = url.split("${")[0]
        return "" if not fixed or re.match(r"https?://", fixed, re.IGNORECASE) else f"it begins with {shown(fixed)}"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound:
        return f"not {shown(url)}"
    if "@" in parts.netloc:
        return "credentials do not belong in it, use a header with ${secret.NAME}"
    return ""
