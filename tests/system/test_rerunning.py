"""A fresh copy that takes over what its original had done, on real workers."""

from orchestrator.ledger.rerunning import rerun
from tests.system.installation import Installation, definition
from tests.system.services import Reply, Services


def test_a_copy_goes_on_from_a_step_with_the_results_before_it(orchestrator: Installation, services: Services) -> None:
    """Nothing before it is called again; a failure of the copy undoes what it took over."""
    services.answer(pay=Reply(body={"id": "p-1"}), ship=Reply(body={"box": 1}))
    steps = {
        "pay": {"next": ["ship"], "compensate": {"targetUrl": f"{services.url}/refund"}},
        "ship": {"payload": {"paid": "${steps.pay.result.id}"}, "next": ["mail"]},
        "mail": {"payload": {"box": "${steps.ship.result.box}"}},
    }
    original = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(original)["status"] == "completed"

    copy = rerun(orchestrator.ledger, original, "ada", start_from="mail")
    orchestrator.publish(copy.publication)
    assert orchestrator.wait(copy.workflow_id)["status"] == "completed"
    assert services.called() == ["pay", "ship", "mail", "mail"]
    assert [call.body for call in services.of("mail")] == [{"box": 1}, {"box": 1}]
    assert len({call.key for call in services.of("mail")}) == 2

    services.answer(ship=Reply(402))
    copy = rerun(orchestrator.ledger, original, "ada", start_from="ship")
    orchestrator.publish(copy.publication)
    row = orchestrator.wait(copy.workflow_id)
    assert (row["status"], row["compensation"]) == ("failed", "completed")
    assert services.called()[4:] == ["ship", "refund"]
    assert services.of("ship")[1].body == {"paid": "p-1"}
    assert services.of("refund")[0].body["result"] == {"id": "p-1"}
