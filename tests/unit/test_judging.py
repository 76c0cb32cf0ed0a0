"""An answer, or its absence, and what it means for the step."""

import pytest

from orchestrator.definition import RetryOn
from orchestrator.expressions import Expression, compile_expression
from orchestrator.jsontype import Json
from orchestrator.judging import judge
from orchestrator.outcome import Answer, Completed, Failed, NoAnswer, StepError
from orchestrator.states import Effect

NOW = 1_559_559_600.0  # 2019-06-03T11:00:00Z
NONE, DONE, UNKNOWN = Effect.NONE, Effect.DONE, Effect.UNKNOWN


def judged(
    answer: Answer | NoAnswer, success: str | None = None, result: str | None = None, idempotent: bool = True
) -> Completed | Failed:
    """The judgement, with expressions as definitions write them."""
    return judge(answer, success=_compiled(success), result=_compiled(result), idempotent=idempotent, now=NOW)


def failed(answer: Answer | NoAnswer, success: str | None = None, idempotent: bool = True) -> Failed:
    """The judgement of what must be a failure."""
    outcome = judged(answer, success, idempotent=idempotent)
    assert isinstance(outcome, Failed)
    return outcome


def _compiled(text: str | None) -> Expression | None:
    return None if text is None else compile_expression(text)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226])
def test_every_2xx_is_a_success_whose_result_is_the_body(status: int) -> None:
    """Without expressions the status decides and the body is kept."""
    assert judged(Answer(status, body={"id": 7})) == Completed({"id": 7}, status)


def test_the_result_expression_makes_the_result_of_the_whole_answer() -> None:
    """It reads status, headers and body."""
    answer = Answer(201, {"location": "/orders/7"}, {"data": {"id": 7}})
    made = judged(answer, result="{id: response.body.data.id, at: response.headers.location, s: response.status}")
    assert made == Completed({"id": 7, "at": "/orders/7", "s": 201}, 201)


@pytest.mark.parametrize(
    ("status", "effect", "retryable"),
    [
        (101, NONE, False),
        (300, NONE, False),
        (302, NONE, False),
        (303, UNKNOWN, False),
        (304, NONE, False),
        (307, NONE, False),
        (400, NONE, False),
        (401, NONE, False),
        (402, NONE, False),
        (404, NONE, False),
        (408, NONE, True),
        (409, NONE, False),
        (410, NONE, False),
        (422, NONE, False),
        (425, NONE, True),
        (429, NONE, True),
        (499, NONE, False),
        (500, UNKNOWN, True),
        (501, NONE, False),
        (502, UNKNOWN, True),
        (503, NONE, True),
        (504, UNKNOWN, True),
        (505, NONE, False),
        (507, UNKNOWN, True),
        (520, UNKNOWN, True),
        (527, UNKNOWN, True),
        (528, UNKNOWN, True),
        (599, UNKNOWN, True),
        (600, UNKNOWN, False),
        (999, UNKNOWN, False),
    ],
)
def test_each_status_has_its_effect_and_its_retry(status: int, effect: Effect, retryable: bool) -> None:
    """The table of the module, row by row; a body that cannot be kept changes nothing about the status."""
    outcome = failed(Answer(status, body="no"))
    assert (outcome.error.kind, outcome.effect, outcome.retryable) == ("http", effect, retryable)
    assert outcome.error.status == status
    unkept = failed(NoAnswer("answer", "too long", True, status))
    assert (unkept.error.kind, unkept.effect, unkept.retryable) == ("answer", effect, retryable)


def test_the_error_names_the_status_in_words() -> None:
    """A person reads "402 Payment Required", not a number."""
    assert failed(Answer(402)).error == StepError("http", "answered 402 Payment Required", 402)
    assert failed(Answer(520)).error.message == "answered 520"


@pytest.mark.parametrize(
    ("kind", "effect", "retryable"),
    [
        ("dns", NONE, True),
        ("refused", NONE, True),
        ("connect", NONE, True),
        ("tls", NONE, True),
        ("blocked", NONE, False),
        ("request", NONE, False),
    ],
)
def test_what_was_never_sent_had_no_effect(kind: str, effect: Effect, retryable: bool) -> None:
    """Connection errors are worth another attempt, also where the service honours no key; refusals are not."""
    for idempotent in (True, False):
        outcome = failed(NoAnswer(kind, "why", sent=False), idempotent=idempotent)
        assert (outcome.effect, outcome.retryable) == (effect, retryable)
        assert outcome.error == StepError(kind, "why")


