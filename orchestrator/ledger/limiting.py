"""Claiming a step whose calls are limited: it gets a slot and is taken, or it is parked, in one transaction.

Steps without a limit never come here. A limit is what the step's definition says, else what was set for the host that
it calls; a step that has a limit of its own stands under that one alone.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from sqlalchemy import Connection, bindparam, delete, select

from orchestrator.definition import Call, Definition
from orchestrator.errors import ExpressionError, Unavailable
from orchestrator.expressions import Template
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Ledger, Made, log_all
from orchestrator.ledger.materials import Gathering, Materials
from orchestrator.ledger.scopes import Key, ReadSteps
from orchestrator.ledger.slots import MOMENT, STALE, Gate
from orchestrator.ledger.tables import limits, slots
from orchestrator.limits import Allowance
from orchestrator.moments import iso
from orchestrator.moves.claiming import Claimed, Refusal, claim
from orchestrator.moves.limiting import BACKSTOP, hold_back
from orchestrator.moves.settling import fail_without_call
from orchestrator.outcome import StepError
from orchestrator.rendering import text_of
from orchestrator.shares import Shares
from orchestrator.workflow import Publication, Workflow

LONGEST_KEY = 200
PATIENCE = 15.0
"""Seconds for which a claim is made again while the database is away. Later the reconciler brings the step again."""

FORGOTTEN_AFTER = 86_400.0
"""Seconds after which a limit that no call has changed, and that nobody set, is deleted: keys may be many."""

FORGETS_EVERY = 600.0


class Limiter:
    """Gives slots to the steps that a worker's threads bring. Every worker process has one.

    `hosts` are those that somebody set a limit for; `learn_hosts` reads them anew.
    """

    def __init__(
        self, ledger: Ledger, worker: str, hurry: Callable[[], None] = lambda: None, shares: Shares | None = None
    ) -> None:
        self._ledger = ledger
        self._worker = worker
        self._hurry = hurry
        self._shares = shares
        self._hosts: frozenset[str] = frozenset()
        self._held: set[Key] = set()
        self._lock = threading.Lock()
        self._forgets_at = 0.0
        ledger.limited = self.needs_slot

    def needs_slot(self, call: Call) -> bool:
        """Whether the call is limited, or may be: where it goes is not known before it is filled in."""
        if call.limit is not None:
            return True
        if not self._hosts:
            return False
        host = known_host(call.target_url, self._ledger.variables)
        return host is None or host in self._hosts

    def claim(self, workflow_id: str, step: str) -> Made[Materials | Refusal]:
        """Take the step with a slot, park it until it has one, or say why neither may be."""
        give_up_at, again = time.monotonic() + PATIENCE, False
        while True:
            with self._lock:
                held = (workflow_id, step) in self._held
            if again and held:
                return Made(Refusal.HELD, Publication(workflow_id, ""))
            try:
                made = self._claim(workflow_id, step, again=again)
            except Unavailable:
                # The commit may have gone through: the next try finds the step taken in this worker's name.
                again = True
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.5)
                continue
            if isinstance(made.reply, Materials):
                with self._lock:
                    self._held.add((workflow_id, step))
                if self._shares is not None:
                    self._shares.take((workflow_id, step), made.reply.call)
            elif made.reply is Refusal.PARKED:
                self._hurry()
            return made

    def forget(self, materials: Materials) -> None:
        """The attempt is over that had come this way and needed no slot."""
        self._held.discard((materials.workflow_id, materials.step.name))

    def give_back(self, materials: Materials, good: bool | None) -> None:
        """The attempt is over: its slot is free, and who waited longest is woken.

        Where the ledger cannot be reached nothing is lost: a slot whose attempt is over is found by `tidy`.
        """
        key = (materials.workflow_id, materials.step.name)
        with self._lock:
            self._held.discard(key)
        assert materials.slot is not None, "only who has a slot gives it back"
        with self._ledger.database.transaction() as connection:
            gate = Gate(connection, materials.slot, self._ledger.database.now(connection))
            gate.leave(*key, attempt=materials.attempt)
            gate.learn(good)
            woken = gate.next_turns()
            gate.close()
        if woken:
            self._hurry()

    def tidy(self) -> float:
        """A round: learn which hosts are limited, free what nobody holds, wake whose turn it is. Seconds to the next.

        Any number of workers may do so at the same time: they meet at the lock of each limit's row.
        """
        with self._ledger.database.reading() as connection:
            now = self._ledger.database.now(connection)
            self._hosts = frozenset(connection.execute(_SET).scalars())
            keys = [*connection.execute(_TO_TIDY, {"now": now}).scalars()]
        woken = [key for key in sorted(keys) if self._tidy(key)]
        if woken:
            self._hurry()
        if now > self._forgets_at:
            self._forgets_at = now + FORGETS_EVERY
            with self._ledger.database.transaction() as connection:
                connection.execute(_UNUSED, {"before": now - FORGOTTEN_AFTER})
        return 1.0

    def _tidy(self, key: str) -> bool:
        with self._ledger.database.transaction() as connection:
            gate = Gate(connection, key, self._ledger.database.now(connection))
            gate.tidy()
            woken = gate.next_turns()
            gate.close()
            return woken

    def _claim(self, workflow_id: str, step: str, *, again: bool) -> Made[Materials | Refusal]:
        with self._ledger.database.transaction() as connection:
            move = ClaimSlot(workflow_id, step, self._worker, connection, self._ledger.variables, self._hosts, again)
            [made], workflows = self._ledger.make_in(connection, [move], context=True)
        log_all(workflows)
        return Made(made.reply or Refusal.UNKNOWN, made.publication)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The limit that a call is under; with None for the allowance, what was set for the key."""

    key: str
    allowance: Allowance | None


