"""What the API answers, as typed values. Fields that a later release adds are in `raw`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.jsontype import Json
from orchestrator.states import FINAL, Compensation, StepStatus, WorkflowStatus


@dataclass(frozen=True, slots=True)
class Error:
    """Why a step or a workflow failed: `kind` for programs, `message` for people, `status` where a service answered."""

    kind: str
    message: str
    step: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """The compensation of a step."""

    status: StepStatus
    attempts: int
    error: Error | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a workflow; `compensation` is None where it is not undone."""

    name: str
    status: StepStatus
    attempts: int
    result: Json
    error: Error | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    compensation: Undo | None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow; sensitive parts of its context are masked."""

    workflow_id: str
    type: str
    status: WorkflowStatus
    compensation: Compensation
    context: Json
    steps: Mapping[str, Step]
    output: Json
    error: Error | None
    created_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    definition_version: str
    raw: Json = field(repr=False)

    @property
    def is_over(self) -> bool:
        """Whether its status is final."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log."""

    at: datetime
    type: str
    step: str | None
    details: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Reason:
    """What a workflow, or one step of it, waits for."""

    step: str | None
    waits_for: str
    until: datetime | None
    what_would_change_that: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why a workflow is not moving, in one sentence and in full."""

    status: WorkflowStatus
    why: str
    reasons: tuple[Reason, ...]


def workflow_of(told: Json) -> Workflow:
    """`GET /api/workflows/<id>`."""
    return Workflow(
        workflow_id=told["workflowId"],
        type=told["type"],
        status=WorkflowStatus(told["status"]),
        compensation=Compensation(told["compensation"]),
        context=told["context"],
        steps={step["name"]: _step(step) for step in told["steps"]},
        output=told["output"],
        error=_error(told["error"]),
        created_at=datetime.fromisoformat(told["createdAt"]),
        completed_at=_moment(told["completedAt"]),
        duration_ms=told["durationMs"],
        definition_version=told["definitionVersion"],
        raw=told,
    )


def event_of(told: Json) -> Event:
    """One line of `GET /api/workflows/<id>/events`."""
    return Event(datetime.fromisoformat(told["at"]), told["type"], told["step"], told["details"])


def why_of(told: Json) -> Why:
    """`GET /api/workflows/<id>/why`."""
    reasons = tuple(
        Reason(one["step"], one["waitsFor"], _moment(one["until"]), one["whatWouldChangeThat"])
        for one in told["reasons"]
    )
    return Why(WorkflowStatus(told["status"]), told["why"], reasons)


def _step(told: Json) -> Step:
    undo = told["compensation"]
    return Step(
        name=told["name"],
        status=StepStatus(told["status"]),
        attempts=told["attempts"],
        result=told["result"],
        error=_error(told["error"]),
        started_at=_moment(told["startedAt"]),
        completed_at=_moment(told["completedAt"]),
        duration_ms=told["durationMs"],
        compensation=undo and Undo(StepStatus(undo["status"]), undo["attempts"], _error(undo["error"])),
    )


def _error(told: Json) -> Error | None:
    return told and Error(told["kind"], told["message"], told.get("step"), told.get("status"))


def _moment(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