@pytest.mark.parametrize("kind", ["timeout", "dropped"])
@pytest.mark.parametrize("status", [None, 200, 503])
def test_what_was_sent_and_not_wholly_answered_has_an_unknown_effect(kind: str, status: int | None) -> None:
    """Even the status alone proves nothing: the answer was not whole."""
    outcome = failed(NoAnswer(kind, "why", sent=True, status=status))
    assert (outcome.effect, outcome.retryable) == (UNKNOWN, True)


def test_an_answer_with_2xx_that_cannot_be_kept_took_effect() -> None:
    """The service did it; calling again would not make its answer any better."""
    outcome = failed(NoAnswer("answer", "not JSON", sent=True, status=200))
    assert (outcome.effect, outcome.retryable) == (DONE, False)


def test_an_answer_that_is_no_http_says_nothing() -> None:
    """Whoever answered, it may have been done."""
    outcome = failed(NoAnswer("answer", "not HTTP", sent=True))
    assert (outcome.effect, outcome.retryable) == (UNKNOWN, True)


@pytest.mark.parametrize(
    ("kind", "status", "effect", "retryable"),
    [
        ("refused", 307, NONE, True),
        ("dns", 301, NONE, True),
        ("blocked", 307, NONE, False),
        ("request", 302, NONE, False),
        ("connect", 303, UNKNOWN, True),
        ("blocked", 303, UNKNOWN, False),
    ],
)
def test_an_unreached_redirect_had_the_effect_that_the_redirect_says(
    kind: str, status: int, effect: Effect, retryable: bool
) -> None:
    """307 means "not here"; 303 means "done, look there"."""
    outcome = failed(NoAnswer(kind, "why", sent=True, status=status))
    assert (outcome.effect, outcome.retryable) == (effect, retryable)


def test_where_success_holds_the_status_does_not_matter() -> None:
    """A service that answers 404 to a second deletion has done what was asked."""
    answer = Answer(404, body={"code": "ALREADY_DELETED"})
    success = "response.status == `200` || response.body.code == 'ALREADY_DELETED'"
    assert judged(answer, success) == Completed({"code": "ALREADY_DELETED"}, 404)


@pytest.mark.parametrize(
    ("status", "effect", "retryable"), [(200, NONE, False), (402, NONE, False), (503, NONE, True), (504, UNKNOWN, True)]
)
def test_where_success_does_not_hold_the_step_is_rejected(status: int, effect: Effect, retryable: bool) -> None:
    """A 200 with an error inside is the service saying no; another status keeps its meaning."""
    outcome = failed(Answer(status, body={"ok": False}), "response.body.ok")
    assert (outcome.error.kind, outcome.effect, outcome.retryable) == ("rejected", effect, retryable)


@pytest.mark.parametrize(
    ("body", "shown"), [(None, "null"), ({}, "null"), ({"ok": "yes"}, "a text"), ({"ok": [1]}, "an array")]
)
def test_a_success_that_is_neither_true_nor_false_is_a_failure_that_says_so(body: Json, shown: str) -> None:
    """The answer was 2xx, so the call took effect; the value itself is not shown."""
    outcome = failed(Answer(200, body=body), "response.body.ok")
    assert outcome.error == StepError("expression", f"`success` must be true or false; it is {shown}", 200)
    assert (outcome.effect, outcome.retryable) == (DONE, False)


def test_a_success_that_is_no_boolean_keeps_the_retry_of_the_status() -> None:
    """A 503 without a body is a 503."""
    outcome = failed(Answer(503), "response.body.ok")
    assert (outcome.error.kind, outcome.effect, outcome.retryable) == ("expression", NONE, True)


def test_expressions_that_cannot_be_evaluated_are_failures_of_the_step() -> None:
    """The call took effect all the same, so it can be undone."""
    for success, result in ((None, "length(response.body)"), ("length(response.body) == `1`", None)):
        outcome = judged(Answer(200, body=7), success, result)
        assert isinstance(outcome, Failed)
        assert (outcome.error.kind, outcome.effect, outcome.retryable) == ("expression", DONE, False)
        assert "length" in outcome.error.message


