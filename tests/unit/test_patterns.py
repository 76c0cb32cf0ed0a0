"""Messages made by a pattern are those that Celery makes, but for their ids."""

import base64
import json
import re
from collections.abc import Iterator

import pytest
import redis
from celery import Celery, Task
from celery.signals import before_task_publish

from orchestrator.graph import Graph
from orchestrator.jsontype import Json
from orchestrator.plan import plan
from orchestrator.workflow import Publication
from tasks.canvas import canvas
from tasks.dispatch import Dispatch
from tests.graphs import SMALL

FIRST, SECOND = "0197a3c2-58a1-7d44-9f0e-2c7b61d0c5aa", "0197a3c2-58a1-7d44-9f0e-2c7b61d0c5bb"
LIKE_AN_ID = "11111111-2222-4333-8444-555555555555"
ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _never(workflow_id: str, name: str) -> None:
    """No worker runs it here."""


class Line:
    """A queue in a real Redis, who publishes to it, and what is in it."""

    def __init__(self, url: str) -> None:
        self.app = Celery(
            "patterns", broker=url, backend=f"tasks.backend:QuietRedisBackend+{url}", set_as_current=False
        )
        self.app.conf.task_default_queue = "orchestrator"
        self.app.conf.task_ignore_result = True
        self.step: Task = self.app.task(_never, name="orchestrator.step", shared=False)
        self.publish = Dispatch(self.step, by_pattern=True)
        self._client = redis.Redis.from_url(url)

    def taken(self) -> list[Json]:
        """The messages, oldest first, with their bodies decoded."""
        messages = [json.loads(one) for one in reversed(self._client.lrange("orchestrator", 0, -1))]
        self._client.delete("orchestrator")
        return [one | {"body": json.loads(base64.b64decode(one["body"]))} for one in messages]

    def start(self, graph: Graph, workflow_id: str, workflow_type: str = "subscription") -> list[Json]:
        """What is sent for a workflow that begins."""
        self.publish(Publication(workflow_id, workflow_type, plan(graph).fragments[:1]))
        return self.taken()


@pytest.fixture
def line(redis_url: str) -> Iterator[Line]:
    """Empty."""
    line = Line(redis_url)
    yield line
    line.app.close()


def without_ids(message: Json) -> tuple[str, list[int]]:
    """Its text without ids, and which of these are the same: each as the number of its first place."""
    text = json.dumps(message, sort_keys=True)
    ids = ID.findall(text)
    return ID.sub("id", text), [ids.index(one) for one in ids]


@pytest.mark.parametrize("name", ["the chain of the first guide", "the diamond of the second guide"])
def test_a_message_by_its_pattern_is_what_celery_sends(line: Line, name: str) -> None:
    """Every field, and each id wherever Celery has that same id again."""
    graph = SMALL[name]
    line.start(graph, FIRST)
    [made] = line.start(graph, SECOND)
    fragment = plan(graph).fragments[0]
    canvas(fragment, workflow_id=SECOND, workflow_type="subscription", step_task=line.step).apply_async()
    [celerys] = line.taken()
    assert without_ids(made) == without_ids(celerys)
    kept = set(ID.findall(json.dumps(made))) & set(ID.findall(json.dumps(celerys)))
    assert kept == {SECOND, celerys["properties"]["reply_to"]}


def test_no_two_messages_have_an_id_in_common(line: Line) -> None:
    """But for the publisher's own."""
    graph = SMALL["the diamond of the second guide"]
    seen = [set(ID.findall(json.dumps(line.start(graph, FIRST)))) for _ in range(3)]
    assert len(seen[0] & seen[1]) == len(seen[1] & seen[2]) == 2


def test_a_name_that_looks_like_an_id_stays(line: Line) -> None:
    """Of a step, and of a type."""
    graph = Graph({LIKE_AN_ID: (), "next": (LIKE_AN_ID,)})
    for workflow_id in (FIRST, SECOND):
        [message] = line.start(graph, workflow_id, LIKE_AN_ID)
        assert message["body"][0] == [workflow_id, LIKE_AN_ID]
        assert message["headers"]["shadow"] == f"{LIKE_AN_ID}.{LIKE_AN_ID}"


def test_a_canvas_that_begins_with_branches_is_always_celerys(line: Line) -> None:
    """A message a branch, all of one group."""
    for workflow_id in (FIRST, SECOND):
        sent = line.start(Graph({"a": (), "b": (), "join": ("a", "b")}), workflow_id)
        assert sorted(one["body"][0][1] for one in sent) == ["a", "b"]
        assert {one["body"][0][0] for one in sent} == {workflow_id}
        assert len({one["headers"]["group"] for one in sent}) == 1


def test_who_listens_to_celery_hears_of_every_message(line: Line) -> None:
    """Programs that trace add a header to each: no message may carry another one's."""
    heard: list[str] = []

    def listen(headers: Json, **_: object) -> None:
        heard.append(headers["id"])
        headers["trace"] = headers["id"]

    graph = SMALL["the chain of the first guide"]
    line.start(graph, FIRST)
    before_task_publish.connect(listen)
    try:
        sent = [line.start(graph, SECOND)[0] for _ in range(2)]
    finally:
        before_task_publish.disconnect(listen)
    assert heard == [one["headers"]["id"] for one in sent] == [one["headers"]["trace"] for one in sent]


def test_a_broken_connection_is_made_again(line: Line) -> None:
    """As after a restart of Redis."""
    graph = SMALL["the chain of the first guide"]
    line.start(graph, FIRST)
    line.start(graph, SECOND)
    line._client.client_kill_filter(_type="normal", skipme=True)
    assert len(line.start(graph, SECOND)) == 1
