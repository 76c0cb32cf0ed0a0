"""Sending what the ledger says is ready. A broker that is away costs a moment, never a workflow."""

import logging
import time

from celery import Task
from celery.canvas import Signature
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from orchestrator.errors import Unavailable
from orchestrator.plan import Fragment
from orchestrator.priority import Priority
from orchestrator.workflow import Publication
from tasks.canvas import alone, canvas
from tasks.patterns import Pattern, others_listen, overheard, pattern_of
from tasks.pushing import Pusher
from tasks.queues import queue_of

log = logging.getLogger("orchestrator")

FEW = 20
"""Messages that a client may be kept waiting for (some 10 ms)."""

MOST_PATTERNS = 1_000
"""Patterns that one process has at hand."""

REST = 2.0
"""Seconds without a try after a failed one: a start must not wait for a broker that is known to be away."""


class Dispatch:
    """Publishes through `step_task`; safe to call from any thread.

    With `at_once`, a publication of more messages than that is left to a worker: one message asks it to send them. With
    `starts`, for who starts many workflows of few definitions, messages are made by their patterns.
    """

    def __init__(self, step_task: Task, *, at_once: int | None = None, starts: bool = False) -> None:
        self._step_task = step_task
        self._at_once = at_once
        self._rests_until = 0.0
        self._pusher = Pusher(step_task.app) if starts else None
        self._patterns: dict[tuple[str, Priority, Fragment], Pattern | None] = {}

    def __call__(self, publication: Publication) -> None:
        """Send the messages, after the transaction that made them ready is committed.

        What cannot be sent stays ready in the ledger, where the reconciler finds it a few seconds later.
        """
        if not publication or time.monotonic() < self._rests_until:
            return
        try:
            if self._at_once is not None and _messages(publication) > self._at_once:
                shadow = f"{publication.workflow_type} (sending)"
                ids, queue = (publication.workflow_id,), queue_of(publication.priority)
                self._step_task.app.send_task("orchestrator.send", ids, shadow=shadow, queue=queue)
            else:
                self._send(publication)
        except (KombuError, RedisError, Unavailable, OSError) as error:
            self._rests_until = time.monotonic() + REST
            log.warning("the broker cannot be reached, messages will be sent later: %s", error)

    def _send(self, publication: Publication) -> None:
        for fragment in publication.fragments:
            if self._pusher is None:
                self._drawn(publication, fragment).apply_async()
            else:
                self._send_by_pattern(self._pusher, publication, fragment)
        ids = {"workflow_id": publication.workflow_id, "workflow_type": publication.workflow_type}
        for step in publication.steps:
            alone(step, **ids, step_task=self._step_task, priority=publication.priority).apply_async()

    def _drawn(self, publication: Publication, fragment: Fragment) -> Signature:
        ids = {"workflow_id": publication.workflow_id, "workflow_type": publication.workflow_type}
        return canvas(fragment, **ids, step_task=self._step_task, priority=publication.priority)

    def _send_by_pattern(self, pusher: Pusher, publication: Publication, fragment: Fragment) -> None:
        known = publication.workflow_type, publication.priority, fragment
        pattern = self._patterns.get(known)
        if pattern is not None and not others_listen():
            pusher.push(pattern.queue, pattern.filled(publication.workflow_id))
            return
        with overheard() as sent:
            self._drawn(publication, fragment).apply_async()
        if known not in self._patterns:
            words = " ".join((publication.workflow_type, *fragment.steps))
            while len(self._patterns) >= MOST_PATTERNS:
                self._patterns.pop(next(iter(self._patterns)), None)
            self._patterns[known] = pattern_of(sent, publication.workflow_id, words)


def _messages(publication: Publication) -> int:
    return len(publication.steps) + sum(len(fragment.heads) for fragment in publication.fragments)
