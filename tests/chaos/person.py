"""The person who decides where a step waits for that: approves, rejects, changes their mind, or never looks.

Sees in the ledger what is to be decided, and decides by the API, again and again until that answers.
"""

import random
import threading
from dataclasses import dataclass

import requests
from sqlalchemy import select

from orchestrator.errors import Unavailable
from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import steps, workflows

LOOKS_EVERY = 0.4
PATIENCE = 4.0
VERBS = ("approve", "reject")


@dataclass(frozen=True)
class Decision:
    """`verb` was sent for a step, and answered with this status and answer; None: nobody answered in time."""

    workflow: str
    step: str
    verb: str
    status: int | None
    answer: str | None


def mind_of(seed: int, n: int, step: str) -> tuple[str, ...]:
    """What the person decides, in that order."""
    dice = random.Random(f"{seed}/{n}/{step}/decision")
    return dice.choices([("approve",), ("reject",), VERBS, ("approve", "approve"), ()], [76, 9, 6, 5, 4])[0]


class Person:
    """One who looks, from `begin` to `stop`. What was decided is in `decisions`."""

    def __init__(self, url: str, database_url: str, seed: int) -> None:
        self.decisions: list[Decision] = []
        self._url = url
        self._database_url = database_url
        self._seed = seed
        self._seen: set[tuple[str, str]] = set()
        self._gone = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self._thread = threading.Thread(target=self._look, name="person", daemon=True)

    def begin(self) -> None:
        """Start to look."""
        self._thread.start()

    def stop(self) -> None:
        """Nobody decides any more."""
        self._gone.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look(self) -> None:
        database = Database(self._database_url, pool_size=1)
        try:
            while not self._gone.wait(LOOKS_EVERY):
                for workflow_id, n, step in self._undecided(database):
                    self._seen.add((workflow_id, step))
                    for verb in mind_of(self._seed, n, step):
                        self._decide(workflow_id, step, verb)
        finally:
            database.close()

    def _undecided(self, database: Database) -> list[tuple[str, int, str]]:
        waiting = (
            select(steps.c.workflow_id, workflows.c.context, steps.c.name)
            .join(workflows, workflows.c.id == steps.c.workflow_id)
            .where(steps.c.status == "waiting", steps.c.waiting_for == "approval")
        )
        try:
            with database.reading() as connection:
                found = connection.execute(waiting).all()
        except Unavailable:
            return []
        return [(row[0], row[1]["n"], row[2]) for row in found if (row[0], row[2]) not in self._seen]

    def _decide(self, workflow_id: str, step: str, verb: str) -> None:
        address = f"{self._url}/api/workflows/{workflow_id}/steps/{step}/{verb}"
        while True:
            status, answer = self._ask(address)
            if status is not None and status < 500:
                self.decisions.append(Decision(workflow_id, step, verb, status, answer))
                return
            if self._gone.wait(0.3):
                self.decisions.append(Decision(workflow_id, step, verb, None, None))
                return

    def _ask(self, address: str) -> tuple[int | None, str | None]:
        try:
            reply = self._session.post(address, json={}, timeout=PATIENCE)
            return reply.status_code, reply.json().get("answer")
        except (requests.RequestException, ValueError):
            return None, None
