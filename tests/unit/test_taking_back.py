"""A completed workflow is undone where the one that had started it is, and only then."""

import pytest

from orchestrator.errors import Conflict
from orchestrator.moves.move import Control
from orchestrator.reading import read_document
from orchestrator.states import StepStatus, WorkflowStatus
from tests.world.books import Behaviour
from tests.world.scene import Scene


def child() -> Scene:
    """Three steps, two of which can be undone, completed."""
    undo = {"targetUrl": "http://s/undo", "retries": 0}
    steps = {
        "book": {"targetUrl": "http://s/book", "next": ["pay"], "compensate": undo},
        "pay": {"targetUrl": "http://s/pay", "next": ["write"], "compensate": undo},
        "write": {"targetUrl": "http://s/write"},
    }
    scene = Scene(read_document({"type": "child", "steps": steps}))
    scene.strict = False
    assert scene.play() == "completed"
    return scene


def take_back(scene: Scene) -> None:
    """What its parent orders."""
    [(_, publication)] = scene.rows.make([Control("w", "undo", "workflow p")], scene.now)
    scene.broker.publish(publication)


def test_what_completed_is_undone_against_its_order_and_ends_cancelled() -> None:
    """Asking twice changes nothing more."""
    scene = child()
    take_back(scene)
    take_back(scene)
    assert scene.rows.head.status is WorkflowStatus.COMPENSATING
    assert scene.play() == "cancelled, compensation completed"
    take_back(scene)
    assert scene.books.undoing == ["pay", "book"]
    assert scene.status_of("write") is StepStatus.COMPLETED
    assert scene.rows.head.error["kind"] == "undone"


def test_an_undo_that_fails_is_said_and_can_be_retried() -> None:
    """By a person, as any other."""
    scene = child().behaves("pay:undo", Behaviour.REFUSES)
    take_back(scene)
    assert scene.play() == "cancelled, compensation failed"
    assert scene.order("retry") is None
    assert scene.play() == "cancelled, compensation completed"


def test_only_what_has_completed_is_taken_back() -> None:
    """A running child is cancelled instead."""
    scene = Scene(read_document({"type": "child", "steps": {"a": {"targetUrl": "http://s/a"}}}))
    with pytest.raises(Conflict):
        take_back(scene)
