"""`webhooks` and `schedule` of a definition: what is read, and what is refused with its place."""

import pytest

from orchestrator.definition import Schedule
from orchestrator.errors import DefinitionError
from orchestrator.jsontype import Json
from orchestrator.reading import read_document, read_file
from orchestrator.rhythm import Rhythm
from orchestrator.settings import bundled

EXAMPLES = [path for path in sorted((bundled("workflows") / "examples").glob("*.yaml")) if ".tests." not in path.name]


def document(**top: Json) -> Json:
    return {"type": "order", "steps": {"only": {"targetUrl": "http://s/only"}}, **top}


def faults(**top: Json) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        read_document(document(**top))
    return [fault.place for fault in caught.value.faults]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_be_read(path: object) -> None:
    """And is found again from its own document."""
    read = read_file(path)  # type: ignore[arg-type]  # a Path, which parametrize does not say
    assert read_document(read.document).version == read.version


def test_a_webhook_and_a_schedule_are_read() -> None:
    """Also in snake_case; what is left out has its default."""
    read = read_document(
        document(
            webhooks=[{"url": "${vars.HOOK}", "secret": "${secret.HOOK}"}, {"url": "http://x/", "events": ["failed"]}],
            schedule={"cron": "0 3 * * *", "timezone": "Europe/London", "catch_up": "all"},
        )
    )
    assert [webhook.secret for webhook in read.webhooks] == ["HOOK", None]
    assert [sorted(webhook.events) for webhook in read.webhooks] == [["cancelled", "completed", "failed"], ["failed"]]
    assert read.schedule == Schedule(Rhythm("0 3 * * *", timezone="Europe/London"), "all", {})
    assert read.secrets == {"HOOK"}


@pytest.mark.parametrize(
    ("webhooks", "place"),
    [
        ({"url": "http://x/"}, "webhooks"),
        ([{}], "webhooks[0]"),
        (["http://x/"], "webhooks[0]"),
        ([{"url": "hook"}], "webhooks[0].url"),
        ([{"url": "http://x/${steps.only.result}"}], "webhooks[0].url"),
        ([{"url": "http://x/", "events": []}], "webhooks[0].events"),
        ([{"url": "http://x/", "events": ["ended"]}], "webhooks[0].events"),
        ([{"url": "http://x/", "events": [{}]}], "webhooks[0].events"),
        ([{"url": "http://x/", "secret": "whsec_literal"}], "webhooks[0].secret"),
        ([{"url": "http://x/", "secret": "${secret.A}${secret.B}"}], "webhooks[0].secret"),
        ([{"url": "http://x/"}] * 11, "webhooks"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_named(webhooks: Json, place: str) -> None:
    """A secret that stands there itself would be kept in the ledger and shown."""
    assert place in faults(webhooks=webhooks)


@pytest.mark.parametrize(
    ("schedule", "place"),
    [
        ("daily", "schedule"),
        ({}, "schedule"),
        ({"cron": "0 3 * * *", "every": "1h"}, "schedule"),
        ({"cron": "0 25 * * *"}, "schedule.cron"),
        ({"cron": 5}, "schedule.cron"),
        ({"every": 0.5}, "schedule.every"),
        ({"every": "400d"}, "schedule.every"),
        ({"every": "1h", "timezone": "UTC"}, "schedule.timezone"),
        ({"cron": "0 3 * * *", "timezone": "Nowhere"}, "schedule.timezone"),
        ({"cron": "0 3 * * *", "catchUp": "none"}, "schedule.catchUp"),
        ({"cron": "0 3 * * *", "context": []}, "schedule.context"),
        ({"cron": "0 3 * * *", "at": 3}, "schedule.at"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_named(schedule: Json, place: str) -> None:
    """With its place."""
    assert place in faults(schedule=schedule)


def test_a_schedules_context_must_fit_the_input() -> None:
    """Or it would fail at its first tick, in the night."""
    wanted = {"type": "object", "required": ["amount"]}
    assert faults(input=wanted, schedule={"cron": "0 3 * * *"}) == ["schedule"]
    assert read_document(document(input=wanted, schedule={"cron": "0 3 * * *", "context": {"amount": 1}})).schedule
