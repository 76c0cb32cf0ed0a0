"""A step with `forEach` on real workers: one call an item of a list that is known only at run time.

Pattern 14 of the Workflow Patterns Initiative: multiple instances with a priori run-time knowledge.
"""

from orchestrator.jsontype import Json
from tests.system.installation import Installation, definition
from tests.system.services import Reply, Services


def each(
    services: Services, count: int, *, tolerate: int | str = 0, parallel: int = 20, **own: Json
) -> dict[str, Json]:
    """`list` gives so many items, `send` is called for each of them, `report` reads the results."""
    listed = [{"id": f"i-{place}", "n": place} for place in range(count)]
    services.answer(list=Reply(body={"items": listed}))
    return {
        "list": {"next": ["send"]},
        "send": {
            "targetUrl": f"{services.url}/send-${{index}}",
            "forEach": {"items": "${steps.list.result.items}", "maxParallel": parallel, "tolerate": tolerate},
            "payload": {"id": "${item.id}"},
            "result": "{sent: response.body.by}",
            "compensate": {
                "targetUrl": f"{services.url}/take-back",
                "payload": {"id": "${item.id}", "n": "${index}", "sent": "${steps.send.result.sent}"},
            },
            "next": ["report"],
            **own,
        },
        "report": {"payload": {"sent": "${steps.send.result}"}},
    }


def test_each_item_is_called_once_and_the_results_are_in_order(orchestrator: Installation, services: Services) -> None:
    """A later step reads one list."""
    steps = each(services, 50)
    workflow = orchestrator.start(definition(services.url, steps))
    assert orchestrator.wait(workflow)["status"] == "completed"
    assert services.called()[0] == "list"
    assert services.called()[-1] == "report"
    calls = [call for call in services.books if call.service.startswith("send")]
    assert len({call.key for call in calls}) == len(calls) == 50
    assert {call.service: call.body for call in calls} == {f"send-{i}": {"id": f"i-{i}"} for i in range(50)}
    assert services.of("report")[0].body == {"sent": [{"sent": f"send-{i}"} for i in range(50)]}
