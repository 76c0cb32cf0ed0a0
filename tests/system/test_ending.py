"""A step that ends the workflow, on real workers."""

import pytest

from tests.system.installation import Installation, definition
from tests.system.services import Reply, Services


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_a_step_ends_the_workflow_while_its_sibling_is_in_flight(
    orchestrator: Installation, services: Services, end: str
) -> None:
    """The sibling is waited for; nothing follows it; only a failure takes back what was done."""
    services.answer(check=Reply(delay=0.4), slow=Reply(delay=1.2))
    steps = {
        "pay": {"next": ["slow", "check"], "compensate": {"targetUrl": f"{services.url}/refund"}},
        "slow": {"next": ["mail"]},
        "check": {"end": end, "next": ["mail"]},
        "mail": {},
    }
    workflow = orchestrator.start(definition(services.url, steps))
    row = orchestrator.wait(workflow)
    assert row["status"] == end
    assert orchestrator.steps(workflow)["slow"]["status"] == "completed"
    assert sorted(services.called()[:3]) == ["check", "pay", "slow"]
    assert services.called()[3:] == ([] if end == "completed" else ["refund"])
