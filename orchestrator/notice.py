"""What ops are told of a workflow: which of its events are worth a notice, and in what words. Pure.

A notice names ids, statuses and the error's message; never a context, a result, a header or a body.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.jsontype import Json
from orchestrator.states import Compensation, StepStatus
from orchestrator.workflow import Event, Kind, Workflow, undone_by

STUCK = "workflow.stuck"
_LONGEST_MESSAGE = 500
_MOST_NAMES = 10
_MOST_TEXTS = 20


class Matter(StrEnum):
    """What a notice is about."""

    FAILED = "failed"
    COMPENSATION_FAILED = "compensationFailed"
    DEADLINE = "deadline"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told: `details` are those of `notices_of`."""

    workflow_id: str
    matter: Matter
    details: Json


def notices_of(workflow: Workflow) -> Iterator[Notice]:
    """The notices that the workflow's newly recorded events are worth."""
    for event in workflow.events:
        matter = _matter(event)
        if matter is not None:
            yield Notice(workflow.head.id, matter, _details(workflow, event, matter))


def _matter(event: Event) -> Matter | None:
    error = event.details.get("error")
    match event.type:
        case "workflow.failed" | "workflow.cancelled" if event.details.get("compensation") == Compensation.FAILED:
            return Matter.COMPENSATION_FAILED
        case "workflow.failed":
            return Matter.FAILED
        case "workflow.failing" if isinstance(error, dict) and error.get("kind") == "deadline":
            return Matter.DEADLINE
    return Matter.STUCK if event.type == STUCK else None


def _details(workflow: Workflow, event: Event, matter: Matter) -> dict[str, Json]:
    head = workflow.head
    error = event.details.get("error")
    said: dict[str, Json] = {
        "type": head.type,
        "status": head.status.value,
        "compensation": head.compensation.value,
    }
    if isinstance(error, dict):
        said |= {
            "step": error.get("step"),
            "message": str(error.get("message") or error.get("kind"))[:_LONGEST_MESSAGE],
        }
    if matter is Matter.COMPENSATION_FAILED:
        said["notUndone"] = [
            undone_by(step.name)
            for step in workflow.all()
            if step.kind is Kind.UNDO and step.status is StepStatus.FAILED
        ]
    if matter is Matter.STUCK:
        said["idleSeconds"] = event.details.get("idleSeconds")
    return said


def title_of(notice: Notice) -> str:
    """The notice in a line."""
    details = notice.details
    where = f" at {details['step']}" if details.get("step") else ""
    match notice.matter:
        case Matter.FAILED:
            return f"{details['type']} failed{where}"
        case Matter.COMPENSATION_FAILED:
            return f"{details['type']} could not be undone: a person must look"
        case Matter.DEADLINE:
            return f"{details['type']} did not end within its deadline"
        case Matter.STUCK:
            return f"{details['type']} is stuck"


def text_of(notice: Notice, public_url: str | None) -> str:
    """The notice in full: what happened to whom, and what to do next."""
    details = notice.details
    lines = [f"Workflow {notice.workflow_id} ({details['type']}) is {details['status']}."]
    if details.get("step"):
        lines.append(f"Step: {details['step']}")
    if details.get("message"):
        lines.append(f"Error: {details['message']}")
    if notice.matter is Matter.STUCK:
        lines.append(f"Nothing has happened to it for {details['idleSeconds'] / 60:.0f} minutes.")
    lines.append(f"Compensation: {_undoing(details)}")
    lines += ["", f"Next: {_advice(notice)}"]
    if public_url is not None:
        lines.append(f"{public_url}/workflows/{notice.workflow_id}")
    return "\n".join(lines)


def digest_of(notices: Sequence[Notice], public_url: str | None) -> tuple[str, str]:
    """Title and text of one message for many notices: a storm of failures must not become a storm of messages.

    Each is named; those that come first in full.
    """
    counts: dict[str, int] = {}
    for notice in notices:
        counts[title_of(notice)] = counts.get(title_of(notice), 0) + 1
    often = sorted(counts.items(), key=lambda each: -each[1])
    summary = [f"{count} × {title}" for title, count in often[:_MOST_TEXTS]]
    texts = [text_of(notice, public_url) for notice in notices[:_MOST_TEXTS]]
    rest = [f"{title_of(notice)}: {notice.workflow_id}" for notice in notices[_MOST_TEXTS:]]
    return f"{len(notices)} workflows want attention", "\n\n".join(
        ["\n".join(summary), *texts, "\n".join(rest)]
    ).rstrip()


def _undoing(details: Json) -> str:
    match details["compensation"]:
        case Compensation.FAILED:
            names: list[str] = details.get("notUndone") or []
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            return f"failed, not undone: {', '.join(names[:_MOST_NAMES])}{more}"
        case Compensation.COMPLETED:
            return "completed, what took effect is undone"
        case Compensation.RUNNING:
            return "under way"
    return "none"


def _advice(notice: Notice) -> str:
    why = f"orchestrator why {notice.workflow_id}"
    match notice.matter:
        case Matter.COMPENSATION_FAILED:
            return f"{why}; once its cause is mended, orchestrator retry {notice.workflow_id} sends the undoing again"
        case Matter.FAILED if notice.details["compensation"] == Compensation.NONE:
            return f"{why}; once its cause is mended, orchestrator retry {notice.workflow_id} goes on from there"
        case Matter.FAILED:
            return f"{why}; once its cause is mended, orchestrator rerun {notice.workflow_id} starts a fresh copy"
    return why
