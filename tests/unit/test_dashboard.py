"""What the dashboard draws, from the API's JSON alone: diagrams, timelines, attempts, filters, words."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.jsontype import Json
from orchestrator.reading import read_document
from orchestrator.states import WorkflowStatus
from web.dashboard.diagram import MOST_DRAWN, drawings, layers
from web.dashboard.filling import wanted
from web.dashboard.gantt import gantt
from web.dashboard.mosaic import mosaic
from web.dashboard.steps import called, told
from web.dashboard.waiting import together
from web.dashboard.words import age, pretty, share

BORN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    """That long after the workflow was created."""
    return (BORN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def step(name: str, status: str, start: float | None = None, end: float | None = None, undo: Json = None) -> Json:
    """A step of the API's workflow."""
    times = {"startedAt": None if start is None else at(start), "completedAt": None if end is None else at(end)}
    return {"name": name, "status": status, "attempts": 1, "error": None, "compensation": undo, **times}


def definition(after: dict[str, list[str]], **more: Json):  # type: ignore[no-untyped-def]  # read for its graph alone
    """One whose steps wait for these."""
    steps = {name: {"targetUrl": "http://s/x", "waitFor": before} for name, before in after.items()}
    for name, fields in more.items():
        steps[name] = {**steps[name], **fields}
    return read_document({"type": "drawn", "steps": steps})


def test_a_small_graph_is_drawn_across_for_wide_screens_and_down_for_narrow_ones() -> None:
    """Each box with its step's status and its undoing."""
    undone = {"status": "completed", "startedAt": None, "completedAt": None, "attempts": 1, "error": None}
    states = {"a": step("a", "completed", 0, 1, undone), "b": step("b", "running", 1)}
    across, down = drawings(definition({"a": [], "b": ["a"], "c": ["a"]}), states)
    assert (across.down, down.down) == (False, True)
    assert {(box.name, box.status, box.undo) for box in across.boxes} == {
        ("a", "completed", "completed"),
        ("b", "running", None),
        ("c", "pending", None),
    }
    assert [edge.passed for edge in across.edges] == [True, True]


def test_a_long_chain_runs_down_the_page_only() -> None:
    """It would be too wide for any screen."""
    chain = definition({f"s{n}": [f"s{n - 1}"] if n else [] for n in range(30)})
    assert [drawing.down for drawing in drawings(chain, {})] == [True]


def test_a_fallback_is_drawn_as_one() -> None:
    """A dashed line from the step that it stands in for."""
    drawn = drawings(definition({"a": [], "b": [], "c": ["a"]}, a={"fallback": "b", "waitFor": []}), {})[0]
    assert [edge.fallback for edge in drawn.edges].count(True) == 1


def test_a_graph_too_large_to_draw_is_told_by_its_layers() -> None:
    """Runs of single steps share a row; of a wide one those come first that somebody would look for."""
    fan = {f"part{n}": ["two"] for n in range(MOST_DRAWN)}
    large = definition({"one": [], "two": ["one"], **fan, "end": list(fan)})
    assert drawings(large, {}) == []
    chain, wide, end = layers(large.graph, {"part77": step("part77", "failed")})
    assert (chain.first, chain.last, chain.chain, chain.size) == (1, 2, True, 2)
    assert (wide.first, wide.last, wide.chain, wide.counts) == (3, 3, False, {"pending": MOST_DRAWN - 1, "failed": 1})
    assert wide.named[0] == "part77"
    assert end.size == 1


def test_layers_that_stand_alike_share_a_row() -> None:
    """Of fifty layers of which one is under way, three rows are left."""
    deep = definition({f"l{n}-{k}": [f"l{n - 1}-{k}"] if n else [] for n in range(50) for k in range(4)})
    states = {f"l{n}-{k}": step(f"l{n}-{k}", "completed") for n in range(10) for k in range(4)}
    states["l10-0"] = step("l10-0", "running")
    found = layers(deep.graph, states)
    assert [(one.first, one.last, one.size, one.chain) for one in found] == [
        (1, 10, 40, False),
        (11, 11, 4, False),
        (12, 50, 156, False),
    ]


