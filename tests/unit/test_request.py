"""The request of an attempt: what it says where it cannot be made, and what an undo is told of an unknown outcome."""

import json
from base64 import b64encode
from dataclasses import replace
from typing import cast
from urllib.parse import parse_qs

import pytest
from cryptography.fernet import Fernet

from orchestrator.attempt import Bench, attempt
from orchestrator.call import Caller
from orchestrator.errors import ExpressionError
from orchestrator.jsontype import Json
from orchestrator.ledger.book import Made
from orchestrator.ledger.clerk import Clerk
from orchestrator.ledger.materials import Materials
from orchestrator.moves.move import Settle
from orchestrator.moves.settling import Settled
from orchestrator.outcome import Failed, Outcome
from orchestrator.reading import read_document
from orchestrator.request import Surroundings, idempotency_key, request_for, shown
from orchestrator.sealing import MASK, Sealer, split
from orchestrator.states import Effect, StepStatus
from orchestrator.workflow import Kind, Publication, StepState

CARD = "4111111111111111"
SECRET = "sk_live_1"
AROUND = Surroundings({}, {"STRIPE": SECRET}, Sealer([Fernet.generate_key().decode()]))


def of(step: StepState, *, undone: StepState | None = None, compensate: Json = None, **charge: Json) -> Materials:
    """The materials of an attempt of `charge`, or of its undo; the client's card is sensitive."""
    charge = {"targetUrl": "https://pay.test/charges", **charge}
    if compensate is not None:
        charge["compensate"] = {"targetUrl": "https://refunds.test", **compensate}
    definition = read_document({"type": "order", "sensitive": ["context.card"], "steps": {"charge": charge}})
    context, fields = split({"card": {"number": CARD}, "plan": "pro"}, definition.sensitive)
    seen = {"charge": {"status": "failed", "result": None, "error": None, "attempts": 1}}
    sealed = AROUND.sealer.seal(fields)
    return Materials("w-1", definition, 0.0, step, 1, 30.0, context, sealed, None, seen, undone)


def undo(compensate: Json, **charge: Json) -> bytes:
    """The body that undoes a charge of which nobody knows whether it took effect."""
    unknown = StepState("charge", status=StepStatus.FAILED, effect=Effect.UNKNOWN)
    undoing = of(StepState("charge:undo", kind=Kind.UNDO), undone=unknown, compensate=compensate, **charge)
    return request_for(undoing, AROUND).body or b""


def form(body: bytes) -> dict[str, str]:
    """The fields of a form."""
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


class OneAttempt:
    """A clerk who hands these materials out, and keeps what came of them."""

    def __init__(self, materials: Materials) -> None:
        self._materials = materials
        self.outcome: Outcome | None = None

    def claim(self, *_: str) -> Made[Materials]:
        """Always granted."""
        return Made(self._materials, Publication("w-1", "order"))

    def settle(self, move: Settle, *, patience: float) -> Made[Settled]:
        """Keep it."""
        self.outcome = move.outcome
        return Made(Settled.FAILED, Publication("w-1", "order"))


def attempted(materials: Materials, around: Surroundings = AROUND) -> Failed:
    """How an attempt fails that cannot make its request."""
    clerk = OneAttempt(materials)
    attempt(Bench("w", cast(Clerk, clerk), Caller(), around, lambda _: None), "w-1", "charge")
    assert isinstance(clerk.outcome, Failed)
    return clerk.outcome


def test_no_error_shows_what_a_field_held() -> None:
    """Errors go into the audit log, to the API and to ops; the first 60 characters of a card did, too."""
    with pytest.raises(ExpressionError, match="header X-Card must be a text or a number, but is an object") as raised:
        request_for(of(StepState("charge"), headers={"X-Card": "${context.card}"}), AROUND)
    assert CARD not in str(raised.value)


