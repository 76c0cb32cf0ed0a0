"""What is tried again, and for how long, on real workers."""

from tests.system.installation import Installation, definition, until
from tests.system.services import Reply, Services

QUICK = {"delay": 0.1, "factor": 1, "jitter": "none"}


def test_a_definition_says_what_is_worth_a_retry(orchestrator: Installation, services: Services) -> None:
    """A 409 and an answer that says 'pending' are tried again here, a 503 is not."""
    services.answer(pay=[Reply(409), Reply(body={"state": "pending"}), Reply(body={"state": "paid"})], ship=Reply(503))
    retry = {**QUICK, "on": [409, "${response.body.state == 'pending'}"]}
    steps = {
        "pay": {"success": "response.body.state == 'paid'", "retry": retry, "next": ["ship"]},
        "ship": {"retry": retry},
    }
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "failed"
    assert services.called() == ["pay", "pay", "pay", "ship"]


def test_a_wait_beyond_the_budget_is_not_begun(orchestrator: Installation, services: Services) -> None:
    """The service asks for an hour, the definition has two seconds: the step fails, and says why."""
    services.answer(pay=[Reply(503), Reply(503, headers={"Retry-After": "3600"})])
    workflow = orchestrator.start(definition(services.url, {"pay": {"retry": {**QUICK, "budget": 2}}}))
    row = orchestrator.wait(workflow, seconds=10)
    assert row["status"] == "failed"
    assert len(services.of("pay")) == 2
    assert "the 3600 s that the service asks to be left alone" in row["error"]["message"]
    assert "`retry.budget` of 2s" in orchestrator.steps(workflow)["pay"]["error"]["message"]


def test_a_call_in_flight_at_the_deadline_of_its_step_is_cut_off_and_undone(
    orchestrator: Installation, services: Services
) -> None:
    """The time-out alone would have let it go on for half a minute, and be made again."""
    services.answer(pay=Reply(delay=3.5))
    steps = {"pay": {"deadline": 1, "compensate": {"targetUrl": f"{services.url}/refund"}}}
    workflow = orchestrator.start(definition(services.url, steps))
    row = orchestrator.wait(workflow, seconds=10)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    assert row["error"]["kind"] == "deadline"
    assert row["completed_at"] - row["created_at"] < 3.5  # the call itself takes as long
    assert services.of("refund")[0].body["outcome"] == "unknown"
    until(lambda: len(services.of("pay")) == 1, 10, "the call that was cut off to come into the books")


def test_a_parked_step_is_failed_by_its_deadline(orchestrator: Installation, services: Services) -> None:
    """Its next attempt would have come in time for its retries, but not for its deadline."""
    services.answer(pay=Reply(503))
    steps = {"pay": {"deadline": 1.5, "retries": 9, "retry": {"delay": 0.6, "factor": 1, "jitter": "none"}}}
    row = orchestrator.wait(orchestrator.start(definition(services.url, steps)), seconds=10)
    assert row["error"]["kind"] == "deadline"
    assert len(services.of("pay")) <= 3