@dataclass(frozen=True, slots=True)
class ClaimSlot:
    """The move: made under the workflow's lock, it takes that of the limit's row as well."""

    workflow_id: str
    step: str
    worker: str
    connection: Connection
    variables: Mapping[str, str]
    hosts: Collection[str] = field(default_factory=frozenset)
    again: bool = False

    def touches(self, definition: Definition) -> Collection[str]:
        """The step itself."""
        return (self.step,)

    def make(self, workflow: Workflow, now: float) -> Materials | Refusal:
        """See the module."""
        taken = claim(workflow, self.step, self.worker, now, again=self.again)
        if isinstance(taken, Claimed):
            return self._again(workflow, taken)
        if taken is not Refusal.LIMITED:
            return taken
        step = workflow.step(self.step)
        materials = self._materials(workflow, Claimed(step, step.attempts + 1, now, 0.0))
        try:
            wanted = self._wanted(materials)
        except ExpressionError as error:
            fail_without_call(workflow, step, StepError("expression", str(error)), now)
            return Refusal.UNUSABLE
        if wanted is None:
            return self._take(workflow, materials, now)
        return self._through(workflow, materials, wanted, now)

    def _through(self, workflow: Workflow, materials: Materials, wanted: Wanted, now: float) -> Materials | Refusal:
        gate = Gate(self.connection, wanted.key, now)
        if wanted.allowance is not None:
            gate.allow(wanted.allowance)
        elif gate.set_by is None:
            return self._take(workflow, materials, now)  # it was deleted a moment ago
        at = gate.ask(workflow.head.id, self.step, workflow.head.priority)
        if at is None or at > now + MOMENT:
            hold_back(
                workflow,
                workflow.step(self.step),
                wanted.key,
                now + BACKSTOP if at is None else at,
                circuit=gate.gauge.open_until is not None,
            )
            gate.close()
            return Refusal.PARKED
        taken = self._take(workflow, replace(materials, slot=wanted.key), now)
        if isinstance(taken, Materials):
            gate.hold(workflow.head.id, self.step, taken.attempt)
        else:
            gate.leave(workflow.head.id, self.step)
        gate.close()
        return taken

    def _take(self, workflow: Workflow, materials: Materials, now: float) -> Materials | Refusal:
        taken = claim(workflow, self.step, self.worker, now, slot=True)
        if not isinstance(taken, Claimed):
            return taken
        return replace(materials, attempt=taken.attempt, timeout=taken.timeout)

    def _again(self, workflow: Workflow, taken: Claimed) -> Materials:
        """It had been taken, and the answer to that was lost: with the slot that it was given."""
        key = self.connection.execute(
            select(slots.c.key).where(slots.c.workflow_id == self.workflow_id, slots.c.step == self.step)
        ).scalar_one_or_none()
        return replace(self._materials(workflow, taken), slot=key)

    def _materials(self, workflow: Workflow, claimed: Claimed) -> Materials:
        gathering = Gathering(workflow, claimed)
        return gathering.with_steps(ReadSteps(self.connection, gathering.keys))

    def _wanted(self, materials: Materials) -> Wanted | None:
        """The limit that the call is under. Raises ExpressionError where its key cannot be worked out."""
        limit, scope = materials.call.limit, _scope(materials, self.variables)
        if limit is None:
            host = host_of(materials.call.target_url, scope)
            return Wanted(host, None) if host is not None and host in self.hosts else None
        if limit.key is None:
            return Wanted(host_of(materials.call.target_url, scope) or "nowhere", limit.allowance)
        return Wanted(checked_key(text_of(limit.key.render(scope), "limit.key")), limit.allowance)


def checked_key(key: str) -> str:
    """A key as it can be shown and named in a URL; raises ExpressionError where it is none."""
    if not is_key(key):
        raise ExpressionError(f"limit.key must be 1 to {LONGEST_KEY} visible ASCII characters without / ? # % or \\")
    return key


def is_key(key: str) -> bool:
    """Whether a text may be the key of a limit."""
    return 0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable() and not set(key) & set(" /?#%\\")


def host_of(url: Template, scope: Mapping[str, Json]) -> str | None:
    """The host that a URL leads to, with its port where one is written; None where that cannot be said.

    Secrets and sensitive fields are not read: a key is shown to whoever may see limits.
    """
    hidden = {**scope, "secret": dict.fromkeys(url.references.secrets, "hidden")}
    try:
        return urlsplit(text_of(url.render(hidden), "targetUrl")).netloc.lower().rpartition("@")[2] or None
    except (ExpressionError, ValueError):
        return None


def known_host(url: Template, variables: Mapping[str, str]) -> str | None:
    """The host, where nothing of a workflow has to be read for it."""
    if url.references.roots - {"vars", "secret"}:
        return None
    return host_of(url, {"vars": variables})


def _scope(materials: Materials, variables: Mapping[str, str]) -> dict[str, Json]:
    return {
        "context": materials.context,
        "steps": materials.steps,
        "workflow": {
            "id": materials.workflow_id,
            "type": materials.definition.type,
            "createdAt": iso(materials.created_at),
        },
        "vars": variables,
    }


_SET = select(limits.c.key).where(limits.c.set_by.is_not(None))
_UNUSED = delete(limits).where(
    limits.c.set_by.is_(None),
    limits.c.used_at < bindparam("before"),
    limits.c.key.not_in(select(slots.c.key)),
)
_TO_TIDY = select(slots.c.key).where(slots.c.begins_at.is_(None) | STALE).distinct()
