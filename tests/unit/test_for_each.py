"""A step with `forEach` as stories, without a database: which items are called, counted and undone.

Pattern 14 of the Workflow Patterns Initiative: multiple instances with a priori run-time knowledge.
"""

from orchestrator.definition import Definition
from orchestrator.states import StepStatus
from tests.world.books import Behaviour
from tests.world.drawing import call, definition, fans_out, undone
from tests.world.scene import Scene

REFUSES, TIMEOUT_AFTER = Behaviour.REFUSES, Behaviour.TIMEOUT_AFTER


def each(
    items: int = 5, *, at_a_time: int = 2, tolerate: int = 0, sequential: bool = False, **own: object
) -> Definition:
    """`send` is called for each item, `report` follows."""
    fields = {"compensate": undone(), **fans_out(items, at_a_time=at_a_time, tolerate=tolerate), **own}
    return definition("send > report", sequential=sequential, send=fields)


def test_pattern_14_one_instance_an_item_so_many_at_a_time() -> None:
    """Each that ends lets the next one go; what follows waits for all of them."""
    scene = Scene(each())
    scene.do("send")
    assert scene.messages == {"send[0]", "send[1]"}
    scene.do("send[1]")
    assert scene.messages == {"send[0]", "send[2]"}
    scene.do("send[0]", "send[2]", "send[3]")
    assert scene.messages == {"send[4]"}
    scene.do("send[4]")
    assert scene.messages == {"report"}
    assert scene.play() == "completed"


def test_an_item_that_waits_for_its_next_attempt_keeps_its_place() -> None:
    """And no other is sent for it."""
    scene = Scene(each(call=call(retries=1))).behaves("send[0]", TIMEOUT_AFTER)
    scene.do("send", "send[0]")
    assert scene.messages == {"send[1]"}
    assert scene.play() == "completed"


def test_too_many_failures_start_nothing_more_and_wait_for_what_is_in_flight() -> None:
    """Then what took effect is undone, the last item first."""
    scene = Scene(each(at_a_time=3)).behaves("send[1]", REFUSES)
    scene.do("send")
    scene.begin("send[0]", "send[1]", "send[2]")
    scene.end("send[1]")
    assert (scene.messages, scene.status) == (set(), "running")
    scene.end("send[0]")
    scene.end("send[2]")
    assert scene.messages == {"send:undo"}
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[3:] == ["send[2]:undo", "send[0]:undo"]
    assert scene.status_of("send[3]") is StepStatus.PENDING


def test_an_item_in_flight_is_not_tried_again_once_its_step_has_failed() -> None:
    """A time-out that would have been worth another attempt is its last."""
    scene = Scene(each(at_a_time=2, call=call(retries=3)))
    scene.behaves("send[0]", REFUSES).behaves("send[1]", TIMEOUT_AFTER)
    scene.do("send")
    scene.begin("send[0]", "send[1]")
    scene.end("send[0]")
    scene.end("send[1]")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["send[0]", "send[1]", "send[1]:undo"]


def test_a_tolerated_item_that_may_have_acted_is_undone_before_the_step_completes() -> None:
    """Its place is taken by the next one only then."""
    scene = Scene(each(2, at_a_time=2, tolerate=1)).behaves("send[0]", TIMEOUT_AFTER)
    scene.do("send", "send[0]", "send[1]")
    assert scene.messages == {"send[0]:undo"}
    assert scene.play() == "completed"
    assert scene.calls == ["send[0]", "send[1]", "send[0]:undo", "report"]


def test_one_by_one_means_what_ended_last_first() -> None:
    """Not what comes last in the list."""
    scene = Scene(each(3, at_a_time=3, sequential=True)).behaves("report", REFUSES)
    scene.do("send")
    for item in ("send[1]", "send[2]", "send[0]"):
        scene.now += 1
        scene.do(item)
    assert scene.play() == "failed, compensation completed"
    assert scene.calls[4:] == ["send[0]:undo", "send[2]:undo", "send[1]:undo"]


def test_a_retry_sends_the_items_that_failed_or_were_not_sent() -> None:
    """The list is not made again: the items stay what they were."""
    scene = Scene(each(4, at_a_time=2, compensate=None)).behaves("send[1]", REFUSES)
    scene.do("send", "send[0]", "send[1]")
    assert scene.status == "failed"
    assert scene.order("retry") is None
    assert scene.play() == "completed"
    assert scene.calls == ["send[0]", "send[1]", "send[1]", "send[2]", "send[3]", "report"]


def test_a_pause_keeps_items_and_a_cancel_waits_for_those_in_flight() -> None:
    """Neither starts another one."""
    scene = Scene(each(5))
    scene.do("send")
    scene.begin("send[0]", "send[1]")
    scene.order("pause")
    scene.end("send[0]")
    assert scene.messages == set()
    scene.order("resume")
    assert scene.messages == {"send[2]"}
    scene.order("cancel")
    assert scene.status == "compensating"
    scene.end("send[1]")
    assert scene.play() == "cancelled, compensation completed"
    assert set(scene.calls) == {"send[0]", "send[1]", "send[0]:undo", "send[1]:undo"}


def test_the_deadline_of_the_step_holds_for_all_its_items() -> None:
    """Those that were not sent are not sent any more."""
    scene = Scene(each(3, at_a_time=1, deadline=12.0))
    scene.do("send")
    scene.begin("send[0]")
    scene.later(12.5)
    scene.end("send[0]")
    assert scene.play() == "failed, compensation completed"
    assert scene.calls == ["send[0]", "send[0]:undo"]