@pytest.mark.parametrize(
    ("status", "asked", "wait"),
    [
        (429, "120", 120),
        (503, "Mon, 03 Jun 2019 11:02:00 GMT", 120),
        (503, "Mon, 03 Jun 2019 10:02:00 GMT", None),
        (429, "soon", None),
        (500, "120", None),
        (404, "120", None),
    ],
)
def test_retry_after_counts_where_it_belongs(status: int, asked: str, wait: float | None) -> None:
    """On 429 and 503, in every form; elsewhere it asks for nothing."""
    assert failed(Answer(status, {"retry-after": asked})).retry_after == wait


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (NoAnswer("timeout", "", sent=True), False),
        (NoAnswer("dropped", "", sent=True), False),
        (NoAnswer("answer", "", sent=True), False),
        (NoAnswer("answer", "", sent=True, status=503), False),
        (NoAnswer("answer", "", sent=True, status=429), True),
        (NoAnswer("refused", "", sent=True, status=307), False),
        (NoAnswer("refused", "", sent=False), True),
        (Answer(408), False),
        (Answer(425), False),
        (Answer(429), True),
        (Answer(500), False),
        (Answer(502), False),
        (Answer(503), False),
        (Answer(503, {"retry-after": "5"}), True),
        (Answer(404), False),
    ],
)
def test_a_service_without_idempotency_is_called_again_only_where_it_did_nothing(
    answer: Answer | NoAnswer, retryable: bool
) -> None:
    """Before sending, on 429, and on 503 that says when."""
    assert failed(answer, idempotent=False).retryable is retryable


def retried(answer: Answer | NoAnswer, on: RetryOn, *, idempotent: bool = True, **scope: Json) -> Failed:
    """The judgement where the definition says itself what is worth a retry; what it is must be a failure."""
    success = compile_expression("response.status != `202` && response.status < `300`")
    outcome = judge(answer, success=success, result=None, idempotent=idempotent, now=NOW, on=on, scope=scope)
    assert isinstance(outcome, Failed)
    return outcome


def holds(text: str) -> RetryOn:
    """One condition."""
    return RetryOn(conditions=(compile_expression(text),))


TIMED_OUT = NoAnswer("timeout", "no answer in 30 s", sent=True)


@pytest.mark.parametrize(
    ("answer", "on", "retryable"),
    [
        (Answer(409), RetryOn(statuses=frozenset({409})), True),
        (Answer(503), RetryOn(statuses=frozenset({409})), False),
        (Answer(202), RetryOn(statuses=frozenset({202})), True),
        (TIMED_OUT, RetryOn(kinds=frozenset({"timeout"})), True),
        (TIMED_OUT, RetryOn(kinds=frozenset({"dropped"})), False),
        (NoAnswer("answer", "too long", sent=True, status=503), RetryOn(statuses=frozenset({503})), True),
        (NoAnswer("blocked", "127.0.0.1", sent=False), RetryOn(kinds=frozenset({"blocked"})), False),
        (Answer(402, body={"code": "try_later"}), holds("response.body.code == 'try_later'"), True),
        (Answer(402, body={"code": "no_funds"}), holds("response.body.code == 'try_later'"), False),
        (TIMED_OUT, holds("response == `null` && error.kind == 'timeout'"), True),
        (Answer(500), holds("error.status == `500`"), True),
        (Answer(500), holds("response.status == context.patient"), True),
    ],
)
def test_retry_on_alone_decides_what_is_worth_a_retry(answer: Answer | NoAnswer, on: RetryOn, retryable: bool) -> None:
    """Instead of the default table, for calls that are not idempotent too: whoever writes it has thought of that."""
    for idempotent in (True, False):
        assert retried(answer, on, idempotent=idempotent, context={"patient": 500}).retryable is retryable


@pytest.mark.parametrize("text", ["response.body", "abs(response.body)"])
def test_a_condition_of_retry_on_that_is_no_truth_is_worth_nothing_and_says_so(text: str) -> None:
    """Neither true nor false: the failure stays what it was, and its message names the condition."""
    outcome = retried(Answer(500, body="x"), holds(text))
    assert (outcome.error.kind, outcome.retryable) == ("rejected", False)
    assert "`retry.on` cannot be evaluated" in outcome.error.message
    assert text in outcome.error.message


def test_success_and_result_may_read_the_workflow_beside_the_answer() -> None:
    """A payment is accepted where its amount is the one that was asked for."""
    success = compile_expression("response.body.amount == context.amount")
    scope: dict[str, Json] = {"context": {"amount": 5}}
    for amount, kind in ((5, Completed), (6, Failed)):
        answer = Answer(200, body={"amount": amount})
        assert isinstance(judge(answer, success=success, result=None, idempotent=True, now=NOW, scope=scope), kind)
