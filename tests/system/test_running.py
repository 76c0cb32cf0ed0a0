"""Workflows run to their end on real workers, each step called once and in order."""

import pytest

from tests.system.installation import Installation, definition, until
from tests.system.services import Reply, Services

DIAMOND = {
    "validate": {"next": ["charge", "provision"]},
    "charge": {"next": ["welcome"]},
    "provision": {"next": ["welcome"]},
    "welcome": {},
}


def in_full(first: str) -> pytest.MarkDecorator:
    """A load in its full size: on one kind of database in every run, on the other in the slow part."""
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[first]
    return pytest.mark.parametrize("orchestrator", [first, pytest.param(other, marks=pytest.mark.slow)], indirect=True)


def test_a_chain_carries_each_result_to_the_next_step(orchestrator: Installation, services: Services) -> None:
    """What one service answered is what the next one is sent."""
    services.answer(payment=Reply(body={"orderId": "o-1"}), shipment=Reply(body={"trackingId": "t-1"}))
    flow = definition(
        services.url,
        {
            "payment": {"next": ["shipment"]},
            "shipment": {"payload": {"order": "${steps.payment.result.orderId}"}, "next": ["confirmation"]},
            "confirmation": {"payload": {"tracking": "${steps.shipment.result.trackingId}"}},
        },
        output={"orderId": "${steps.payment.result.orderId}"},
    )
    ended = orchestrator.wait(orchestrator.start(flow, {"amount": 5}))
    assert ended["status"] == "completed"
    assert ended["output"] == {"orderId": "o-1"}
    assert services.called() == ["payment", "shipment", "confirmation"]
    assert services.of("shipment")[0].body == {"order": "o-1"}
    assert services.of("confirmation")[0].body == {"tracking": "t-1"}


def test_in_a_diamond_the_branches_overlap_and_the_join_waits_for_both(
    orchestrator: Installation, services: Services
) -> None:
    """Charge and provision are in flight at the same time; welcome starts after both."""
    services.answer(charge=Reply(delay=0.4), provision=Reply(delay=0.4))
    orchestrator.wait(orchestrator.start(definition(services.url, DIAMOND)))
    charge, provision, welcome = (services.of(name)[0] for name in ("charge", "provision", "welcome"))
    assert max(charge.at, provision.at) < min(charge.ended, provision.ended)
    assert welcome.at >= max(charge.ended, provision.ended)
    assert sorted(services.called()) == ["charge", "provision", "validate", "welcome"]


def test_a_service_that_fails_twice_is_called_three_times_with_one_key(
    orchestrator: Installation, services: Services
) -> None:
    """Every attempt of a step carries the same idempotency key, and the workflow goes on after it."""
    services.answer(charge=[Reply(503), Reply(503), Reply(body={"ok": True})])
    workflow = orchestrator.start(definition(services.url, DIAMOND))
    assert orchestrator.wait(workflow)["status"] == "completed"
    assert len({call.key for call in services.of("charge")}) == 1
    assert len(services.of("charge")) == 3
    assert len(services.of("welcome")) == 1
    assert orchestrator.steps(workflow)["charge"]["attempts"] == 3


def test_a_failure_undoes_what_took_effect_backwards(orchestrator: Installation, services: Services) -> None:
    """The failed step is not undone, what came before it is, last first, each told what its step had answered."""
    services.answer(payment=Reply(body={"id": 7}), confirm=Reply(422, {"why": "no"}))
    flow = definition(
        services.url,
        {
            "payment": {
                "next": ["shipment"],
                "compensate": {"targetUrl": f"{services.url}/refund", "payload": {"id": "${steps.payment.result.id}"}},
            },
            "shipment": {"next": ["confirm"], "compensate": {"targetUrl": f"{services.url}/recall"}},
            "confirm": {"compensate": {"targetUrl": f"{services.url}/unsay"}},
        },
    )
    ended = orchestrator.wait(orchestrator.start(flow))
    assert (ended["status"], ended["compensation"]) == ("failed", "completed")
    assert ended["error"]["step"] == "confirm"
    assert services.called() == ["payment", "shipment", "confirm", "recall", "refund"]
    assert services.of("refund")[0].body == {"id": 7}


def test_a_branch_in_flight_is_waited_for_and_then_undone(orchestrator: Installation, services: Services) -> None:
    """Provision fails while charge is on its way: the charge is refunded after it ended, never left."""
    services.answer(charge=Reply(delay=0.5), provision=Reply(400))
    steps = {**DIAMOND, "charge": {"next": ["welcome"], "compensate": {"targetUrl": f"{services.url}/refund"}}}
    ended = orchestrator.wait(orchestrator.start(definition(services.url, steps)))
    assert (ended["status"], ended["compensation"]) == ("failed", "completed")
    [charge], [refund] = services.of("charge"), services.of("refund")
    assert refund.at >= charge.ended
    assert services.of("welcome") == []