@pytest.mark.parametrize("wide", [1, 4, 1_000])
def test_a_thousand_steps_are_a_thousand_tiles_that_fit_a_screen(wide: int) -> None:
    """No two at one place, whether they are a chain, a grid or all side by side."""
    names = [[f"l{n}-{k}" for k in range(wide)] for n in range(1_000 // wide)]
    before = {name: [names[n - 1][k]] if n else [] for n, layer in enumerate(names) for k, name in enumerate(layer)}
    drawn = mosaic(definition(before).graph, {names[0][0]: step(names[0][0], "failed")})
    assert len({(tile.x, tile.y) for tile in drawn.tiles}) == 1_000
    assert drawn.width <= 1_130
    assert all(tile.y + drawn.size <= drawn.height for tile in drawn.tiles)
    assert drawn.statuses == ["failed", "pending"]


def test_steps_that_wait_for_the_same_are_told_of_together() -> None:
    """Few of them by name, with the moment at which the first of them is due."""
    one = {"waitsFor": "a worker", "whatWouldChangeThat": "start one"}
    whole = together(
        [{**one, "step": None, "until": None}, *({**one, "step": f"s{n}", "until": at(9 - n)} for n in range(9))]
    )
    assert [(each.named, each.more, each.until) for each in whole] == [
        ((), 0, None),
        (("s0", "s1", "s2", "s3"), 5, at(1)),
    ]


def test_the_timeline_reads_like_stairs_with_the_critical_path_marked() -> None:
    """Steps in the order in which they began, what has not begun after them, undoings last."""
    undo = {"status": "completed", "startedAt": at(6), "completedAt": at(8), "attempts": 1, "error": None}
    steps = [step("late", "completed", 3, 6), step("never", "pending"), step("first", "completed", 0, 2, undo)]
    steps.append(step("aside", "completed", 2, 2.5))
    view = {"createdAt": at(0), "completedAt": at(8), "steps": steps}
    drawn = gantt(view, (), {"late": ["first", "aside"], "aside": ["first"]}, None)
    assert [(lane.name, lane.undo) for lane in drawn.lanes] == [
        ("first", False),
        ("aside", False),
        ("late", False),
        ("never", False),
        ("first", True),
    ]
    assert drawn.critical == ("first", "aside", "late")
    assert [lane.status for lane in drawn.lanes if lane.undo] == ["undone"]
    bars = [bar for lane in drawn.lanes for bar in lane.bars]
    assert all(bar.start >= 0 and bar.start + bar.width <= 100.01 for bar in bars)
    assert drawn.kinds == {"work", "undo"}


def test_a_step_that_waits_is_seen_waiting_until_now() -> None:
    """The wait is drawn although nothing has ended it."""
    events = [
        {"at": at(0), "type": "step.started", "step": "a", "details": {"attempt": 1}},
        {"at": at(1), "type": "step.retrying", "step": "a", "details": {"attempt": 1}},
    ]
    view = {"createdAt": at(0), "completedAt": None, "steps": [step("a", "waiting", 0)]}
    [lane] = gantt(view, events, {}, BORN + timedelta(seconds=10)).lanes
    assert [(bar.kind, bar.width) for bar in lane.bars] == [("failed", 10), ("waiting", 90)]


def test_attempts_are_put_together_from_the_audit_log() -> None:
    """Each with its end; the last request that was made; undoings by themselves."""
    call = {"method": "POST", "url": "http://s/x", "key": "k"}
    events = [
        {"at": at(0), "type": "step.started", "step": "a", "details": {"attempt": 1, "worker": "w"}},
        {"at": at(1), "type": "step.lost", "step": "a", "details": {"attempt": 1, "worker": "w"}},
        {"at": at(2), "type": "step.started", "step": "a", "details": {"attempt": 2, "worker": "v"}},
        {"at": at(3), "type": "step.completed", "step": "a", "details": {"attempt": 2, "status": 200, **call}},
        {"at": at(4), "type": "step.started", "step": "a:undo", "details": {"attempt": 1, "worker": "v"}},
        {"at": at(4), "type": "workflow.failing", "step": None, "details": {}},
    ]
    found = called(events)
    assert [(one.number, one.outcome) for one in found["a"].attempts] == [(1, "lost"), (2, "completed")]
    assert found["a"].request is not None
    assert found["a"].request["key"] == "k"
    assert [one.outcome for one in found["a:undo"].attempts] == ["running"]
    assert [told(event) for event in events[3:]] == ["a", "undo a", ""]


def test_filters_are_read_as_far_as_they_can_be() -> None:
    """Faults are told; the rest still counts."""
    asked = wanted({"status": "failed", "after": "2026-01-31T12:00", "before": "soon", "context.user.email": "a@b.cd"})
    assert asked.filters.status is WorkflowStatus.FAILED
    assert asked.filters.created_after == BORN.timestamp()
    assert asked.filters.created_before is None
    assert (asked.path, asked.value) == (("user", "email"), "a@b.cd")
    assert [fault.place for fault in asked.faults] == ["before"]
    assert [fault.place for fault in wanted({"status": "odd", "field": "a\0"}).faults] == ["field", "status"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "now"), (-5, "5 s ago"), (90, "in 1 min"), (-7200, "2 h ago"), (-200_000, "2 d ago")]
)
def test_moments_are_told_as_people_tell_them(seconds: float, said: str) -> None:
    """How long ago, or how long until."""
    assert age(at(seconds), BORN) == said


def test_long_values_are_cut_and_shares_have_the_precision_that_they_need() -> None:
    """A value of any size makes a page of bounded size."""
    assert len(pretty("x" * 1_000_000)) < 25_000
    assert [share(one) for one in (None, 0.0, 0.004, 0.5, 1.0)] == ["–", "0%", "0.4%", "50%", "100%"]
