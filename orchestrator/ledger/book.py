"""The ledger as its callers hold it: moves in, replies and what is to be published out, one transaction for all."""

import logging
import time
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from orchestrator import meters
from orchestrator.changes import log_changes
from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger.definitions import Definitions
from orchestrator.ledger.engine import Database
from orchestrator.ledger.outputs import output_of
from orchestrator.ledger.rows import Rows
from orchestrator.moves.move import Move
from orchestrator.states import WorkflowStatus
from orchestrator.workflow import Head, Limited, Publication, SentAside, Workflow, limited, never_aside

log = logging.getLogger("orchestrator")

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Made(Generic[Reply]):
    """A move that is committed: what it replied (None where there is no such workflow), and what it wants sent."""

    reply: Reply | None
    publication: Publication


class Ledger:
    """The tables, and the only code that writes them.

    `variables` are what `${vars.NAME}` reads in outputs; `destinations` says at how many places ops are told; `limited`
    says which calls need a slot (a worker's `limiting.Limiter` knows more of that than definitions do), `aside` which
    have to wait, as their host has its share of the worker.
    """

    def __init__(
        self, database: Database, variables: Mapping[str, str] | None = None, *, destinations: int = 0
    ) -> None:
        self.database = database
        self.definitions = Definitions()
        self.variables = dict(variables or {})
        self.destinations = destinations
        self.limited: Limited = limited
        self.aside: SentAside = never_aside

    def on(self, database: Database) -> "Ledger":
        """The same ledger through other connections."""
        other = copy(self)
        other.database = database
        return other

    def make(self, moves: Sequence[Move[Reply]], *, patience: float = 0.0) -> list[Made[Reply]]:
        """Apply the moves, in their order, in one transaction; for `patience` seconds while the database is away.

        A try whose commit went through although its answer was lost is harmless: the next one finds the work done.
        """
        give_up_at = time.monotonic() + patience
        pause = 0.05
        while True:
            try:
                with self.database.transaction() as connection:
                    made, workflows = self.make_in(connection, moves)
                log_all(workflows)
                return made
            except Unavailable:
                if time.monotonic() + pause > give_up_at:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def make_in(
        self, connection: Connection, moves: Sequence[Move[Reply]], *, context: bool = False
    ) -> tuple[list[Made[Reply]], dict[str, Workflow]]:
        """Apply the moves in the caller's transaction; also gives back the workflows they were made on.

        With `context` those come with what their requests are made of. The caller logs them (`log_all`) once its
        transaction is committed.
        """
        rows = Rows(connection)
        heads, now = rows.lock({move.workflow_id for move in moves}, context=context)
        workflows = self._open(rows, heads, moves)
        made = [_make(move, workflows.get(move.workflow_id), now) for move in moves]
        self._record(rows, list(workflows.values()), now)
        return made, workflows

    def _open(self, rows: Rows, heads: Sequence[Head], moves: Sequence[Move[Reply]]) -> dict[str, Workflow]:
        """The locked workflows with the steps that the moves will need, fetched with one query."""
        workflows: dict[str, Workflow] = {}
        for head in heads:
            definition = self.definitions.get(rows.connection, head.version)
            workflows[head.id] = Workflow(head, definition, rows.loader(head.id), self.limited, self.aside)
        keys = {
            (move.workflow_id, step)
            for move in moves
            if move.workflow_id in workflows
            for step in move.touches(workflows[move.workflow_id].definition)
        }
        if keys:
            for workflow_id, found in rows.named(keys).items():
                workflows[workflow_id].have(found)
        return workflows

    def _record(self, rows: Rows, workflows: list[Workflow], now: float) -> None:
        rows.write_steps(workflows)
        outputs: dict[str, Json] = {}
        for workflow in workflows:
            if workflow.head.status is WorkflowStatus.COMPLETED and workflow.definition.output is not None:
                outputs[workflow.head.id] = output_of(rows.connection, workflow, self.variables)
        # After the outputs: where one cannot be made, an event says so.
        rows.write_events(workflows, now, self.destinations)
        heads = [workflow.head for workflow in workflows if workflow.head_changed]
        rows.wake_parents([head for head in heads if head.final], now)
        rows.write_heads(heads, outputs)


def log_all(workflows: Mapping[str, Workflow]) -> None:
    """A line for each change of state that was committed; who counts them is told as well."""
    for workflow in workflows.values():
        try:
            log_changes(workflow.head.id, workflow.head.type, workflow.events)
            meters.moved(workflow)
        except Exception as error:
            # It is committed: whoever made the move must hear that, and not make it once more.
            log.error("changes of workflow %s were not told of: %s", workflow.head.id, type(error).__name__)


def _make(move: Move[Reply], workflow: Workflow | None, now: float) -> Made[Reply]:
    if workflow is None:
        return Made(None, Publication(move.workflow_id, ""))
    reply = move.make(workflow, now)
    return Made(reply, workflow.take_publication())
