"""Why a workflow is not moving, as a pure function of its rows: what it waits for, until when, what changes that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.jsontype import Json
from orchestrator.moments import iso
from orchestrator.states import FINAL, Compensation, StepStatus, Waiting, WorkflowStatus
from orchestrator.workflow import START, Kind, StepState, undone_by


@dataclass(frozen=True, slots=True)
class Standing:
    """The rows that say why. Times are seconds since 1970.

    `steps` are those that run, wait, are due or have failed; `workers` maps the names of the workers that have signed
    on to the time until which they count as alive; `others` tells, of steps that wait for a child or a limit, how that
    stands.
    """

    status: WorkflowStatus
    ending: WorkflowStatus | None
    compensation: Compensation
    error: Json
    deadline_at: float | None
    now: float
    steps: Sequence[StepState] = ()
    errors: Mapping[str, Json] = field(default_factory=dict)
    workers: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> int:
        """How many workers are alive."""
        return sum(until >= self.now for until in self.workers.values())


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is waited for; `until` is when it ends by itself, None where it does not."""

    waits_for: str
    change: str
    step: str | None = None
    until: float | None = None

    def as_json(self) -> Json:
        """The reason as the API shows it."""
        return {
            "step": self.step,
            "waitsFor": self.waits_for,
            "until": iso(self.until),
            "whatWouldChangeThat": self.change,
        }


def reasons(standing: Standing) -> list[Reason]:
    """Everything the workflow waits for, the workflow's own reason first."""
    if standing.status in FINAL:
        return [_final(standing), *_cut_short(standing)]
    found = [*_own(standing), *(_of_step(standing, step) for step in _open(standing))]
    return found or [
        Reason(
            "nothing that the ledger knows of, which should not be",
            "pause and resume send everything again that is ready; please report this workflow's events",
        )
    ]


def _final(standing: Standing) -> Reason:
    error = _told(standing.error)
    if standing.status is WorkflowStatus.COMPLETED:
        return Reason("nothing: it is completed", "rerun starts a fresh copy")
    if standing.compensation is Compensation.FAILED:
        undos = [undone_by(step.name) for step in standing.steps if _failed(step) and step.kind is Kind.UNDO]
        return Reason(
            f"a person: {_listed(undos)} could not be undone ({standing.status.value}: {error})",
            "undo it by hand, or let retry send the compensations that failed again",
        )
    if standing.compensation is Compensation.COMPLETED:
        return Reason(
            f"nothing: it is {standing.status.value} ({error}) and what it had done is undone",
            "rerun starts a fresh copy",
        )
    return Reason(
        f"nothing: it is {standing.status.value} ({error})",
        "retry goes on from the steps that failed and keeps the rest; rerun starts a fresh copy",
    )


def _cut_short(standing: Standing) -> Iterator[Reason]:
    """Steps that failed beside the one that the workflow failed at: their attempts may not have been used up."""
    culprit = standing.error.get("step") if isinstance(standing.error, dict) else None
    for step in standing.steps:
        error = standing.errors.get(step.name)
        if _failed(step) and not step.kind.undoes and step.name != culprit and error is not None:
            yield Reason(f"nothing: it failed too ({_told(error)})", "what helps the workflow", step.name)


def _own(standing: Standing) -> Iterator[Reason]:
    if standing.status is WorkflowStatus.PAUSED:
        failing = standing.ending not in (None, WorkflowStatus.COMPLETED)
        what = f"resume, to undo what was done and end {standing.ending}" if failing else "resume"
        yield Reason(f"a person to {what}: it is paused", "resume, or cancel", until=standing.deadline_at)
    if standing.status is WorkflowStatus.COMPENSATING and standing.ending is not None:
        undoing = standing.compensation is Compensation.RUNNING
        what = "the undoing of what took effect" if undoing else "the steps in flight, before anything is undone"
        yield Reason(
            f"{what}; it will end {standing.ending.value} ({_told(standing.error)})", "the steps below, by themselves"
        )
    if standing.alive == 0:
        yield Reason("a worker: none is alive", "start one with: orchestrator worker")


def _open(standing: Standing) -> list[StepState]:
    return [step for step in standing.steps if not step.settled]


