"""A ledger on a real database, and an actor who plays client and workers: no Celery, no services, time that passes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select, update

from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from orchestrator.ledger.orders import order
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import definitions, deliveries, events, notices, schedules, steps, workflows
from orchestrator.moves.move import Claim, Control, Look, Settle
from orchestrator.outcome import Completed, Failed, Outcome, StepError
from orchestrator.reading import read_document
from orchestrator.states import Effect

DONE = Completed({"card": "a-result"}, 200)
REFUSED = Failed(StepError("http", "answered 402 Payment Required", 402), Effect.NONE, retryable=False)
_TIMES = {
    workflows: "created_at completed_at deadline_at wake_at",
    steps: "started_at attempt_at completed_at wake_at sent_at",
    events: "at",
    notices: "created_at due_at told_at",
    deliveries: "created_at due_at delivered_at",
    schedules: "created_at anchor next_at last_at",
}


class Play:
    """What happens to workflows, told move by move. `database_url` opens more ledgers on the same database."""

    def __init__(self, database_url: str, *, destinations: int = 1) -> None:
        self.database_url = database_url
        self._ledgers: list[Ledger] = []
        self.ledger = self.another_ledger(destinations)
        migrate(self.ledger.database)

    def another_ledger(self, destinations: int = 1) -> Ledger:
        """As another process would open it."""
        self._ledgers.append(Ledger(Database(self.database_url), destinations=destinations))
        return self._ledgers[-1]

    def close(self) -> None:
        """Close every connection."""
        for ledger in self._ledgers:
            ledger.database.close()

    def start(self, steps_: Mapping[str, Json] | None = None, *, key: str | None = None, **top: Json) -> str:
        """A workflow whose steps call services of their own names; the one step `only` where none are given."""
        whole = {name: {"targetUrl": f"http://s/{name}", **step} for name, step in (steps_ or {"only": {}}).items()}
        definition = read_document({"type": "order", "steps": whole, **top})
        return start(self.ledger, definition, Start({"pin": "a-context"}, key=key, body_hashes=("same",))).workflow_id

    def step(self, workflow_id: str, name: str, outcome: Outcome = DONE) -> None:
        """A worker takes the step, and this comes of it."""
        self.ledger.make([Claim(workflow_id, name, "worker-1")])
        attempts = next(row["attempts"] for row in self.rows(steps, workflow_id) if row["name"] == name)
        self.ledger.make([Settle(workflow_id, name, attempts, outcome, 0.5)])

    def failed(self, **top: Json) -> str:
        """A workflow that has failed at its only step."""
        workflow_id = self.start(**top)
        self.step(workflow_id, "only", REFUSED)
        return workflow_id

    def completed(self, **top: Json) -> str:
        """A workflow that has completed."""
        workflow_id = self.start(**top)
        self.step(workflow_id, "only")
        return workflow_id

    def look(self, workflow_id: str) -> None:
        """The reconciler looks at its deadline."""
        self.ledger.make([Look(workflow_id)])

    def order(self, workflow_id: str, verb: str) -> None:
        """What a person orders."""
        order(self.ledger, Control(workflow_id, verb, "ada"))

    def pass_time(self, seconds: float) -> None:
        """Everything that has happened and everything that is due moves into the past."""
        with self.ledger.database.transaction() as connection:
            for table, names in _TIMES.items():
                connection.execute(update(table).values({name: table.c[name] - seconds for name in names.split()}))

    def pass_definitions(self, seconds: float) -> None:
        """The definitions that are kept grow older."""
        with self.ledger.database.transaction() as connection:
            connection.execute(update(definitions).values(created_at=definitions.c.created_at - seconds))

    def rows(self, table: Table, workflow_id: str | None = None) -> list[dict[str, Any]]:
        """The rows of a table, all or those of a workflow."""
        column = table.c.id if table is workflows else table.c.get("workflow_id")
        query = select(table)
        if workflow_id is not None and column is not None:
            query = query.where(column == workflow_id)
        with self.ledger.database.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def events(self, workflow_id: str) -> list[str]:
        """The audit log, in order."""
        return [row["type"] for row in sorted(self.rows(events, workflow_id), key=lambda row: row["id"])]
