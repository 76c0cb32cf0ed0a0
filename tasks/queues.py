"""The queues, one a priority, and the order in which a worker takes from them.

The broker's own priorities would need other numbers for it, and all of a workflow's canvas to carry them; a queue is a
name that Celery's tools show, that a worker can be given alone (`-Q`), and that an autoscaler can count.
"""

from kombu.utils.scheduling import priority_cycle

from celeryconfig import task_default_queue
from orchestrator.priority import Priority

_AHEAD, _BEHIND = ".high", ".low"
_ENDINGS = {Priority.HIGH: _AHEAD, Priority.NORMAL: "", Priority.LOW: _BEHIND}


def queue_of(priority: Priority, usual: str = task_default_queue) -> str:
    """The queue of a priority, beside the one called `usual`."""
    return usual + _ENDINGS[priority]


def queues(usual: str = task_default_queue) -> list[str]:
    """All of them, the most urgent first."""
    return [queue_of(priority, usual) for priority in Priority]


class UrgentFirst(priority_cycle):
    """kombu's order of queues (`queue_order_strategy`): what is urgent goes first, always.

    kombu itself has an order by name, and one "by priority" that is the order of a set.
    """

    def consume(self, n: int) -> list[str]:
        """The first so many."""
        return sorted(self.items, key=_urgency)[:n]


def _urgency(queue: str) -> int:
    if queue.endswith(_AHEAD):
        return Priority.HIGH
    return Priority.LOW if queue.endswith(_BEHIND) else Priority.NORMAL
