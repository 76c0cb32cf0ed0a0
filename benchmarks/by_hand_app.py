"""What a good engineer writes in a day: a row for each step, Celery to bring them, the rows decide what follows.

A step that was already taken is not taken again, a join goes on once (its workflow's row is locked while one counts).
There is no recovery of lost messages, no undo, no time-out of a workflow, no version of its definition, no audit log.
"""

import os
import uuid
from functools import cache

import requests
from celery import Celery
from requests.adapters import HTTPAdapter
from sqlalchemy import (
    JSON,
    Column,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    func,
    insert,
    select,
    update,
)

from benchmarks.shapes import Shape
from orchestrator.jsontype import Json

CONCURRENCY = int(os.environ["BENCH_CONCURRENCY"])

app = Celery("by_hand", broker=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_default_queue="by_hand",
    task_ignore_result=True,  # results are in the table
    task_acks_late=True,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=max(10, CONCURRENCY),
    broker_transport_options={"max_connections": CONCURRENCY + 50},
)


metadata = MetaData()

workflow = Table(
    "workflow",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("base", Text, nullable=False),
)

step = Table(
    "step",
    metadata,
    Column("workflow_id", ForeignKey("workflow.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("stage", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("result", JSON),
    Index("ix_step_stage", "workflow_id", "stage"),
)
"""`stage` says when its turn is."""


@cache
def engine() -> Engine:
    """One a process, made after the fork."""
    return create_engine(os.environ["BENCH_DATABASE_URL"], pool_size=20, max_overflow=0, pool_timeout=60)


@cache
def session() -> requests.Session:
    """One a process."""
    made = requests.Session()
    made.mount("http://", HTTPAdapter(pool_maxsize=CONCURRENCY))
    return made


@app.task(bind=True, max_retries=3)
def run_step(self: Json, workflow_id: str, name: str) -> None:
    """Take the step, call its service, record the result, send what follows."""
    taken = _take(workflow_id, name)
    if taken is None:
        return
    base, previous = taken
    try:
        answer = session().post(
            f"{base}/{name}",
            json={"workflowId": workflow_id, "step": name, "previous": previous},
            headers={"Idempotency-Key": f"{workflow_id}/{name}", "X-Workflow-Id": workflow_id, "X-Step": name},
            timeout=30,
        )
        answer.raise_for_status()
    except requests.RequestException as error:
        _put_back(workflow_id, name)
        raise self.retry(exc=error, countdown=2**self.request.retries) from error
    for following in _complete(workflow_id, name, answer.json()):
        run_step.delay(workflow_id, following)


def _take(workflow_id: str, name: str) -> tuple[str, Json] | None:
    """The URLs' base and the id that the step before answered; None where somebody else has taken the step."""
    with engine().begin() as db:
        stage = db.execute(
            update(step)
            .where(step.c.workflow_id == workflow_id, step.c.name == name, step.c.status == "pending")
            .values(status="running", attempts=step.c.attempts + 1)
            .returning(step.c.stage)
        ).scalar_one_or_none()
        if stage is None:
            return None
        base = db.execute(select(workflow.c.base).where(workflow.c.id == workflow_id)).scalar_one()
        before = select(step.c.result).where(step.c.workflow_id == workflow_id, step.c.stage == stage - 1).limit(1)
        result = db.execute(before).scalar_one_or_none()
        return base, result and result["id"]


def _put_back(workflow_id: str, name: str) -> None:
    with engine().begin() as db:
        db.execute(update(step).where(step.c.workflow_id == workflow_id, step.c.name == name).values(status="pending"))


def _complete(workflow_id: str, name: str, result: Json) -> list[str]:
    """Record the result; the steps whose turn has come, if this was the last of its stage."""
    with engine().begin() as db:
        db.execute(select(workflow.c.id).where(workflow.c.id == workflow_id).with_for_update())
        stage = db.execute(
            update(step)
            .where(step.c.workflow_id == workflow_id, step.c.name == name)
            .values(status="completed", result=result)
            .returning(step.c.stage)
        ).scalar_one()
        unfinished = select(func.count()).where(
            step.c.workflow_id == workflow_id, step.c.stage == stage, step.c.status != "completed"
        )
        if db.execute(unfinished).scalar_one():
            return []
        following = select(step.c.name).where(step.c.workflow_id == workflow_id, step.c.stage == stage + 1)
        names = list(db.execute(following).scalars())
        if not names:
            db.execute(update(workflow).where(workflow.c.id == workflow_id).values(status="completed"))
        return names


def start(base: str, shape: Shape) -> None:
    """Write the rows, send the first steps."""
    workflow_id = str(uuid.uuid4())
    with engine().begin() as db:
        db.execute(insert(workflow).values(id=workflow_id, kind=shape.name, status="running", base=base))
        rows = [
            {"workflow_id": workflow_id, "name": name, "stage": number, "status": "pending", "attempts": 0}
            for number, stage in enumerate(shape.stages)
            for name in stage
        ]
        db.execute(insert(step), rows)
    for name in shape.stages[0]:
        run_step.delay(workflow_id, name)