def test_an_error_that_nobody_expected_settles_the_step_and_does_not_show_its_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What an exception says may be what a field held: neither the ledger nor the log is given it."""

    def break_down(*_: object) -> None:
        raise RuntimeError(CARD)

    monkeypatch.setattr("orchestrator.making.request_for", break_down)
    failed = attempted(of(StepState("charge")))
    assert failed.effect is Effect.UNKNOWN
    assert "RuntimeError in break_down" in failed.error.message
    assert CARD not in failed.error.message + caplog.text


def test_a_condition_that_is_none_does_not_show_its_value() -> None:
    """`when: ${context.card}` is how one says, wrongly, that there is a card."""
    failed = attempted(of(StepState("charge"), when="${context.card}"))
    assert failed.error.message == "`when` must come out true or false, but ${context.card} is an object"
    assert failed.effect is Effect.NONE


def test_a_worker_with_another_key_has_sent_nothing() -> None:
    """It said so only in its log: the step was taken for lost, with unknown effect, and undone in the end."""
    stranger = replace(AROUND, sealer=Sealer([Fernet.generate_key().decode()]))
    failed = attempted(of(StepState("charge")), stranger)
    assert (failed.effect, failed.retryable) == (Effect.NONE, True)
    assert "ORCHESTRATOR_ENCRYPTION_KEY" in failed.error.message


@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        ({"bearer": "${secret.STRIPE}"}, {"Authorization": f"Bearer {SECRET}"}, {}),
        (
            {"basic": {"username": "${context.plan}", "password": "${secret.STRIPE}"}},
            {"Authorization": f"Basic {b64encode(f'pro:{SECRET}'.encode()).decode()}"},
            {},
        ),
        ({"apiKey": {"header": "X-Key", "value": "k ${secret.STRIPE}"}}, {"X-Key": f"k {SECRET}"}, {}),
        ({"apiKey": {"query": "key", "value": "${secret.STRIPE}"}}, {}, {"key": SECRET}),
    ],
)
def test_credentials_travel_beside_the_request(auth: Json, headers: dict[str, str], query: dict[str, str]) -> None:
    """Not in it, so what the audit log keeps of the request has nothing of them."""
    materials = of(StepState("charge"), auth=auth)
    request = request_for(materials, AROUND)
    assert request.credentials is not None
    assert (request.credentials.headers, request.credentials.query) == (headers, query)
    kept = json.dumps([shown(materials, request), dict(request.headers), request.url, repr(request)])
    assert SECRET not in kept
    assert "Authorization" not in kept
    assert SECRET in request.private


def test_credentials_that_cannot_be_sent_are_said_without_their_value() -> None:
    """Nothing was sent, and no other attempt would be."""
    colon = {"basic": {"username": "a:${secret.STRIPE}", "password": "${secret.STRIPE}"}}
    failed = attempted(of(StepState("charge"), auth=colon))
    assert (failed.error.kind, failed.effect, failed.retryable) == ("expression", Effect.NONE, False)
    assert SECRET not in failed.error.message
    unset = attempted(of(StepState("charge"), auth={"bearer": "${secret.OTHER}"}))
    assert unset.error.message == "auth.bearer reads ORCHESTRATOR_SECRET_OTHER, which this worker does not have"


def test_a_token_that_cannot_be_had_is_worth_another_attempt() -> None:
    """Nothing was sent to the service itself."""
    oauth2 = {"tokenUrl": "http://127.0.0.1:1/token", "clientId": "me", "clientSecret": "${secret.STRIPE}"}
    failed = attempted(of(StepState("charge"), auth={"oauth2": oauth2}))
    assert (failed.error.kind, failed.effect, failed.retryable) == ("auth", Effect.NONE, True)


def test_an_undo_by_form_is_told_the_original_request_as_json() -> None:
    """An object is no field of a form: the undo failed before it was sent, and its error showed the request."""
    body = undo({"encoding": "form"}, encoding="form", payload={"amount": 100})
    sent = form(body)
    assert json.loads(sent["originalRequest"]) == {"amount": 100}
    assert (sent["outcome"], sent["originalIdempotencyKey"]) == ("unknown", idempotency_key("w-1", "charge", 0))


def test_an_original_request_is_told_without_what_is_secret() -> None:
    """The undo goes to whom its own request names; the card and the key were for the service that was charged."""
    told = json.loads(
        undo({}, payload={"amount": 100, "plan": "${context.plan}", "card": "${context.card}", "k": "${secret.STRIPE}"})
    )
    assert told["originalRequest"] == {"amount": 100, "plan": "pro", "card": MASK, "k": MASK}


def test_an_undo_by_form_is_told_the_result_as_json() -> None:
    """That is, a form without a payload of its own."""
    done = StepState("charge", status=StepStatus.COMPLETED, effect=Effect.DONE)
    materials = of(StepState("charge:undo", kind=Kind.UNDO), undone=done, compensate={"encoding": "form"})
    materials.steps["charge"] = {"status": "completed", "result": {"id": "t-1"}, "error": None, "attempts": 1}
    assert json.loads(form(request_for(materials, AROUND).body or b"")["result"]) == {"id": "t-1"}


def test_an_undo_is_told_the_key_although_the_request_cannot_be_shown() -> None:
    """A wrong key would name a charge that nobody made."""
    payload = {"last4": "${join('', [context.card.number, secret.STRIPE])}"}
    told = json.loads(undo({}, payload=payload, idempotencyKey="${context.plan}-1"))
    assert (told["originalRequest"], told["originalIdempotencyKey"]) == (None, "pro-1")
