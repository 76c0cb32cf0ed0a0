"""Starts of many threads in few transactions; on PostgreSQL each of these transactions is one statement.

What is ordinary goes this way: a start at once, of a version that this process has seen in the ledger. Everything else,
and whatever finds that something is otherwise than it thought, goes the long way, alone (`starting.start`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError

from orchestrator.beginning import AT_ONCE
from orchestrator.definition import Definition
from orchestrator.errors import OrchestratorError, StartKeyReused
from orchestrator.jsontype import Json
from orchestrator.ledger.at_once import insert_at_once
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.starting import (
    Start,
    Started,
    existing_in,
    first_event,
    log_started,
    new_id,
    start,
    start_in,
    workflow_row,
)
from orchestrator.moves.starting import first_steps
from orchestrator.together import Together
from orchestrator.workflow import Publication

MOST = 50
"""Starts in one transaction at most: all of them wait for it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    definition: Definition
    wanted: Start

    def row(self, workflow_id: str) -> dict[str, Json]:
        """Its row, with its first event."""
        first = first_event(self.definition, self.wanted)
        row = workflow_row(workflow_id, self.definition, self.wanted, 0.0)
        return row | {"event": first.type, "details": first.details}

    def publication(self, workflow_id: str) -> Publication:
        """What is to be sent for the new workflow."""
        _, publication = first_steps(workflow_id, self.definition, 0.0)
        return replace(publication, priority=self.wanted.urgency(self.definition))


class Starter:
    """Starts workflows for any number of threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._together = Together(self._write, MOST)

    def start(self, definition: Definition, wanted: Start) -> Started:
        """As `starting.start`: once this returns, the workflow will run to its end. Raises StartKeyReused."""
        asked = _Asked(definition, wanted)
        if not self._is_ordinary(asked):
            return start(self._ledger, definition, wanted)
        reply = self._together(asked)
        if isinstance(reply, OrchestratorError):
            raise reply
        if reply is None:
            return start(self._ledger, definition, wanted)
        if not reply.existed:
            log_started(reply, definition, wanted)
        return reply

    def _is_ordinary(self, asked: _Asked) -> bool:
        return asked.wanted.beginning == AT_ONCE and self._ledger.definitions.knows(asked.definition)

    def _write(self, batch: Sequence[_Asked]) -> list[Started | StartKeyReused | None]:
        """What came of each; None for those that have to go the long way."""
        try:
            return self._one_statement(batch) if self._ledger.database.postgresql else self._one_transaction(batch)
        except IntegrityError:
            # A version, long unused, was deleted since this process saw it.
            for asked in batch:
                self._ledger.definitions.forget(asked.definition)
            return [None] * len(batch)

    def _one_statement(self, batch: Sequence[_Asked]) -> list[Started | StartKeyReused | None]:
        ids = [new_id() for _ in batch]
        rows = [asked.row(workflow_id) for workflow_id, asked in zip(ids, batch, strict=True)]
        definitions = {asked.definition.version: asked.definition for asked in batch}
        with self._ledger.database.single() as connection:
            written = insert_at_once(connection, rows, definitions.values())
        return [
            Started(workflow_id, asked.publication(workflow_id)) if workflow_id in written else None
            for workflow_id, asked in zip(ids, batch, strict=True)
        ]

    def _one_transaction(self, batch: Sequence[_Asked]) -> list[Started | StartKeyReused | None]:
        """On SQLite, whose one writer nobody comes in between of."""
        replies: list[Started | StartKeyReused | None] = []
        with self._ledger.database.transaction() as connection:
            for asked in batch:
                try:
                    found = (
                        None if asked.wanted.key is None else existing_in(connection, asked.definition, asked.wanted)
                    )
                except StartKeyReused as refusal:
                    replies.append(refusal)
                else:
                    replies.append(found or start_in(self._ledger, connection, asked.definition, asked.wanted))
        return replies