def test_a_duplicate_message_calls_nobody_twice(orchestrator: Installation, services: Services) -> None:
    """However often Redis delivers, the ledger lets a step run once."""
    services.answer(payment=Reply(delay=0.3))
    workflow = orchestrator.start(definition(services.url, {"payment": {"next": ["mail"]}, "mail": {}}))
    for _ in range(5):
        orchestrator.send_again(workflow, "payment")
        orchestrator.send_again(workflow, "mail")
    assert orchestrator.wait(workflow)["status"] == "completed"
    orchestrator.send_again(workflow, "payment")
    assert services.called() == ["payment", "mail"]


def test_cancel_waits_for_the_call_in_flight_and_undoes_it(orchestrator: Installation, services: Services) -> None:
    """After a cancel nothing more is started; what took effect is undone."""
    services.answer(payment=Reply(delay=0.6))
    steps = {"payment": {"next": ["mail"], "compensate": {"targetUrl": f"{services.url}/refund"}}, "mail": {}}
    workflow = orchestrator.start(definition(services.url, steps))
    until(lambda: orchestrator.steps(workflow)["payment"]["status"] == "running", 10, "the payment to be called")
    orchestrator.control(workflow, "cancel")
    ended = orchestrator.wait(workflow)
    assert (ended["status"], ended["compensation"]) == ("cancelled", "completed")
    assert services.called() == ["payment", "refund"]


def test_retry_goes_on_from_the_failed_step(orchestrator: Installation, services: Services) -> None:
    """What completed is kept; the failed step is called again, under a new key as the service had refused the old."""
    services.answer(shipment=[Reply(409), Reply(body={"sent": True})])
    steps = {"payment": {"next": ["shipment"]}, "shipment": {"next": ["mail"]}, "mail": {}}
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "failed"
    orchestrator.control(workflow, "retry")
    assert orchestrator.wait(workflow)["status"] == "completed"
    assert services.called() == ["payment", "shipment", "shipment", "mail"]
    first, second = services.of("shipment")
    assert first.key != second.key


@in_full("postgresql")
def test_a_fan_in_of_1100_goes_on_once(orchestrator: Installation, services: Services) -> None:
    """More than one chord carries, into one step."""
    width = 1_100
    steps = {f"s{i}": {"payload": {}, "next": ["join"]} for i in range(width)} | {"join": {"payload": {}}}
    ended = orchestrator.wait(orchestrator.start(definition(services.url, steps)), seconds=60)
    assert ended["status"] == "completed"
    assert len(services.books) == width + 1
    assert services.called()[-1] == "join"


@in_full("sqlite")
def test_a_chain_of_1000_steps_completes_in_order(orchestrator: Installation, services: Services) -> None:
    """Deep, with cost that does not grow with the depth."""
    names = [f"s{i}" for i in range(1_000)]
    steps = {name: {"payload": {}, "next": names[i + 1 : i + 2]} for i, name in enumerate(names)}
    ended = orchestrator.wait(orchestrator.start(definition(services.url, steps)), seconds=90)
    assert ended["status"] == "completed"
    assert services.called() == names


@pytest.mark.parametrize("many", [150, pytest.param(1_000, marks=pytest.mark.slow)])
def test_orders_at_once_call_each_service_once_per_step(
    orchestrator: Installation, services: Services, many: int
) -> None:
    """No order is lost, none is charged twice."""
    steps = {"payment": {"next": ["shipment"]}, "shipment": {"next": ["mail"]}, "mail": {}}
    flow = definition(services.url, steps)
    workflows = [orchestrator.start(flow, {"order": i}) for i in range(many)]
    assert {orchestrator.wait(workflow, seconds=60)["status"] for workflow in workflows} == {"completed"}
    assert len(services.books) == 3 * many
    assert len({(call.headers["x-workflow-id"], call.service) for call in services.books}) == 3 * many


def test_a_start_wider_than_a_client_should_wait_for_is_sent_by_a_worker(
    orchestrator: Installation, services: Services
) -> None:
    """200 steps begin at once: one message asks a worker to send theirs."""
    steps = {f"s{i}": {"payload": {}, "next": ["join"]} for i in range(200)} | {"join": {"payload": {}}}
    workflow = orchestrator.start(definition(services.url, steps), at_once=20)
    assert orchestrator.wait(workflow)["status"] == "completed"
    assert len(services.books) == 201
    assert services.called()[-1] == "join"
    assert not [event for event in orchestrator.events(workflow) if event["type"] == "step.resent"]
