"""Existing Celery tasks as steps: a team's own worker on the same broker, with real workers on our side."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.jsontype import Json
from orchestrator.reading import read_document
from tests.servers import RedisServer
from tests.system.installation import ROOT, Installation, installed, until


@dataclass
class Team:
    """An installation, and a team's worker beside it. `books` has a line for each task that was done."""

    office: Installation
    books: Path
    environment: dict[str, str]
    worker: subprocess.Popen[bytes] | None = None

    def begin(self, *, results: bool = False) -> None:
        """Its worker starts; with `results`, they are stored in the same Redis."""
        environment = {**self.environment, **({"TEAM_BACKEND": self.environment["TEAM_BROKER"]} if results else {})}
        log = (self.books.parent / "team.log").open("ab")
        command = [sys.executable, "-m", "celery", "-A", "tests.system.team_app", "worker", "-P", "threads", "-c", "4"]
        self.worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        log.close()

    def end(self) -> None:
        """Its worker ends."""
        if self.worker is not None:
            self.worker.terminate()
            self.worker.wait(15)

    def start(self, *, later: Json = None, **step: Json) -> str:
        """A workflow of one task, and of what comes later."""
        retry = {"delay": 0.1, "jitter": "none"}
        steps = {"only": {"retry": retry, **step}, **({} if later is None else {"later": later})}
        return self.office.start(read_document({"type": "tested", "steps": steps}))

    def done(self) -> list[str]:
        """What its tasks noted."""
        return self.books.read_text().splitlines() if self.books.exists() else []


@pytest.fixture(params=["sqlite", "postgresql"])
def team(
    request: pytest.FixtureRequest,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    redis_server: RedisServer,
    tmp_path: Path,
) -> Iterator[Team]:
    """Its worker is not started yet."""
    books = tmp_path / "books"
    environment = {**os.environ, "TEAM_BROKER": redis_server.url, "TEAM_BOOKS": str(books), "PYTHONPATH": str(ROOT)}
    with (
        fresh_database(request.param) as url,
        installed(url, redis_server.url, tmp_path) as office,
    ):
        team = Team(office, books, environment)
        try:
            yield team
        finally:
            team.end()


def test_a_teams_task_is_a_step_with_its_result(team: Team) -> None:
    """Sent once, under the step's key; no worker of ours is held meanwhile."""
    team.begin()
    workflow_id = team.start(task="team.add", args=[2, 3], kwargs={"slowly": 0.5})
    assert team.office.wait(workflow_id)["status"] == "completed"
    row = team.office.steps(workflow_id)["only"]
    assert row["result"] == {"sum": 5}
    [line] = team.done()
    assert line.split()[1] != "None"
    assert "step.waiting" in [event["type"] for event in team.office.events(workflow_id)]


def test_a_task_that_raises_is_tried_again_and_fails_its_step(team: Team) -> None:
    """With its reason, where results are stored in the same Redis."""
    team.begin(results=True)
    workflow_id = team.start(task="team.fail", retries=1)
    row = team.office.wait(workflow_id)
    assert row["status"] == "failed"
    assert row["error"]["kind"] == "task"
    assert "no stock" in row["error"]["message"]
    assert team.office.steps(workflow_id)["only"]["attempts"] == 2


def test_a_task_that_is_lost_with_redis_is_sent_again_as_the_next_attempt(
    team: Team, redis_server: RedisServer
) -> None:
    """After its time-out: until then nobody knows; under another id and the same key."""
    workflow_id = team.start(task="team.add", args=[1, 1], timeout=3)
    until(lambda: team.office.steps(workflow_id)["only"]["waiting_for"] == "task", 20, "the task to be sent")
    with redis_server.client() as client:
        client.flushall()
    team.begin()
    assert team.office.wait(workflow_id, seconds=60)["status"] == "completed"
    assert team.office.steps(workflow_id)["only"]["attempts"] >= 2


def test_a_task_that_was_given_up_does_not_begin_any_more(team: Team) -> None:
    """Its step has failed, and what it may have done is undone: it must not be done after that."""
    given_up = team.start(task="team.add", args=[1, 1], timeout=1, retries=0)
    assert team.office.wait(given_up)["status"] == "failed"
    team.begin()
    after = team.start(task="team.add", args=[2, 2])
    assert team.office.wait(after)["status"] == "completed"
    assert len(team.done()) == 1


def test_a_result_whose_message_was_lost_is_found_where_it_is_stored(team: Team, redis_server: RedisServer) -> None:
    """The step looks by itself, every 15 seconds at the latest."""
    team.begin(results=True)
    workflow_id = team.start(task="team.add", args=[1, 1], kwargs={"slowly": 2.0}, timeout=40)
    until(lambda: team.office.steps(workflow_id)["only"]["waiting_for"] == "task", 20, "the task to be sent")
    began = time.monotonic()
    with redis_server.client() as client:
        until(lambda: bool(team.done()), 20, "the task to be done")
        client.delete("orchestrator")
    assert team.office.wait(workflow_id, seconds=60)["status"] == "completed"
    assert time.monotonic() - began < 25


def test_a_task_for_each_item_and_each_is_taken_back_by_a_task(team: Team) -> None:
    """The undo reads the item and its result; nothing but the team's own worker is asked."""
    team.begin()
    adding: Json = {"task": "team.add", "forEach": [1, 2, 3], "args": ["${item}", 10]}
    undo: Json = {"task": "team.add", "args": ["${steps.only.result.sum}", "${index}"]}
    later: Json = {"task": "team.fail", "retries": 0, "waitFor": ["only"]}
    workflow_id = team.start(**adding, compensate=undo, later=later)
    row = team.office.wait(workflow_id, seconds=60)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    steps = team.office.steps(workflow_id)
    assert steps["only"]["result"] == [{"sum": 11}, {"sum": 12}, {"sum": 13}]
    assert [steps[f"only[{n}]:undo"]["result"] for n in range(3)] == [{"sum": 11}, {"sum": 13}, {"sum": 15}]
    keys = [line.split()[1] for line in team.done()]
    assert len(set(keys)) == len(keys) == 6


def test_an_undo_by_a_task_that_raises_is_tried_again_and_never_forgotten(team: Team) -> None:
    """Like one by a request."""
    team.begin()
    undo: Json = {"task": "team.fail", "retries": 1, "retry": {"delay": 0.1, "jitter": "none"}}
    later: Json = {"task": "team.fail", "retries": 0, "waitFor": ["only"]}
    workflow_id = team.start(task="team.add", args=[1, 1], compensate=undo, later=later)
    row = team.office.wait(workflow_id, seconds=60)
    assert (row["status"], row["compensation"]) == ("failed", "failed")
    assert team.office.steps(workflow_id)["only:undo"]["attempts"] == 2
