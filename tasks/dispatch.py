"""Sending what the ledger says is ready. A broker that is away costs a moment, never a workflow."""

import logging
import time
from collections.abc import Sequence

from celery import Task
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

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
    `by_pattern`, for who starts many workflows of few definitions, their messages are filled in.
    """

    def __init__(self, step_task: Task, *, at_once: int | None = None, by_pattern: bool = False) -> None:
        self._step_task = step_task
        self._at_once = at_once
        self._rests_until = 0.0
        self._pusher = Pusher(step_task.app) if by_pattern else None
        self._patterns: dict[tuple[str, Priority, Fragment], Pattern | None] = {}

    def __call__(self, publication: Publication) -> None:
        """Send the messages, after the transaction that made them ready is committed.

        What cannot be sent stays ready in the ledger, where the reconciler finds it a few seconds later.
        """
        self.send([publication])

    def send(self, publications: Sequence[Publication]) -> None:
        """The same for several."""
        if not any(publications) or time.monotonic() < self._rests_until:
            return
        try:
            filled: dict[str, list[str]] = {}
            for publication in publications:
                self._send(publication, filled)
            for queue, messages in filled.items():
                assert self._pusher is not None, "patterns are filled in for it"
                self._pusher.push(queue, messages)
        except (KombuError, RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST
            log.warning("the broker cannot be reached, messages will be sent later: %s", error)

    def _send(self, publication: Publication, filled: dict[str, list[str]]) -> None:
        """Send what Celery has to send; what is made by a pattern is added to `filled`, by its queue."""
        if self._at_once is not None and _messages(publication) > self._at_once:
            shadow = f"{publication.workflow_type} (sending)"
            arguments, queue = (publication.workflow_id,), queue_of(publication.priority)
            self._step_task.app.send_task("orchestrator.send", arguments, shadow=shadow, queue=queue)
            return
        for fragment in publication.fragments:
            pattern = self._pattern(publication, fragment)
            if pattern is not None:
                filled.setdefault(pattern.queue, []).append(pattern.filled(publication.workflow_id))
        ids = {"workflow_id": publication.workflow_id, "workflow_type": publication.workflow_type}
        for step in publication.steps:
            alone(step, **ids, step_task=self._step_task, priority=publication.priority).apply_async()

    def _pattern(self, publication: Publication, fragment: Fragment) -> Pattern | None:
        """What the fragment's message is to be made by; None where Celery has sent it."""
        known = publication.workflow_type, publication.priority, fragment
        if self._patterns.get(known) is not None and not others_listen():
            return self._patterns[known]
        ids = {"workflow_id": publication.workflow_id, "workflow_type": publication.workflow_type}
        drawn = canvas(fragment, **ids, step_task=self._step_task, priority=publication.priority)
        with overheard() as sent:
            drawn.apply_async()
        if self._pusher is not None and known not in self._patterns:
            words = " ".join((publication.workflow_type, *fragment.steps))
            while len(self._patterns) >= MOST_PATTERNS:
                self._patterns.pop(next(iter(self._patterns)), None)
            self._patterns[known] = pattern_of(sent, publication.workflow_id, words)
        return None


def _messages(publication: Publication) -> int:
    return len(publication.steps) + sum(len(fragment.heads) for fragment in publication.fragments)
