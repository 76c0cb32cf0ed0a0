"""Messages as Celery makes them, without making each: a workflow's first message is the pattern of all that follow.

Workflows of one definition begin with the same canvas, but for their ids. So the first one is published by Celery, and
what it sent is kept, with a gap wherever an id stood; the next message is that text with its own ids in the gaps. What
Celery would have sent stays what is sent, whatever the canvas becomes.

Only a canvas that begins with one message has a pattern: for a group or a chord Celery sends several, and counts.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uuid_utils
from celery.signals import after_task_publish, before_task_publish
from kombu.connection import Connection
from kombu.messaging import Producer

from orchestrator.jsontype import Json

_ID = re.compile("([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class _Text:
    """A text, cut at the ids in it: every second piece is one."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "_Text":
        return cls(tuple(_ID.split(text)))

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self.pieces[1::2])

    def filled(self, ids: Mapping[str, str]) -> str:
        return "".join([ids.get(piece, piece) for piece in self.pieces])


@dataclass(frozen=True, slots=True)
class Pattern:
    """The message that one workflow began with, for others. `queue` is where Celery sent it."""

    queue: str
    _workflow_id: str
    _body: _Text
    _envelope: _Text
    _fresh: tuple[str, ...]

    @classmethod
    def of(cls, queue: str, written: Mapping[str, Json], workflow_id: str, words: str) -> "Pattern":
        """The pattern of what kombu wrote to the queue for this workflow. What stands in `words` is no id of it."""
        body = _Text.of(base64.b64decode(written["body"]).decode())
        envelope = _Text.of(json.dumps({name: value for name, value in written.items() if name != "body"}))
        # Where results would be waited for is the publisher's own address, the same in all that it sends.
        same = {workflow_id, written["properties"]["reply_to"], *_ID.findall(words)}
        fresh = (body.ids | envelope.ids) - same
        return cls(queue, workflow_id, body, envelope, tuple(fresh))

    def filled(self, workflow_id: str) -> str:
        """The message for another workflow, whose tasks, groups and message have ids of their own."""
        ids = {known: str(uuid_utils.uuid4()) for known in self._fresh} | {self._workflow_id: workflow_id}
        body = base64.b64encode(self._body.filled(ids).encode()).decode()
        return f'{{"body": "{body}", {self._envelope.filled(ids)[1:]}'


def pattern_of(sent: Sequence[Mapping[str, Json]], workflow_id: str, words: str) -> Pattern | None:
    """The pattern of what was overheard; None where it was not one message to one queue.

    `words` are the names in it that somebody chose: even one that looks like an id stays as it is.
    """
    if len(sent) != 1 or sent[0]["exchange"] != "":
        return None
    [message] = sent
    queue: str = message["routing_key"]
    # A broker in this process's memory is written to as Redis is.
    with Connection("memory://") as broker:  # type: ignore[no-untyped-call]  # kombu has few annotations
        channel = broker.default_channel
        options = {"exchange": "", "routing_key": queue, "serializer": "json", "headers": message["headers"]}
        Producer(channel).publish(message["body"], **options, **message["properties"])  # type: ignore[no-untyped-call]
        return Pattern.of(queue, channel._get(queue), workflow_id, words)


_thread = threading.local()


@contextmanager
def overheard() -> Iterator[list[dict[str, Json]]]:
    """What this thread has Celery publish within the block: the list fills while it runs."""
    sent: list[dict[str, Json]] = []
    _thread.sent = sent
    try:
        yield sent
    finally:
        _thread.sent = None


def others_listen() -> bool:
    """Whether anybody else wants to hear of each message before or after it is sent, and perhaps to change it."""
    return len(before_task_publish.receivers) > 1 or bool(after_task_publish.receivers)


@before_task_publish.connect
def _overhear(**message: Json) -> None:
    sent = getattr(_thread, "sent", None)
    if sent is not None:
        sent.append(message)