_WAITED_FOR = {
    Waiting.TIMER: ("its time", "the time; or cancel"),
    Waiting.CALLBACK: (
        "its service to say what came of the request that it accepted",
        "the service's answer to the callback URL; at that time it counts as failed, outcome unknown",
    ),
    Waiting.APPROVAL: ("a person to approve or reject it", "approve, or reject; at that time it counts as failed"),
    Waiting.POLL: (
        "the time to ask its service again whether it is done",
        "the time; or the service, which is asked then",
    ),
}


_WAITED_FOR_OTHERS = {
    Waiting.LIMIT: (
        "its turn: as many calls are made, or were begun, as its limit allows",
        "the end of another call, which wakes the step that waited longest; or a higher limit",
    ),
    Waiting.SHARE: (
        "a place in a worker: its host is slow, and has its share of the worker's calls",
        "the end of another call to that host; or more workers",
    ),
    Waiting.CHILD: (
        "the end of the workflow that it started",
        "that workflow's end: ask why it is not moving; cancel ends both",
    ),
    Waiting.CIRCUIT: (
        "its service to recover: the circuit is open, as calls to it failed",
        "a probe that succeeds, which is made by itself; or `orchestrator limits close`",
    ),
}
"""What others bring about, at no time that is known."""


def _of_step(standing: Standing, step: StepState) -> Reason:
    match step.status:
        case StepStatus.RUNNING:
            return _running(standing, step)
        case StepStatus.WAITING if step.waiting_for == Waiting.ITEMS and step.items is not None:
            counts, what = step.items, "undone" if step.kind is Kind.UNDO else "completed"
            return Reason(
                f"its items: {counts.completed} of {counts.total} are {what}, {counts.failed} have failed, "
                f"{counts.under_way} are under way",
                "the items below and those after them, by themselves",
                step.name,
                step.wake_at,
            )
        case StepStatus.WAITING if step.waiting_for in _WAITED_FOR_OTHERS:
            what, change = _WAITED_FOR_OTHERS[Waiting(step.waiting_for)]
            told = standing.others.get(step.name)
            return Reason(what if told is None else f"{what} ({told})", change, step.name)
        case StepStatus.WAITING if step.waiting_for == Waiting.TASK:
            return Reason(
                f"the end of the Celery task that attempt {step.attempts} sent",
                "the worker of that task's queue; or the step's time-out",
                step.name,
            )
        case StepStatus.WAITING if step.waiting_for == START:
            return Reason("its time: the start was put off", "the time; or cancel", step.name, step.wake_at)
        case StepStatus.WAITING if step.waiting_for in _WAITED_FOR:
            what, change = _WAITED_FOR[Waiting(step.waiting_for)]
            return Reason(what, change, step.name, step.wake_at)
        case StepStatus.WAITING:
            error = standing.errors.get(step.name)
            after = f", after attempt {step.attempts} ended with: {_told(error)}" if error is not None else ""
            return Reason(
                f"its next attempt ({step.waiting_for}){after}",
                "the time; or the service, which is asked again then",
                step.name,
                step.wake_at,
            )
        case _:
            return Reason(
                "a free worker: its message is in the queue, or will be sent again if it was lost",
                "a worker with a free thread" if standing.alive else "a worker: none is alive",
                step.name,
                step.wake_at,
            )


def _running(standing: Standing, step: StepState) -> Reason:
    seen_until = standing.workers.get(step.worker or "")
    if seen_until is None or seen_until < standing.now:
        return Reason(
            f"another worker to take it over: {step.worker}, which had it, is lost",
            "any worker that is alive does so by itself" if standing.alive else "start a worker",
            step.name,
            step.wake_at,
        )
    return Reason(
        f"the answer to attempt {step.attempts}, which worker {step.worker} made at {iso(step.attempt_at)}",
        "the service's answer, or the end of the attempt's time-out",
        step.name,
        step.wake_at,
    )


def _failed(step: StepState) -> bool:
    return step.status is StepStatus.FAILED


def _told(error: Json) -> str:
    if not isinstance(error, dict):
        return "no error was recorded"
    where = f"{error['step']}: " if error.get("step") else ""
    return f"{where}{error.get('message', error.get('kind', 'unknown'))}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "something"
