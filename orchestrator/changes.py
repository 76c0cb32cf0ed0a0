"""One line for each change of state, with its ids: logged by whoever committed it, never before.

What a line shows is chosen by name (`SHOWN`): nothing that a client or a service sent is among it, and a new detail of
an event is not logged by accident. An error is shown as its kind; its message is in the audit log.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestrator.jsontype import Json

log = logging.getLogger("orchestrator")

SHOWN = (
    "attempt status durationMs delayMs effect outcome worker ending compensation by from to compensate beginsAt "
    "waitingFor"
).split()
"""The details of an event that a line shows, in this order."""

_WARNINGS = frozenset(
    "step.failed step.retrying step.lost step.late workflow.failing workflow.failed workflow.outputFailed "
    "workflow.stuck".split()
)
_LONGEST = 200
_ASKED_FOR = "cancelled"
"""The kind of an error that a person caused on purpose."""


class Recorded(Protocol):
    """An event as a `Workflow` records it."""

    @property
    def type(self) -> str:
        """Such as `step.completed`."""

    @property
    def step(self) -> str | None:
        """Whose it is; None where it is the workflow's."""

    @property
    def details(self) -> Mapping[str, Json]:
        """What more there is to say."""


@dataclass(frozen=True, slots=True)
class Change:
    """The message of such a line: put into words only where somebody writes it out."""

    event: Recorded
    workflow_id: str
    workflow_type: str

    def fields(self) -> dict[str, Json]:
        """What the line says, by name: the event first, then the ids, then the details."""
        said: dict[str, Json] = {
            "event": self.event.type,
            "workflowId": self.workflow_id,
            "type": self.workflow_type,
        }
        if self.event.step is not None:
            said["step"] = self.event.step
        details = self.event.details
        for name in SHOWN:
            value = details.get(name)
            if value is not None and isinstance(value, str | int | float):
                said[name] = value[:_LONGEST] if isinstance(value, str) else value
        error = details.get("error")
        if isinstance(error, Mapping):
            said["error"] = error.get("kind")
            said.setdefault("status", error.get("status"))
        return {name: value for name, value in said.items() if value is not None}

    def __str__(self) -> str:
        fields = self.fields()
        return " ".join([fields.pop("event"), *(f"{name}={_word(value)}" for name, value in fields.items())])


def log_changes(workflow_id: str, workflow_type: str, events: Iterable[Recorded]) -> None:
    """Write a line for each event of a workflow; to be called once their transaction is committed."""
    for event in events:
        level = _level(event)
        if log.isEnabledFor(level):
            log.log(level, Change(event, workflow_id, workflow_type))


def _level(event: Recorded) -> int:
    if event.details.get("compensation") == "failed":
        return logging.ERROR
    if event.type not in _WARNINGS:
        return logging.INFO
    error = event.details.get("error")
    return logging.INFO if isinstance(error, Mapping) and error.get("kind") == _ASKED_FOR else logging.WARNING


def _word(value: Json) -> str:
    """The value without anything that could end the line, or pass for another field."""
    text = str(value)
    return text if text.isprintable() and " " not in text and '"' not in text else json.dumps(text)
