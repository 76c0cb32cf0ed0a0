"""A start that is put off, on real workers: begun in time, once, and by whoever is there."""

import time

from orchestrator.beginning import Beginning
from orchestrator.ledger.starting import Start, start
from tests.system.installation import Installation, definition
from tests.system.services import Services


def test_a_start_that_is_put_off_runs_in_its_time(orchestrator: Installation, services: Services) -> None:
    """Nothing waits in Redis meanwhile; each step is called once, in order."""
    diamond = definition(
        services.url, {"a": {"next": ["b", "c"]}, "b": {"next": ["d"]}, "c": {"next": ["d"]}, "d": {}, "e": {}}
    )
    begun = time.time()
    started = start(orchestrator.ledger, diamond, Start({}, beginning=Beginning(delay=2)))
    orchestrator.publish(started.publication)
    with orchestrator.redis() as client:
        assert client.llen("orchestrator") == 0
    assert orchestrator.wait(started.workflow_id)["status"] == "completed"
    assert sorted(services.called()) == ["a", "b", "c", "d", "e"]
    assert 2.0 <= min(call.at for call in services.books) - begun < 5.0
