"""The query parameters of each call: what they are called, mean and may hold, as one table for views and OpenAPI."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from flask import request

from orchestrator.durations import seconds_in
from orchestrator.errors import Fault, FaultyInput
from orchestrator.jsontype import Json
from orchestrator.ledger.views.deliveries import STANDINGS
from orchestrator.priority import WORDS
from orchestrator.states import Compensation, StepStatus, WorkflowStatus
from orchestrator.storable import check_text


@dataclass(frozen=True)
class Parameter:
    """One query parameter. `read` turns its text into a value, or raises ValueError with what would be right."""

    name: str
    meaning: str
    read: Callable[[str], Json]
    schema: Json


def query(allowed: Sequence["Parameter"]) -> dict[str, Json]:
    """The values of the request's query by name; those not given are left out. Raises FaultyInput with every fault."""
    known = {parameter.name: parameter for parameter in allowed}
    values: dict[str, Json] = {}
    faults: list[Fault] = []
    for name, texts in request.args.lists():
        if name not in known:
            there = f"; there are {', '.join(known)}" if known else "; this call takes none"
            faults.append(Fault(name[:70], f"is no parameter of this call{there}"))
        elif len(texts) > 1:
            faults.append(Fault(name, "is given more than once"))
        else:
            try:
                values[name] = known[name].read(texts[0])
            except ValueError as error:
                faults.append(Fault(name, str(error)))
    if faults:
        raise FaultyInput(faults)
    return values


def _text(text: str) -> str:
    check_text(text)
    return text


def _moment(text: str) -> float:
    """Seconds since 1970. A time without a zone is UTC; a `+` that came unescaped is a blank by now."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z, or a date") from None


def _since(text: str) -> float:
    """Seconds since 1970, of a time or of so long ago."""
    ago = seconds_in(text)
    try:
        return _moment(text) if ago is None else max(0.0, time.time() - ago)
    except ValueError:
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 24h or 7d") from None


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _chosen(name: str, meaning: str, words: type[StrEnum]) -> Parameter:
    values = [word.value for word in words]

    def read(text: str) -> StrEnum:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return words(text)

    return Parameter(name, meaning, read, {"enum": values})


def _word(words: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def _limit(default: int, most: int) -> Parameter:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise ValueError(f"must be a whole number from 1 to {most}")
        return int(text)

    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter("limit", "How many at most.", read, schema)


class View(StrEnum):
    """How much of a workflow is shown."""

    FULL = "full"
    SUMMARY = "summary"


_CURSOR = Parameter("cursor", "`nextCursor` of the page before.", _text, {"type": "string"})
_TIME = {"type": "string", "format": "date-time"}

FILTERS = (
    _chosen("status", "Only workflows with this status.", WorkflowStatus),
    Parameter("type", "Only workflows of this type.", _text, {"type": "string"}),
    _chosen("compensation", "Only those whose undoing stands so; `failed` needs a person.", Compensation),
    Parameter("createdAfter", "Only those created after this time.", _moment, _TIME),
    Parameter("createdBefore", "Only those created before this time.", _moment, _TIME),
)
LISTING = (*FILTERS, _CURSOR, _limit(50, 500))
ONE = (_chosen("view", "How much is shown.", View),)
ITEMS = (_chosen("status", "Only items with this status.", StepStatus), _CURSOR, _limit(100, 1000))
EVENTS = (
    Parameter(
        "step",
        "Only what happened to this step, or this item (`send[3]`), and to its undoing.",
        _text,
        {"type": "string"},
    ),
    _CURSOR,
    _limit(200, 1000),
)
BESIDE = (
    Parameter("delay", "How long to put the start off: seconds, or such as 15m or 30d.", _text, {"type": "string"}),
    Parameter("notBefore", "The time before which nothing is called, with its zone.", _text, _TIME),
    Parameter("webhookUrl", "The address that is told how it ended, signed.", _text, {"type": "string"}),
    Parameter("priority", "How urgent it is; left out: as its definition says.", _text, {"enum": list(WORDS)}),
)
DELIVERIES = (
    Parameter("status", "Only deliveries that stand so.", _word(STANDINGS), {"enum": list(STANDINGS)}),
    Parameter("workflowId", "Only those of this workflow.", _text, {"type": "string"}),
    _CURSOR,
    _limit(50, 500),
)
CANCEL = (
    Parameter(
        "compensate",
        "false: leave what took effect as it is.",
        _flag,
        {"type": "boolean", "default": True},
    ),
)
RERUN = (
    Parameter(
        "from",
        "A step: it and whatever comes after it run again, the rest is taken over. Left out: all of it runs again.",
        _text,
        {"type": "string"},
    ),
)
_VERSION = Parameter(
    "version", "A version that a workflow was started with; else the one on disk.", _text, {"type": "string"}
)
_SINCE = Parameter(
    "since", "Only workflows that were created since then: a time, or `24h`.", _since, {"type": "string"}
)
DEFINITION = (_VERSION,)
PERIOD = (_SINCE,)
DEFINITION_IN = (_VERSION, _SINCE)
STATISTICS = (Parameter("type", "Only this type; else every definition's.", _text, {"type": "string"}), _SINCE)
NONE: tuple[Parameter, ...] = ()
CALLBACK = (
    Parameter(
        "token", "The attempt's token, where it is not in the header X-Callback-Token.", _text, {"type": "string"}
    ),
)
