"""The runs that the demo shows, and what each of them must come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.jsontype import Json


@dataclass(frozen=True)
class Story:
    """One run: what the reader is told, what is sent where, how services misbehave meanwhile, and the end.

    `attempts` are those that steps must have needed; `booked` says how often each service must have done its work for
    this workflow; `approve` names a step that the demo approves once it is waited for. Without `context` the call has
    no body.
    """

    title: str
    lesson: str
    entry: str
    context: Json
    status: str
    attempts: Mapping[str, int]
    booked: Mapping[str, int]
    compensation: str = "none"
    faults: Json = field(default_factory=dict)
    approve: str | None = None

    def surprises(self, workflow: Json, books: Mapping[str, Sequence[Json]]) -> list[str]:
        """What came otherwise than told: empty where all went as it must."""
        found = []
        for name, wanted in (("status", self.status), ("compensation", self.compensation)):
            if workflow[name] != wanted:
                found.append(f"its {name} is {workflow[name]}, not {wanted}")
        attempts = {step["name"]: step["attempts"] for step in workflow["steps"]}
        for step, wanted_attempts in self.attempts.items():
            if attempts.get(step) != wanted_attempts:
                found.append(f"{step} took {attempts.get(step)} attempts, not {wanted_attempts}")
        booked = count_of_effects(books, workflow["workflowId"])
        if booked != dict(self.booked):
            found.append(f"the services' books say {booked}, not {dict(self.booked)}")
        return found


def count_of_effects(books: Mapping[str, Sequence[Json]], workflow_id: str) -> dict[str, int]:
    """How often each endpoint did its work for a workflow."""
    counted: dict[str, int] = {}
    for entries in books.values():
        for entry in entries:
            if entry["kind"] == "booked" and entry["workflowId"] == workflow_id:
                counted[entry["step"]] = counted.get(entry["step"], 0) + 1
    return counted


_CARD = "4242 4242 4242 4242"

STORIES = (
    Story(
        title="An order: payment, then shipment, then confirmation",
        lesson="Shipping is down for two calls, and one answer of the e-mail service is lost. Each is asked again.",
        entry="/api/process-order",
        context={"card": _CARD, "amount": 42.5, "address": "1 Analytical Row, London", "email": "ada@example.com"},
        faults={"create-shipment": {"fail": 2, "status": 503}, "send-confirmation": {"fail": 1, "after": True}},
        status="completed",
        attempts={"payment": 1, "shipment": 3, "confirmation": 2},
        booked={"charge-payment": 1, "create-shipment": 1, "send-confirmation": 1},
    ),
    Story(
        title="A subscription: charge and provision side by side",
        lesson="Both begin when the user is validated; the welcome waits for both.",
        entry="/api/subscribe",
        context={"email": "grace@example.com", "plan": "pro", "card": _CARD},
        status="completed",
        attempts={"validate": 1, "charge": 1, "provision": 1, "welcome": 1},
        booked={"validate-user": 1, "charge-payment": 1, "provision-account": 1, "send-welcome": 1},
    ),
    Story(
        title="A subscription that fails, and is undone",
        lesson="No account can be opened. The charge that is on its way meanwhile is waited for, then refunded.",
        entry="/api/subscribe",
        context={"email": "alan@example.com", "plan": "team", "card": _CARD},
        faults={"provision-account": {"fail": 1, "status": 409}},
        status="failed",
        compensation="completed",
        attempts={"validate": 1, "charge": 1, "provision": 1, "welcome": 0},
        booked={"validate-user": 1, "charge-payment": 1, "refund-payment": 1},
    ),
)
