"""Reading workflows: both guides' shapes, pages, the audit log, and why one is not moving."""

import re

import pytest
from sqlalchemy import event, text, update

from orchestrator.jsontype import Json
from orchestrator.ledger.children import child_key
from orchestrator.ledger.presence import beat
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import workers, workflows
from orchestrator.moves.move import Settle
from orchestrator.moves.settling import Settled
from orchestrator.outcome import Completed, Failed, Parked, StepError
from orchestrator.reading import read_folder
from orchestrator.states import Effect, Waiting
from tests.integration.web.desk import BUSY, ORDER, REFUSED, WORKFLOWS, Desk

PAID = {"orderId": "ORD-789", "receiptUrl": "https://pay/r/1"}
SHIPPED = {"trackingId": "TRACK-456", "estimatedDelivery": "2026-02-01"}
SUBSCRIBER = {"email": "ada@example.com", "plan": "pro", "card": "4242"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_chaining_guides_summary(desk: Desk) -> None:
    """`processing` until it is over, output fields beside the control fields, null where they are not there yet."""
    workflow_id = desk.start()
    statuses = {"payment": "pending", "shipment": "pending", "confirmation": "pending"}
    shown = {"workflowId": workflow_id, "status": "processing", "steps": statuses, "orderId": None, "trackingId": None}
    assert desk.show(workflow_id, view="summary") == shown
    desk.complete(workflow_id, payment=PAID)
    statuses["payment"] = "completed"
    assert desk.show(workflow_id, view="summary") == shown | {"orderId": "ORD-789"}
    desk.complete(workflow_id, shipment=SHIPPED, confirmation={"messageId": "m"})
    assert desk.show(workflow_id, view="summary") == {
        "workflowId": workflow_id,
        "status": "completed",
        "steps": {"payment": "completed", "shipment": "completed", "confirmation": "completed"},
        "orderId": "ORD-789",
        "trackingId": "TRACK-456",
    }


def test_the_orchestration_guides_status(desk: Desk) -> None:
    """Type, status, every step with its result in the definition's order, error, times."""
    workflow_id = desk.start(SUBSCRIBER, "/api/subscribe")
    desk.complete(workflow_id, validate={"userId": "u1"}, charge={"transactionId": "t1"})
    shown = desk.show(workflow_id)
    assert {
        "workflowId": workflow_id,
        "type": "subscription",
        "status": "running",
        "error": None,
    }.items() <= shown.items()
    assert [(step["name"], step["status"], step["result"]) for step in shown["steps"]] == [
        ("validate", "completed", {"userId": "u1"}),
        ("charge", "completed", {"transactionId": "t1"}),
        ("provision", "pending", None),
        ("welcome", "pending", None),
    ]
    validate = shown["steps"][0]
    assert validate["attempts"] == 1
    assert validate["durationMs"] >= 0
    assert all(TIME.fullmatch(when) for when in (shown["createdAt"], validate["startedAt"], validate["completedAt"]))
    desk.complete(workflow_id, provision={"accountId": "a1"}, welcome=None)
    done = desk.show(workflow_id)
    assert done["status"] == "completed"
    assert done["output"] == {"userId": "u1", "accountId": "a1", "transactionId": "t1"}
    assert done["durationMs"] >= 0
    assert done["completedAt"] >= done["createdAt"]


def test_results_keep_their_json_type(desk: Desk) -> None:
    """Also the odd ones; an output that is no object stands under its own name in the summary."""
    for result in (None, False, 0, "", [], [1.5, "ü", {"a": None}], 2**62, 1e300):
        workflow_id = desk.start({"who": "ada"}, "/api/odd/one.2")
        desk.complete(workflow_id, only=result)
        assert desk.step(workflow_id, "only")["result"] == result
        assert desk.show(workflow_id)["output"] == result
        assert desk.show(workflow_id, view="summary").get("output") == result


def test_a_result_cannot_replace_a_control_field(desk: Desk) -> None:
    """A service that answers `status` says nothing about the workflow."""
    workflow_id = desk.start({"who": "ada"}, "/api/odd/one.2")
    desk.complete(workflow_id, only={"status": "failed", "workflowId": "x", "steps": 1, "mine": 2})
    summary = desk.show(workflow_id, view="summary")
    assert summary == {"workflowId": workflow_id, "status": "completed", "steps": {"only": "completed"}, "mine": 2}


def test_a_step_that_waits_says_for_what_and_until_when(desk: Desk) -> None:
    """Between two attempts."""
    workflow_id = desk.start()
    desk.make(workflow_id, "payment", BUSY)
    step = desk.step(workflow_id, "payment")
    assert (step["status"], step["attempts"], step["waitingFor"]) == ("waiting", 1, "retry")
    assert TIME.fullmatch(step["wakeAt"])
    assert step["error"] == {"kind": "http", "message": "answered 503", "status": 503}


def test_a_compensation_is_shown_with_its_step(desk: Desk) -> None:
    """Not as a step of its own; the workflow says how all of it went."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment=PAID)
    desk.make(workflow_id, "shipment", REFUSED)
    shown = desk.show(workflow_id)
    assert (shown["status"], shown["ending"], shown["compensation"]) == ("compensating", "failed", "running")
    assert shown["error"]["step"] == "shipment"
    assert [step["name"] for step in shown["steps"]] == ["payment", "shipment", "confirmation"]
    assert desk.step(workflow_id, "payment")["compensation"]["status"] == "pending"
    assert desk.show(workflow_id, view="summary")["status"] == "processing"
    desk.make(workflow_id, "payment:undo", Completed({"refunded": True}, 200))
    undone = desk.step(workflow_id, "payment")["compensation"]
    assert (undone["status"], undone["attempts"], undone["error"]) == ("completed", 1, None)
    assert undone["durationMs"] >= 0
    assert desk.show(workflow_id)["compensation"] == "completed"
    summary = desk.show(workflow_id, view="summary")
    assert (summary["status"], summary["orderId"], summary["trackingId"]) == ("failed", "ORD-789", None)


def test_a_workflow_that_is_not_there_is_a_404(sqlite_desk: Desk) -> None:
    """Whatever is asked of it, and whatever its id looks like."""
    for workflow_id in ("01890000-0000-7000-8000-000000000000", "abc-123", "%00", "1" * 500, "ü"):
        for tail in ("", "?view=summary", "/events", "/why"):
            answer = sqlite_desk.client.get(f"/api/workflows/{workflow_id}{tail}")
            assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_pages_go_from_the_newest_to_the_oldest_and_miss_nothing(desk: Desk) -> None:
    """Also while new workflows come in between two pages."""
    ids = [desk.start() for _ in range(7)]
    first = desk.get("/api/workflows", limit="3")
    desk.start()
    second = desk.get("/api/workflows", limit="3", cursor=first["nextCursor"])
    third = desk.get("/api/workflows", limit="3", cursor=second["nextCursor"])
    listed = [line["workflowId"] for page in (first, second, third) for line in page["workflows"]]
    assert listed == ids[::-1]
    assert third["nextCursor"] is None
    assert "context" not in first["workflows"][0]


def test_filters_choose_by_status_type_undoing_and_time(desk: Desk) -> None:
    """One by one and together."""
    order, subscription = desk.start(), desk.start(SUBSCRIBER, "/api/subscribe")
    odd = desk.start({"who": "ada"}, "/api/odd/one.2")
    desk.make(odd, "only", Failed(StepError("timeout", "no answer"), Effect.UNKNOWN, retryable=False))
    for _ in range(9):
        desk.make(odd, "only:undo", REFUSED)
    with desk.database.transaction() as connection:
        connection.execute(
            update(workflows).where(workflows.c.id == order).values(created_at=workflows.c.created_at - 60)
        )

    def listed(**query: str) -> list[str]:
        return [line["workflowId"] for line in desk.get("/api/workflows", **query)["workflows"]]

    assert listed(status="running") == [subscription, order]
    assert listed(type="order-processing") == [order]
    assert listed(compensation="failed") == [odd]
    assert listed(status="failed", compensation="failed", type="odd") == [odd]
    assert listed(status="paused") == []
    created = desk.show(order)["createdAt"]
    assert listed(createdAfter=created.replace("Z", "999Z")) == [odd, subscription]
    assert listed(createdBefore=desk.show(subscription)["createdAt"]) == [order]
    assert listed(createdAfter="2020-01-01", createdBefore="2020-01-02T10:00:00+02:00") == []
    assert len(listed(createdAfter="0001-01-01", createdBefore="9999-12-31")) == 3


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("staus=running", "staus"),
        ("status=processing", "status"),
        ("status=running&status=failed", "status"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=ü", "cursor"),
        ("createdAfter=yesterday", "createdAfter"),
        ("type=%00", "type"),
    ],
)
def test_a_filter_that_is_none_is_refused(desk: Desk, query: str, place: str) -> None:
    """A misspelt filter that were ignored would show everything, or cancel it one day."""
    answer = desk.client.get(f"/api/workflows?{query}")
    assert answer.status_code == 400
    assert answer.json["faults"][0]["place"] == place


def test_events_tell_the_story_in_order(desk: Desk) -> None:
    """In pages, oldest first."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment=PAID)
    first = desk.get(f"/api/workflows/{workflow_id}/events", limit="2")
    rest = desk.get(f"/api/workflows/{workflow_id}/events", cursor=first["nextCursor"])
    told = [*first["events"], *rest["events"]]
    assert [event["type"] for event in told] == ["workflow.started", "step.started", "step.completed"]
    assert rest["nextCursor"] is None
    assert told[2]["step"] == "payment"
    assert told[2]["details"]["attempt"] == 1
    assert all(TIME.fullmatch(event["at"]) for event in told)
    for cursor in ("x", "-1", "99999999999999999999", "٣"):
        answer = desk.client.get(f"/api/workflows/{workflow_id}/events", query_string={"cursor": cursor})
        assert answer.status_code == 400


def test_the_events_of_one_step_are_those_of_its_undoing_too(desk: Desk) -> None:
    """Of a step that was not called there are none, and what is no step is said to be none."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment={"orderId": "o"})
    desk.make(workflow_id, "shipment", REFUSED)
    desk.make(workflow_id, "payment:undo", Completed({}, 200))
    told = desk.get(f"/api/workflows/{workflow_id}/events", step="payment")["events"]
    assert [event["step"] for event in told] == ["payment", "payment", "payment:undo", "payment:undo"]
    path, asked = f"/api/workflows/{workflow_id}/events", {"step": "confirmation"}
    assert all(event["type"] == "step.skipped" for event in desk.get(path, **asked)["events"])
    assert desk.client.get(path, query_string={"step": "chrage"}).status_code == 404


def reasons(desk: Desk, workflow_id: str) -> list[Json]:
    shown: list[Json] = desk.get(f"/api/workflows/{workflow_id}/why")["reasons"]
    return shown


def test_why_with_no_worker(desk: Desk) -> None:
    """The newcomer's first question."""
    [workflow, payment] = reasons(desk, desk.start())
    assert workflow["waitsFor"] == "a worker: none is alive"
    assert workflow["whatWouldChangeThat"] == "start one with: orchestrator worker"
    assert (payment["step"], TIME.fullmatch(payment["until"]) is not None) == ("payment", True)


def test_why_while_a_service_is_asked_and_after_its_worker_was_lost(desk: Desk) -> None:
    """Who has the step, since when, and how long that may take."""
    workflow_id = desk.start()
    desk.claim(workflow_id, "payment")
    [payment] = reasons(desk, workflow_id)
    assert payment["waitsFor"].startswith("the answer to attempt 1, which worker worker-1 made at ")
    assert TIME.fullmatch(payment["until"])
    with desk.database.transaction() as connection:
        connection.execute(update(workers).values(seen_until=0))
    beat(desk.ledger, "worker-2", "here", 2)
    [payment] = reasons(desk, workflow_id)
    assert payment["waitsFor"] == "another worker to take it over: worker-1, which had it, is lost"


def test_why_between_two_attempts(desk: Desk) -> None:
    """What went wrong, and when it is tried again."""
    workflow_id = desk.start()
    desk.make(workflow_id, "payment", BUSY)
    [payment] = reasons(desk, workflow_id)
    assert payment["waitsFor"] == "its next attempt (retry), after attempt 1 ended with: answered 503"
    assert payment["until"] == desk.step(workflow_id, "payment")["wakeAt"]


def test_why_with_a_child_says_what_that_waits_for(desk: Desk) -> None:
    """Down to the service that does not answer."""
    flow = {"type": "parent", "steps": {"travel": {"workflow": "order-processing", "context": ORDER}}}
    answer = desk.post("/api/workflows", {"definition": flow, "context": {}})
    workflow_id = answer.json["workflowId"]  # type: ignore[index]
    desk.make(workflow_id, "travel", Parked(Waiting.CHILD, seconds=60))
    definition = read_folder(WORKFLOWS)["order-processing"]
    child = start(desk.ledger, definition, Start(ORDER, key=child_key(workflow_id, "travel", 0))).workflow_id
    desk.make(child, "payment", BUSY)
    [travel] = reasons(desk, workflow_id)
    assert travel["waitsFor"] == (
        f"the end of the workflow that it started ({child}: running, payment waits for its next attempt (retry), "
        "after attempt 1 ended with: answered 503)"
    )


def test_why_when_paused_compensating_and_over(desk: Desk) -> None:
    """Each with what a person can do."""
    beat(desk.ledger, "worker-1", "here", 1)
    paused = desk.start()
    desk.order(paused, "pause")
    [reason] = reasons(desk, paused)
    assert (reason["waitsFor"], reason["whatWouldChangeThat"]) == (
        "a person to resume: it is paused",
        "resume, or cancel",
    )
    failing = desk.start()
    desk.complete(failing, payment=PAID)
    desk.make(failing, "shipment", REFUSED)
    workflow, undo = reasons(desk, failing)
    assert workflow["waitsFor"].startswith("the undoing of what took effect; it will end failed (shipment: ")
    assert undo["step"] == "payment:undo"
    desk.make(failing, "payment:undo", REFUSED)
    [reason] = reasons(desk, failing)
    assert reason["waitsFor"].startswith("a person: payment could not be undone (failed: shipment: ")
    completed = desk.start({"who": "ada"}, "/api/odd/one.2")
    desk.complete(completed, only=1)
    assert reasons(desk, completed)[0]["waitsFor"] == "nothing: it is completed"


def test_a_view_never_shows_a_workflow_that_runs_with_all_its_steps_done(sqlite_desk: Desk) -> None:
    """Between its two queries the last step settles here: both still see one state. PostgreSQL is asked once."""
    desk = sqlite_desk
    workflow_id = desk.start({"who": "ada"}, "/api/odd/one.2")
    desk.claim(workflow_id, "only")
    settle = Settle(workflow_id, "only", 1, Completed(1, 200), 0.5)
    settled: list[Settled | None] = []

    def settle_now(_c: object, _d: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT steps.name") and not settled:
            settled.append(None)
            settled[0] = desk.ledger.make([settle])[0].reply

    event.listen(desk.database.engine, "before_cursor_execute", settle_now)
    shown = desk.show(workflow_id)
    assert settled == [Settled.COMPLETED]
    assert (shown["status"], shown["steps"][0]["status"]) == ("running", "running")
    assert desk.show(workflow_id)["status"] == "completed"


def test_reading_costs_few_queries(desk: Desk) -> None:
    """However many steps there are: three at most, and a page reads no context."""
    workflow_id = desk.start()
    desk.complete(workflow_id, payment=PAID)
    statements: list[str] = []
    engine = desk.database.engine

    def note(_c: object, _d: object, statement: str, *_: object) -> None:
        if statement not in ("BEGIN", "ROLLBACK"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    for path in (
        f"/{workflow_id}",
        f"/{workflow_id}?view=summary",
        f"/{workflow_id}/events",
        f"/{workflow_id}/why",
        "",
    ):
        statements.clear()
        desk.get(f"/api/workflows{path}")
        assert len(statements) <= 3, statements
    assert not re.search(r"context|result|sealed", " ".join(statements))


def test_pages_are_served_by_an_index(desk: Desk) -> None:
    """Not by sorting the table."""
    desk.start()
    explain = "EXPLAIN " if desk.database.postgresql else "EXPLAIN QUERY PLAN "
    where = ("", "WHERE status = 'running'", "WHERE type = 'odd'", f"WHERE id < '{'f' * 36}'")
    with desk.database.reading() as connection:
        if desk.database.postgresql:
            connection.execute(text("SET enable_seqscan = off"))
        for condition in where:
            query = f"{explain} SELECT id FROM workflows {condition} ORDER BY id DESC LIMIT 5"
            plan = " ".join(str(row) for row in connection.execute(text(query)))
            assert "Index" in plan or "INDEX" in plan, plan
            assert "Sort" not in plan, plan
            assert "TEMP B-TREE" not in plan, plan
