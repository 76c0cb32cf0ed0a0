"""Schedules over HTTP."""

import pytest

from orchestrator.jsontype import Json
from tests.integration.web.desk import ORDER, Desk

NIGHTLY = {
    "id": "nightly",
    "type": "order-processing",
    "context": ORDER,
    "cron": "30 2 * * mon-fri",
    "timezone": "Europe/London",
    "catchUp": "skip",
}


def test_a_schedule_is_made_shown_paused_resumed_triggered_and_deleted(desk: Desk) -> None:
    """Its next runs are shown, its sensitive fields are not."""
    made = desk.post("/api/schedules", NIGHTLY)
    assert (made.status_code, made.headers["Location"]) == (201, "/api/schedules/nightly")
    assert made.json["context"] == {**ORDER, "card": "•••"}
    assert (made.json["catchUp"], made.json["paused"], len(made.json["nextRuns"])) == ("skip", False, 5)
    assert [each["scheduleId"] for each in desk.get("/api/schedules")["schedules"]] == ["nightly"]
    assert desk.post("/api/schedules/nightly/pause").json["nextAt"] is None
    assert desk.post("/api/schedules/nightly/resume").json["nextAt"] == made.json["nextAt"]
    started = desk.post("/api/schedules/nightly/trigger")
    assert started.status_code == 202
    assert desk.show(started.json["workflowId"])["type"] == "order-processing"
    assert desk.get("/api/schedules/nightly")["lastWorkflowId"] == started.json["workflowId"]
    assert desk.post("/api/schedules", NIGHTLY).status_code == 409
    assert desk.client.delete("/api/schedules/nightly").status_code == 200
    assert desk.client.get("/api/schedules/nightly").status_code == 404
    assert desk.post("/api/schedules/nightly/trigger").status_code == 404


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"cron": "soon"}, "cron"),
        ({"every": "15m"}, ""),
        ({"timezone": "Mars"}, "timezone"),
        ({"catchUp": "maybe"}, "catchUp"),
        ({"type": "none"}, "type"),
        ({"type": None}, "type"),
        ({"id": "a b"}, "id"),
        ({"id": "definition:x"}, "id"),
        ({"context": {}}, "context.amount"),
        ({"context": []}, "context"),
        ({"whatever": 1}, "whatever"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_named(sqlite_desk: Desk, change: Json, place: str) -> None:
    """Nothing is made of it."""
    answer = sqlite_desk.post("/api/schedules", {**NIGHTLY, **change})
    assert answer.status_code == 422, answer.text
    assert place in [fault["place"] for fault in answer.json["faults"]]
    assert sqlite_desk.get("/api/schedules")["schedules"] == []


def test_an_interval_has_no_zone(sqlite_desk: Desk) -> None:
    """It is the same everywhere; an id is made where none is given."""
    every = {"type": "order-processing", "context": ORDER, "every": "15m"}
    assert sqlite_desk.post("/api/schedules", {**every, "timezone": "UTC"}).status_code == 422
    assert sqlite_desk.post("/api/schedules", {**every, "every": 0.5}).status_code == 422
    made = sqlite_desk.post("/api/schedules", every)
    assert (made.status_code, made.json["every"]) == (201, 900)
