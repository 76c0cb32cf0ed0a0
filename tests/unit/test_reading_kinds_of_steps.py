"""Steps that start a workflow or send a Celery task in place of a request, and limits, as definitions say them."""

from pathlib import Path

import pytest

from orchestrator.definition import NO_REQUEST, CeleryTask
from orchestrator.errors import DefinitionError
from orchestrator.jsontype import Json
from orchestrator.limits import Allowance, Circuit
from orchestrator.reading import read_document, read_folder
from orchestrator.states import Waiting


def faults_of(step: Json, **top: Json) -> list[str]:
    """What is wrong with a definition of that one step."""
    with pytest.raises(DefinitionError) as error:
        read_document({"type": "own", "steps": {"a": step}, **top})
    return [f"{fault.place}: {fault.message}" for fault in error.value.faults]


def test_a_limit_is_read_with_its_defaults() -> None:
    """A rate is so many a second."""
    limit = {"concurrency": 3, "rate": "90/m", "circuit": {"failures": 2, "pause": "1m"}}
    read = read_document({"type": "own", "steps": {"a": {"targetUrl": "http://s/a", "limit": limit}}})
    found = read.steps["a"].call.limit
    assert found is not None
    assert found.key is None
    assert found.allowance == Allowance(3, 1.5, Circuit(failures=2, pause=60.0))


def test_a_child_makes_no_request_and_is_undone_without_being_told_how() -> None:
    """It undoes itself."""
    step = read_document({"type": "own", "steps": {"a": {"workflow": "other"}}}).steps["a"]
    assert step.awaits is Waiting.CHILD
    assert step.call.target_url is NO_REQUEST
    assert step.call.retry.retries == 0
    assert step.compensate is not None


def test_a_task_has_attempts_and_a_queue() -> None:
    """Celery's own queue where none is named."""
    step = read_document({"type": "own", "steps": {"a": {"task": "shop.pay", "retries": 5, "timeout": 60}}}).steps["a"]
    assert step.task == CeleryTask("shop.pay", "celery")
    assert (step.call.retry.retries, step.call.timeout) == (5, 60)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ({"workflow": "x", "targetUrl": "http://s"}, "steps.a.workflow: does not go with targetUrl; keep one of them"),
        ({"workflow": "x", "payload": {}}, "steps.a.payload: does not go with workflow"),
        ({"workflow": "x", "retries": 1}, "steps.a.retries: does not go with workflow"),
        ({"task": "x", "headers": {}}, "steps.a.headers: does not go with task"),
        ({"targetUrl": "http://s", "queue": "q"}, "steps.a.queue: goes with task only"),
        ({"workflow": "own"}, "steps.a.workflow: is this workflow's own type: it would start itself for ever"),
        ({"targetUrl": "http://s", "limit": {"key": "k"}}, "steps.a.limit: must say concurrency, rate or circuit"),
        (
            {"targetUrl": "http://s", "limit": {"rate": "0/s"}},
            'steps.a.limit.rate: must be a rate such as 100/s, 600/m or 5000/h, not "0/s"',
        ),
    ],
)
def test_what_does_not_fit_together_is_told_at_its_place(step: Json, fault: str) -> None:
    """With what would be right."""
    assert fault in faults_of(step)


def test_nothing_sensitive_is_an_argument_of_a_task() -> None:
    """It would be in Redis."""
    [fault] = faults_of({"task": "x", "args": ["${context.card}"]}, sensitive=["context.card"])
    assert "pass through Redis" in fault


def test_workflows_that_would_start_each_other_for_ever_are_refused(tmp_path: Path) -> None:
    """As a folder, which knows all of them."""
    (tmp_path / "one.yaml").write_text("type: one\nsteps: {a: {workflow: two}}\n")
    (tmp_path / "two.yaml").write_text("type: two\nsteps: {b: {workflow: one}}\n")
    with pytest.raises(DefinitionError) as error:
        read_folder(tmp_path)
    assert [fault.message for fault in error.value.faults] == [
        "starts two, which starts one again, for ever",
        "starts one, which starts two again, for ever",
    ]


@pytest.mark.parametrize(
    ("step", "place", "said"),
    [
        ({"forEach": [1], "approval": {"timeout": 5}}, "steps.a.forEach", "does not go with approval"),
        ({"forEach": [1], "wait": {"for": 5}}, "steps.a.forEach", "does not go with wait"),
        ({"forEach": [1], "workflow": "other"}, "steps.a.workflow", "needs a context beside forEach"),
        ({"workflow": "other", "context": "${item}"}, "steps.a.context", "this step has no forEach"),
        (
            {"targetUrl": "http://s/a", "compensate": {"task": "a.b", "targetUrl": "http://s/b"}},
            "steps.a.compensate.task",
            "does not go with targetUrl",
        ),
        (
            {"targetUrl": "http://s/a", "compensate": {"task": "a.b", "args": ["${context.card}"]}},
            "steps.a.compensate.args[0]",
            "pass through Redis",
        ),
    ],
)
def test_what_an_item_or_an_undo_cannot_be_is_refused(step: Json, place: str, said: str) -> None:
    """With what would be right."""
    with pytest.raises(DefinitionError) as caught:
        read_document({"type": "order", "sensitive": ["context.card"], "steps": {"a": step}})
    assert [(fault.place, said in fault.message) for fault in caught.value.faults] == [(place, True)]
