"""What webhooks are told of a workflow that has ended: which of them, and in what words. Pure.

The place of a message is the number of the definition's webhook, or None for the one that came with the start.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.definition import ENDINGS
from orchestrator.jsontype import Json
from orchestrator.moments import iso
from orchestrator.workflow import Workflow

_EVENTS = {f"workflow.{ending}": ending for ending in ENDINGS}


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one webhook. `data` is the state in which the workflow ended, without its output.

    `shown` is the webhook's address as it may be shown.
    """

    place: int | None
    event: str
    shown: str
    data: dict[str, Json]


def messages_of(workflow: Workflow) -> Iterator[Message]:
    """The messages that the workflow's newly recorded events are worth."""
    own, given = workflow.definition.webhooks, workflow.head.webhook_url
    if not own and given is None:
        return
    for event in workflow.events:
        ending = _EVENTS.get(event.type)
        if ending is None:
            continue
        data = _data(workflow)
        for number, webhook in enumerate(own):
            if ending in webhook.events:
                yield Message(number, event.type, str(webhook.url.source), data)
        if given is not None:
            yield Message(None, event.type, without_query(given), data)


def without_query(url: str) -> str:
    """The address without what may be a token in it."""
    return url.partition("?")[0].partition("#")[0]


def _data(workflow: Workflow) -> dict[str, Json]:
    head = workflow.head
    return {
        "workflowId": head.id,
        "type": head.type,
        "status": head.status.value,
        "compensation": head.compensation.value,
        "error": head.error,
        "createdAt": iso(head.created_at),
        "completedAt": iso(head.completed_at),
    }
