"""Limits by API, on the page and by the command: set, seen with their usage, opened and closed."""

from orchestrator.definition import Definition
from orchestrator.ledger.limiting import Limiter
from orchestrator.ledger.starting import Start, start
from orchestrator.moves.claiming import Refusal
from orchestrator.reading import read_document
from tests.integration.web.desk import Desk

ALLOWED = {"concurrency": 1, "rate": "600/m", "circuit": {"failures": 3, "pause": "30s"}}


def test_a_limit_is_set_seen_with_its_usage_and_taken_back(desk: Desk) -> None:
    """A host's limit binds steps whose definitions know nothing of it."""
    put = desk.client.put("/api/limits/services.example", json=ALLOWED)
    assert put.status_code == 200
    assert put.json is not None
    assert (put.json["concurrency"], put.json["rate"], put.json["circuit"]["pause"]) == (1, "10/s", 30.0)
    limiter = Limiter(desk.ledger, "worker-1")
    limiter.tidy()
    ids = [_started(desk) for _ in range(2)]
    replies = [limiter.claim(each, "only").reply for each in ids]
    assert replies[1] is Refusal.PARKED
    [seen] = desk.client.get("/api/limits").json["limits"]  # type: ignore[index]
    assert (seen["key"], seen["inUse"], seen["waiting"], seen["state"]) == ("services.example", 1, 1, "closed")
    why = desk.client.get(f"/api/workflows/{ids[1]}/why").json
    assert why is not None
    [told] = [one["waitsFor"] for one in why["reasons"] if "its turn" in one["waitsFor"]]
    assert told.endswith("(services.example: 1 of 1 slots are taken, 0 steps have waited longer)")
    page = desk.client.get("/limits").get_data(as_text=True)
    assert "services.example" in page
    assert "closed" in page
    assert desk.client.delete("/api/limits/services.example").status_code == 200
    limiter.tidy()
    assert not limiter.needs_slot(_definition().steps["only"].call)


def test_a_circuit_is_opened_and_closed(desk: Desk) -> None:
    """For as long as was said."""
    desk.client.put("/api/limits/bank", json={"concurrency": 5})
    opened = desk.client.post("/api/limits/bank/open", json={"for": "15m"})
    assert opened.json is not None
    assert opened.json["state"] == "open"
    closed = desk.client.post("/api/limits/bank/close")
    assert closed.json is not None
    assert closed.json["state"] == "closed"


def test_what_is_wrong_is_said_with_its_place(desk: Desk) -> None:
    """And a limit that there is not is a 404."""
    wrong = desk.client.put("/api/limits/bank", json={"concurrency": 0, "rate": "fast", "colour": 1})
    assert wrong.status_code == 422
    assert [fault["place"] for fault in wrong.json["faults"]] == ["concurrency", "rate", "colour"]  # type: ignore[index]
    assert desk.client.put("/api/limits/bank", json={}).status_code == 422
    assert desk.client.put("/api/limits/a%20b", json={"concurrency": 1}).status_code == 422
    assert desk.client.post("/api/limits/none/open", json={"for": "15m"}).status_code == 404
    assert desk.client.post("/api/limits/none/open", json={"for": "ages"}).status_code == 422
    assert desk.client.delete("/api/limits/none").status_code == 404


def _definition() -> Definition:
    return read_document({"type": "limited", "steps": {"only": {"targetUrl": "http://services.example/only"}}})


def _started(desk: Desk) -> str:
    return start(desk.ledger, _definition(), Start({})).workflow_id
