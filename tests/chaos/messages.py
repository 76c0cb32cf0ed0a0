"""Messages that nobody should send: copies, forgeries, orders that are out of date, bodies that are no bodies."""

import base64
import json
import random
import uuid
from collections.abc import Sequence

import redis
from sqlalchemy import select

from orchestrator.jsontype import Json
from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import steps, workflows
from orchestrator.workflow import Publication
from tests.chaos.stage import QUEUE, Stage

BROKEN: tuple[bytes, ...] = (
    b"{",
    b"null",
    b"5",
    b"[]",
    b'"a text"',
    b"[1, 2]",
    b"[[], {}, {}, {}]",
    b'{"args": 5}',
    b'{"args": [], "kwargs": 5}',
    b"[5, {}, {}]",
    b'[["x"], {}, {}]',
    b'[[{"a": 1}, [2]], {}, {}]',
    b"[null, null, null]",
    b'[["a", "b"], {}, {"chain": 5}]',
    b'[["a", "b"], {}, {"chord": 5, "callbacks": 7}]',
    b"\xff\xfe",
)
"""Bodies of messages that are none."""


def sent_at_random(stage: Stage, dice: random.Random, how_many: int) -> None:
    """Copies of messages of workflows that run and of such that have ended, whole fragments again, and forgeries."""
    database = Database(stage.database_url, pool_size=1)
    try:
        known = _known(database)
    finally:
        database.close()
    send = stage.sender()
    for _ in range(how_many):
        workflow_id, workflow_type, names = dice.choice(known) if known else (str(uuid.uuid4()), "chaos-0", ["a"])
        match dice.randrange(5):
            case 0:
                plan = stage.definitions[workflow_type].plan
                send(Publication(workflow_id, workflow_type, fragments=(dice.choice(plan.fragments),)))
            case 1:
                send(Publication(str(uuid.uuid4()), workflow_type, steps=(dice.choice(names),)))
            case 2:
                forged = dice.choice([*(f"{name}:undo" for name in names), "no such step", ":undo", "", "a:undo:undo"])
                send(Publication(workflow_id, workflow_type, steps=(forged,)))
            case _:
                send(Publication(workflow_id, workflow_type, steps=tuple(dice.choices(names, k=3))))


def break_into(client: redis.Redis, bodies: Sequence[bytes]) -> None:
    """Put messages with these bodies into the queue, as somebody would who can write to Redis."""
    for body in bodies:
        client.lpush(QUEUE, json.dumps(envelope(body)))


def envelope(body: bytes, task: str = "orchestrator.step") -> dict[str, Json]:
    """A message as kombu writes it to Redis."""
    name = str(uuid.uuid4())
    return {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": name, "root_id": name, "parent_id": None, "ignore_result": True},
        "properties": {
            "correlation_id": name,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def _known(database: Database) -> list[tuple[str, str, list[str]]]:
    """The newest workflows with their types and steps."""
    newest = select(workflows.c.id, workflows.c.type).order_by(workflows.c.id.desc()).limit(60)
    with database.reading() as connection:
        found = connection.execute(newest).all()
        rows = connection.execute(
            select(steps.c.workflow_id, steps.c.name).where(steps.c.workflow_id.in_([row.id for row in found]))
        )
        names: dict[str, list[str]] = {}
        for row in rows:
            names.setdefault(row.workflow_id, []).append(row.name)
    return [(row.id, row.type, sorted(names[row.id])) for row in found]
