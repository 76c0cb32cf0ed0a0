"""What became of a workflow that was played, and what of it one asks or prints."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.definition import Definition
from orchestrator.errors import Fault
from orchestrator.jsontype import Json
from orchestrator.testkit.services import Call, without_index
from orchestrator.workflow import UNDO, Event, undone_by

_LONGEST = 160
"""Characters of a value in a timeline."""


@dataclass(frozen=True, slots=True)
class Run:
    """One workflow, over or waiting for what no case says. Times are seconds since its start.

    `status` is the workflow's, or `refused` where the context does not fit: then `faults` say why. `steps` are the
    statuses of all steps and undos (`charge:undo`), `calls` all that were made, in their order.
    """

    definition: Definition
    status: str
    compensation: str = "none"
    output: Json = None
    error: Json = None
    steps: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    events: tuple[tuple[float, Event], ...] = ()
    took: float = 0.0
    faults: Sequence[Fault] = ()

    def calls_of(self, step: str) -> list[Call]:
        """The calls of a step with all its items, of one item (`charge[0]`), or of an undo (`charge:undo`)."""
        return [call for call in self.calls if step in (call.step, without_index(call.step))]

    @property
    def order(self) -> list[str]:
        """The steps that were called, each where it was called first; undos are not among them."""
        return list(dict.fromkeys(without_index(call.step) for call in self.calls if not call.step.endswith(UNDO)))

    @property
    def undone(self) -> list[str]:
        """The steps that are undone, in the order in which that was asked for."""
        undos = dict.fromkeys(without_index(call.step) for call in self.calls if call.step.endswith(UNDO))
        return [undone_by(undo) for undo in undos if self.steps[undo] == "completed"]

    def timeline(self) -> list[str]:
        """A line for each thing that happened."""
        if self.status == "refused":
            return [f"the start is refused: {fault}" for fault in self.faults]
        width = max((len(event.step or "") for _, event in self.events), default=0)
        calls = {name: iter([call for call in self.calls if call.step == name]) for name in self.steps}
        lines = []
        for at, event in self.events:
            words = _told(event, calls)
            if words is not None:
                lines.append(f"{at:9.3f} s  {event.step or '':{width}}  {words}")
        return [line.rstrip() for line in lines]


def brief(value: Json) -> str:
    """A value on one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _told(event: Event, calls: Mapping[str, Iterator[Call]]) -> str | None:
    """An event in words; None for one that says nothing new."""
    details = event.details
    match event.type:
        case "step.started":
            call = next(calls[event.step or ""], None)
            return None if call is None else f"{call.method} {call.url}  {brief(call.payload)}"
        case "step.completed":
            status = details.get("status")
            return "completed" if status is None else f"completed: {status}"
        case "step.retrying":
            return f"failed: {_message(details)}; again after {details['delayMs'] / 1000:g} s"
        case "step.failed":
            return f"failed: {_message(details)}"
        case "step.skipped":
            return f"skipped: {details.get('reason')}"
        case "workflow.failing":
            return f"the workflow is failing: {_message(details)}"
        case kind:
            own = kind.removeprefix("workflow.") if kind.startswith("workflow.") else kind
            shown = {name: value for name, value in details.items() if name not in ("version", "durationMs", "by")}
            return f"{own} {brief(shown) if shown else ''}"


def _message(details: Mapping[str, Json]) -> str:
    error = details.get("error") or {}
    return str(error.get("message") or error.get("kind") or "no reason was recorded")
