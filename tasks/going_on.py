"""Whether a worker may take a workflow's next step without waiting for its message.

Not where somebody watches Celery's events (Flower, `-E`): there every step is a task of its own. Not once the worker
was told to stop: another one goes on. And only in a process that consumes messages itself and so hears of both, not in
the children of a prefork pool.
"""

import os

from celery.signals import worker_ready, worker_shutting_down
from celery.worker.consumer import Consumer

_consumers: dict[int, Consumer] = {}


def may_go_on() -> bool:
    """Asked by any thread after each outcome."""
    consumer = _consumers.get(os.getpid())
    return consumer is not None and not _sends_task_events(consumer)


def _sends_task_events(consumer: Consumer) -> bool:
    """Now: remote control turns them on and off. No groups means all of them."""
    events = consumer.event_dispatcher
    return events is not None and events.enabled and (not events.groups or "task" in events.groups)


@worker_ready.connect
def _begin(sender: Consumer, **_: object) -> None:
    _consumers[os.getpid()] = sender


@worker_shutting_down.connect
def _stop(**_: object) -> None:
    _consumers.clear()
