"""A run of each definition in `workflows/examples`, and of the calls that need no definition."""

from datetime import UTC, datetime, timedelta

from orchestrator.demo.stories import Story
from orchestrator.jsontype import Json

_START = "/api/workflows"
_CARD = "4242 4242 4242 4242"


def examples(now: datetime, services: str) -> tuple[Story, ...]:
    """In the order in which they are shown; `services` is where a single call goes, and who is told of an end."""
    soon = (now.astimezone(UTC) + timedelta(seconds=4)).isoformat(timespec="seconds").replace("+00:00", "Z")
    return (*_waiting(soon), *_many_calls(), *_others_work(), *_without_a_definition(services))


def _waiting(soon: str) -> tuple[Story, ...]:
    return (
        Story(
            title="export: a poll, an approval, a timer and a callback",
            lesson="The report is asked for until it is made; the demo approves; the service says what came of it.",
            entry=_START,
            context={"type": "export", "context": {"month": "2026-01", "notBefore": soon}},
            approve="release",
            status="completed",
            attempts={"report": 1, "release": 1, "evening": 1, "delivery": 1},
            booked={"make-report": 1, "deliver-report": 1},
        ),
    )


def _many_calls() -> tuple[Story, ...]:
    return (
        Story(
            title="invoices: a call for each item of a list",
            lesson="Begun two seconds late, as the start asks (delay). Three invoices are due, each is charged.",
            entry=_START,
            context={"type": "invoices", "context": {"month": "2026-01"}, "delay": 2},
            status="completed",
            attempts={"due": 1, "report": 1},
            booked={"due-invoices": 1, "charge-payment": 3, "send-confirmation": 1},
        ),
        Story(
            title="invoices: one item fails, the others are undone",
            lesson="One of the three charges is refused, more than the 5 % that may fail: two refunds.",
            entry=_START,
            context={"type": "invoices", "context": {"month": "2026-02"}},
            faults={"charge-payment": {"fail": 1, "status": 402}},
            status="failed",
            compensation="completed",
            attempts={"due": 1, "report": 0},
            booked={"due-invoices": 1, "charge-payment": 2, "refund-payment": 2},
        ),
    )


def _others_work() -> tuple[Story, ...]:
    order: Json = {"card": _CARD, "amount": 20.0, "address": "1 Analytical Row", "email": "ada@example.com"}
    return (
        Story(
            title="holiday: another workflow as a step, and a limit",
            lesson="An order is a step of this one; the letter counts for the limit `letters`.",
            entry=_START,
            context={"type": "holiday", "context": order},
            status="completed",
            attempts={"letter": 1},
            booked={"send-confirmation": 1},
        ),
        Story(
            title="stock: a Celery task of a team's own worker as a step",
            lesson="`shop.stock.reserve` knows nothing of workflows; its result is the step's.",
            entry=_START,
            context={"type": "stock", "context": {"sku": "SKU-1", "count": 2, "email": "ada@example.com"}},
            status="completed",
            attempts={"confirm": 1},
            booked={"send-confirmation": 1},
        ),
        Story(
            title="payout: services that want to know who is calling",
            lesson="The bank grants a token for the client's secret (OAuth 2.0); the journal wants a key.",
            entry=_START,
            context={"type": "payout", "context": {"supplier": "Brunel & Sons", "amount": 120.0}},
            status="completed",
            attempts={"pay": 1, "journal": 1},
            booked={"pay-supplier": 1, "note-payment": 1},
        ),
    )


def _without_a_definition(services: str) -> tuple[Story, ...]:
    return (
        Story(
            title="renewal: a schedule's tick, and a webhook about its end",
            lesson="On the first of each month at six, and now, because it is asked to; the shop is told, signed.",
            entry="/api/schedules/definition:renewal/trigger",
            context=None,
            status="completed",
            attempts={"charge": 1, "confirm": 1},
            booked={"charge-payment": 1, "send-confirmation": 1, "hook-renewals": 1},
        ),
        Story(
            title="task: one call made durable, without any definition",
            lesson="The first answer is a 503; the outcome is posted to the webhook that the call names.",
            entry="/api/tasks",
            context={
                "targetUrl": f"{services}/api/steps/send-welcome",
                "payload": {"email": "ada@example.com"},
                "webhookUrl": f"{services}/hooks/tasks",
            },
            faults={"send-welcome": {"fail": 1, "status": 503}},
            status="completed",
            attempts={"call": 2},
            booked={"send-welcome": 1, "hook-tasks": 1},
        ),
    )
