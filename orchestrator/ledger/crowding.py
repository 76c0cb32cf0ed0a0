"""Steps that are sent aside for their host's share of a worker (`orchestrator.shares`): whose, and who comes back."""

import re
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import select, tuple_, update

from orchestrator.definition import NO_CALL, Call
from orchestrator.errors import ExpressionError
from orchestrator.expressions import compile_template
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.limiting import known_host
from orchestrator.ledger.scopes import Key
from orchestrator.ledger.tables import steps
from orchestrator.shares import Shares
from orchestrator.states import StepStatus, Waiting

IDLE, BUSY = 1.0, 0.2
"""Seconds between two rounds: as a rule, and while somebody was called back a moment ago."""

MOST_KNOWN = 10_000
"""Addresses whose hosts are remembered: a start may bring a definition of its own."""

_UP_TO_HOST = re.compile(r"(?:[a-z]+://)?(?:\$\{[^}]*\}|[^/?#$])*", re.IGNORECASE)
"""What of a step's address says where it leads; the rest may be another one for each workflow."""


class Hosts:
    """The host that a call goes to, as far as its definition says; else the expression that names it."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._known: dict[str, str] = {}

    def __call__(self, call: Call) -> str | None:
        """See the class; None for a step that makes no call."""
        if call is NO_CALL:
            return None
        address = str(call.target_url.source)
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = self._known[address] = self._host(address)
        return found

    def _host(self, address: str) -> str:
        matched = _UP_TO_HOST.match(address)
        beginning = matched.group() if matched else address
        try:
            return known_host(compile_template(beginning), self._variables) or beginning
        except ExpressionError:
            return beginning


class Crowding:
    """Calls back those whose turn has come; `hurry` is told of that. No statement is made while none waits."""

    def __init__(self, ledger: Ledger, shares: Shares, hurry: Callable[[], None]) -> None:
        self._ledger = ledger
        self._shares = shares
        self._hurry = hurry

    def round(self) -> float:
        """Seconds to the next."""
        keys = self._shares.call_back()
        if not keys:
            return BUSY if self._shares.has_lines else IDLE
        call_back(self._ledger, keys)
        self._hurry()
        return BUSY


def call_back(ledger: Ledger, keys: Collection[Key]) -> None:
    """Look at those of these steps now that were sent aside. A row that somebody changes just now is passed over: it
    comes by its own time."""
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        here = tuple_(steps.c.workflow_id, steps.c.name)
        aside = (steps.c.status == StepStatus.WAITING.value, steps.c.waiting_for == Waiting.SHARE.value)
        free = (
            select(steps.c.workflow_id, steps.c.name)
            .where(here.in_(sorted(keys)), *aside, steps.c.wake_at > now)
            .with_for_update(skip_locked=True)
        )
        connection.execute(update(steps).where(here.in_(free)).values(wake_at=now))
