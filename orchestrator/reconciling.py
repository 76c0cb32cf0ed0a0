"""One round of the reconciler: find what should be moving and is not, and send it again."""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from orchestrator.errors import Unavailable
from orchestrator.ledger import Ledger
from orchestrator.ledger.due import BATCH, Due, Sent, due, first_sent, put_off, set_aside
from orchestrator.ledger.scopes import Key
from orchestrator.moves.advancing import GRACE
from orchestrator.moves.move import Look
from orchestrator.priority import Priority
from orchestrator.workflow import Publication

log = logging.getLogger("orchestrator")

LONGEST = 60.0
"""Seconds that a queued step is put off at most."""

JUST_TAKEN = 2.0
"""Seconds: a message that was sent so little before the oldest in the queue was taken just now, maybe by another worker
that has not claimed its step yet. More in a long queue (`_margin`)."""

LEFT = 10.0
"""Seconds for which others may look at what this worker cannot: several rounds of theirs."""

ROWS_OF_ONE = 5
"""Rows of a workflow that are due at once, as a rule: a round takes so many more for each that is left."""


class Queue(Protocol):
    """What the reconciler asks about messages that were sent."""

    def oldest(self) -> Collection[Key]:
        """The steps whose messages have waited longest in the queue; raises Unavailable where that cannot be seen."""

    def in_hand(self) -> Collection[Key]:
        """The steps whose messages this worker has taken from the queue, begun or not."""


class Left:
    """Workflows that this worker cannot look at (a definition of a newer release, a bug), left to those that can.

    For `LEFT` seconds nobody is kept from them: beside a worker of the newer release they go on at once. One that is
    still due then is set aside, as nobody else is there. Not to be shared by threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def rests(self, workflow_id: str) -> bool:
        """Whether it is not this worker's turn to try it again."""
        since = self._since.get(workflow_id)
        return since is not None and self._clock() - since < LEFT

    def leave(self, workflow_id: str) -> bool:
        """It cannot be looked at. False where it was left before, in vain: then it is forgotten here."""
        if self._since.pop(workflow_id, None) is not None:
            return False
        self._since[workflow_id] = self._clock()
        return True

    def keep(self, due_now: Collection[str]) -> None:
        """Forget those that others have looked at meanwhile."""
        self._since = {workflow_id: at for workflow_id, at in self._since.items() if workflow_id in due_now}


@dataclass(frozen=True, slots=True)
class Looked:
    """How many rows were due, and how many of them are ready steps whose messages merely wait their turn."""

    rows: int = 0
    queued: int = 0


def reconcile(ledger: Ledger, queue: Queue, publish: Callable[[Publication], None], left: Left | None = None) -> Looked:
    """Look at what is due. Any number of workers may do so at the same time.

    `left` is the same in all rounds of a worker.
    """
    left = Left() if left is None else left
    found = due(ledger, limit=BATCH + ROWS_OF_ONE * len(left))
    left.keep({look.workflow_id for look in found.looks})
    if not found.looks:
        return Looked()
    passed_over = _merely_queued(ledger, queue, found) if found.sent else set()
    by_workflow: dict[str, list[Look]] = {}
    for look in found.looks:
        if look not in passed_over and not left.rests(look.workflow_id):
            by_workflow.setdefault(look.workflow_id, []).append(look)
    for together in by_workflow.values():
        _look(ledger, together, publish, left)
    return Looked(len(found.looks), len(passed_over))


def _look(ledger: Ledger, together: list[Look], publish: Callable[[Publication], None], left: Left) -> None:
    """At one workflow, in a transaction of its own: hundreds of rows due must not hold up the others' locks."""
    workflow_id = together[0].workflow_id
    try:
        made = ledger.make(together)
    except Unavailable:
        raise
    except Exception:
        if left.leave(workflow_id):
            log.warning("workflow %s cannot be looked at here: it is left to others for %g s", workflow_id, LEFT)
            return
        # Always among the oldest that are due, it would take a place in every round of every worker.
        log.exception("workflow %s cannot be looked at; again in %g s", workflow_id, LONGEST)
        set_aside(ledger, together, LONGEST)
        return
    for one in made:
        publish(one.publication)


def _merely_queued(ledger: Ledger, queue: Queue, found: Due) -> set[Look]:
    """The ready steps that are no loss: their message is in this worker's hands, or behind one that is still queued.

    Those are put off, for longer the longer the queue is; that Redis was wiped meanwhile is noticed otherwise. While
    the broker cannot be asked nothing is lost for sure, and nothing could be sent: all are put off. The queue is looked
    at before the hands, as messages go from one to the other. A message is behind those of its own priority only.
    """
    try:
        oldest = queue.oldest()
    except Unavailable:
        for priority in Priority:
            put_off(ledger, GRACE, sent=Sent(0.0, priority))
        return set(found.sent)
    in_hand = queue.in_hand()
    if in_hand:
        put_off(ledger, GRACE, keys=in_hand)
    firsts, now = first_sent(ledger, oldest)
    passed_over = {look for look in found.sent if (look.workflow_id, look.step) in set(in_hand)}
    for priority, waiting_since in firsts.items():
        # Where all that was at the head of the queue was claimed between two looks, the queue moves: where to, the next
        # round will see.
        age = 0.0 if waiting_since is None else now - waiting_since
        since = 0.0 if waiting_since is None else waiting_since - _margin(age)
        put_off(ledger, min(max(GRACE, 3 * age), LONGEST), sent=Sent(since, priority))
        passed_over |= {look for look, sent in found.sent.items() if sent.priority is priority and sent.at >= since}
    return passed_over


def _margin(age: float) -> float:
    """How much earlier than the oldest message, which has waited for `age`, one was sent that may just have been taken.

    A start of many has one time for all its messages, and takes seconds to send them: in a long queue they lie among
    those that were sent later. In a short one a loss must be seen soon.
    """
    return min(max(JUST_TAKEN, age / 10), GRACE)
