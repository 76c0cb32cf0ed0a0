"""Celery's consumer, which no message can end, and which is back a moment after its broker is.

A message that cannot be understood is dropped, and the log says so. Celery 5.7.0 takes messages apart outside of any
guard. A body that is no triple, a header of another type than Celery's own: each raises out of the consumer, which ends
the worker. On its way out the worker gives the message back, so that the next one meets it again. Who may write to
Redis, by mistake or an older program, must not be able to stop the work.
"""

import logging
from collections.abc import Callable
from functools import partial

from celery.worker.consumer import Consumer
from kombu.connection import Connection
from kombu.message import Message

from orchestrator.jsontype import Json

log = logging.getLogger("orchestrator")

NOT_UNDERSTOOD = (TypeError, ValueError, LookupError, AttributeError)
"""What taking a message apart raises where it is put together otherwise than Celery's own are."""


TRY_EVERY = 1.0
"""Seconds between two tries to reach a broker that is away. Celery waits 2 s longer each time, up to 30 s."""


class SturdyConsumer(Consumer):  # type: ignore[misc]  # Celery has no annotations: its classes are Any
    """A consumer that outlives every message and every broker."""

    def create_task_handler(self, *arguments: Json, **options: Json) -> Callable[[Message], None]:
        """Celery's own handler of messages, inside a guard."""
        receive = super().create_task_handler(*arguments, **options)

        def on_task_received(message: Message) -> None:
            try:
                receive(message)
            except NOT_UNDERSTOOD as error:
                # Neither body nor headers: they are whoever wrote them's, and may hold anything.
                log.error("a message that cannot be understood was dropped: %s", type(error).__name__)
                message.reject_log_error(log, self.connection_errors)  # type: ignore[no-untyped-call]  # kombu's

        return on_task_received

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, however long it takes. Celery has no setting for how long it waits between two tries."""
        patiently = partial(conn.ensure_connection, interval_start=TRY_EVERY, interval_step=0)
        conn.ensure_connection = patiently  # type: ignore[method-assign]  # to replace it is the point
        connected: Connection = super().ensure_connected(conn)
        return connected
