"""Sending what the ledger says is ready. A broker that is away costs a moment, never a workflow."""

import logging
import time

from celery import Task
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from orchestrator.workflow import Publication
from tasks.canvas import alone, canvas
from tasks.queues import queue_of

log = logging.getLogger("orchestrator")

FEW = 20
"""Messages that a client may be kept waiting for (some 10 ms)."""

REST = 2.0
"""Seconds without a try after a failed one: a start must not wait for a broker that is known to be away."""


class Dispatch:
    """Publishes through `step_task`; safe to call from any thread.

    With `at_once`, a publication of more messages than that is left to a worker: one message asks it to send them.
    """

    def __init__(self, step_task: Task, *, at_once: int | None = None) -> None:
        self._step_task = step_task
        self._at_once = at_once
        self._rests_until = 0.0

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
        except (KombuError, RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST
            log.warning("the broker cannot be reached, messages will be sent later: %s", error)

    def _send(self, publication: Publication) -> None:
        ids = {"workflow_id": publication.workflow_id, "workflow_type": publication.workflow_type}
        task, priority = self._step_task, publication.priority
        for fragment in publication.fragments:
            canvas(fragment, **ids, step_task=task, priority=priority).apply_async()
        for step in publication.steps:
            alone(step, **ids, step_task=task, priority=priority).apply_async()


def _messages(publication: Publication) -> int:
    return len(publication.steps) + sum(len(fragment.heads) for fragment in publication.fragments)
