"""Reading definitions: what a sound one means, and that every fault is found at once, with its line and its cure."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.definition import Definition, RetryOn, RetryPolicy
from orchestrator.errors import DefinitionError, Fault
from orchestrator.expressions import compile_expression
from orchestrator.jsontype import Json
from orchestrator.reading import read_definition, read_document, read_file, read_folder
from orchestrator.reading.fields import MOST_STEPS
from orchestrator.reading.place import MAX_FAULTS, MAX_SUGGESTIONS
from orchestrator.reading.text import MAX_NESTING, MAX_TEXT

WORKFLOWS = Path(__file__).parents[2] / "workflows"
URL = "http://services/step"


def document(steps: Json, **fields: Json) -> Json:
    """A definition whose steps are given without their URL."""
    return {"type": "test", "steps": {name: {"targetUrl": URL, **step} for name, step in steps.items()}, **fields}


def faults_of(given_document: Json) -> dict[str, str]:
    """The messages of the faults by their place; a place with several has them joined."""
    with pytest.raises(DefinitionError) as refused:
        read_document(given_document)
    found: dict[str, str] = {}
    for fault in refused.value.faults:
        found[fault.place] = f"{found[fault.place]} | {fault.message}" if fault.place in found else fault.message
    return found


def faults_in(text: str, source: str = "test.yaml") -> list[Fault]:
    with pytest.raises(DefinitionError) as refused:
        read_definition(text, source)
    return list(refused.value.faults)


def after(definition: Definition) -> dict[str, set[str]]:
    return {name: set(step.after) for name, step in definition.steps.items()}


# What a sound definition means


def test_the_guides_subscription_is_a_diamond_with_an_undo_for_each_branch() -> None:
    """validate → charge and provision → welcome, with the guide's retries and time-outs."""
    definition = read_folder(WORKFLOWS)["subscription"]
    assert definition.entry == "/api/subscribe"
    assert definition.deadline == 900
    assert definition.sensitive == ("context.card",)
    assert after(definition) == {
        "validate": set(),
        "charge": {"validate"},
        "provision": {"validate"},
        "welcome": {"charge", "provision"},
    }
    calls = {name: (step.call.retry.retries, step.call.timeout) for name, step in definition.steps.items()}
    assert calls == {"validate": (1, 10), "charge": (2, 30), "provision": (3, 20), "welcome": (3, 15)}
    assert [name for name, step in definition.steps.items() if step.compensate] == ["charge", "provision"]
    assert definition.steps["welcome"].optional


def test_the_guides_order_is_a_chain_that_carries_results_along() -> None:
    """payment → shipment → confirmation; each names what the step before it returned."""
    definition = read_folder(WORKFLOWS)["order-processing"]
    assert definition.entry == "/api/process-order"
    assert definition.route.order == ("payment", "shipment", "confirmation")
    shipment = definition.steps["shipment"].call
    scope = {
        "context": {"address": "here"},
        "workflow": {"id": "w1"},
        "steps": {"payment": {"result": {"orderId": "o1"}}},
        "vars": {"SERVICES_URL": "http://s"},
    }
    assert shipment.target_url.render(scope) == "http://s/api/steps/create-shipment"
    assert shipment.payload is not None
    assert shipment.payload.render(scope) == {"workflowId": "w1", "orderId": "o1", "address": "here"}
    assert definition.output is not None
    assert definition.output.references.steps == {"payment", "shipment"}


def test_defaults_are_those_of_the_interface() -> None:
    """time-out 30, 3 retries from 1 s on, doubled up to 60 s, full jitter; a compensation has 8 retries."""
    step = read_document(document({"a": {"compensate": {"targetUrl": URL}}})).steps["a"]
    assert (step.call.method, step.call.encoding, step.call.timeout, step.call.idempotent) == ("POST", "json", 30, True)
    assert step.call.retry == RetryPolicy(retries=3, delay=1, factor=2, max_delay=60, jitter="full")
    assert step.call.payload is None
    assert step.compensate is not None
    assert step.compensate.retry.retries == 8


def test_every_field_reaches_the_definition() -> None:
    """Nothing that is written is dropped on the way."""
    step = {
        "method": "PUT",
        "headers": {"Authorization": "Bearer ${secret.KEY}"},
        "query": {"page": 1, "who": "${context.who}"},
        "payload": {"a": 1},
        "encoding": "form",
        "waitFor": ["b", "c"],
        "join": "any",
        "when": "context.a == `1`",
        "retries": 0,
        "retry": {
            "delay": "500ms",
            "factor": 1.5,
            "maxDelay": "2m",
            "jitter": "none",
            "on": [409, "4xx", "connection", "timeout", "${response.body.busy}", "${error.kind == context.patient}"],
            "budget": "1h",
        },
        "timeout": "1m",
        "success": "${response.status == `200`}",
        "result": "response.body.data",
        "optional": True,
        "fallback": "d",
        "idempotencyKey": "order-${context.id}",
        "idempotent": False,
        "deadline": "1h",
        "end": "cancelled",
    }
    definition = read_document(document({"a": step, "b": {}, "c": {}, "d": {}}, compensation="sequential"))
    read = definition.steps["a"]
    assert (read.after, read.join, read.optional, read.fallback) == (("b", "c"), 1, True, "d")
    on = RetryOn(
        frozenset(range(400, 500)),
        frozenset({"dns", "refused", "connect", "tls", "timeout"}),
        (compile_expression("response.body.busy"), compile_expression("error.kind == context.patient")),
    )
    assert (read.deadline, read.end) == (3600, "cancelled")
    assert read.call.retry == RetryPolicy(0, delay=0.5, factor=1.5, max_delay=120, jitter="none", on=on, budget=3600)
    assert "context.patient" in read.call.references.context
    assert (read.call.method, read.call.encoding, read.call.timeout, read.call.idempotent) == ("PUT", "form", 60, False)
    assert read.call.headers["Authorization"].render({"secret": {"KEY": "k"}}) == "Bearer k"
    assert read.call.query["page"].render({}) == 1
    assert read.call.success is not None
    assert read.call.success.evaluate({"response": {"status": 200}}) is True
    assert read.call.result is not None
    assert read.when is not None
    assert read.call.idempotency_key is not None
    assert definition.compensation == "sequential"
    assert definition.graph.ancestors("d") == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(5, 5), (0.5, 0.5), ("90s", 90), ("15m", 900), ("0.5h", 1800), ("500ms", 0.5), ("1h", 3600)],
)
def test_durations_are_seconds_or_a_number_with_a_unit(written: Json, seconds: float) -> None:
    """As the interface has them."""
    assert read_document(document({"a": {"timeout": written}})).steps["a"].call.timeout == seconds


def test_either_end_of_an_edge_is_enough() -> None:
    """`next` and `waitFor` say the same, also half of the edges with the one and half with the other."""
    forth = read_document(document({"a": {"next": ["b", "c"]}, "b": {"next": ["d"]}, "c": {"next": ["d"]}, "d": {}}))
    back = read_document(
        document({"a": {}, "b": {"waitFor": ["a"]}, "c": {"waitFor": ["a"]}, "d": {"waitFor": ["b", "c"]}})
    )
    mixed = read_document(
        document({"a": {"next": ["b", "c"]}, "b": {}, "c": {"next": ["d"]}, "d": {"waitFor": ["b", "c"]}})
    )
    assert after(forth) == after(back) == after(mixed)


def test_snake_case_means_the_same_but_both_at_once_is_a_fault() -> None:
    """One field, one place."""
    camel = document({"a": {"idempotencyKey": "k", "retry": {"maxDelay": 5}}, "b": {"waitFor": ["a"]}})
    snake = document({"a": {"idempotency_key": "k", "retry": {"max_delay": 5}}, "b": {"wait_for": ["a"]}})
    assert read_document(snake) == read_document(camel)
    assert read_document(snake).version == read_document(camel).version
    assert "same field as waitFor" in faults_of(document({"a": {"waitFor": [], "wait_for": []}}))["steps.a.wait_for"]


def test_the_version_is_that_of_the_content() -> None:
    """Neither the order of keys nor the way a number is written makes another version; a change does."""
    one = read_definition("type: t\nsteps: {a: {targetUrl: 'http://x', timeout: 5.0}}", "a.yaml")
    two = read_definition('{"steps": {"a": {"timeout": 5, "targetUrl": "http://x"}}, "type": "t"}', "b.json")
    other = read_definition("type: t\nsteps: {a: {targetUrl: 'http://x', timeout: 6}}", "a.yaml")
    assert one.version == two.version != other.version
    assert one == two


def test_a_definition_is_the_same_when_it_is_read_again_from_the_ledger() -> None:
    """Through JSON and with its keys in any order: equal, with its steps in the same order."""
    for definition in read_folder(WORKFLOWS).values():
        stored = json.loads(json.dumps(definition.document), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
        again = read_document(stored)
        assert json.dumps(again.document) == json.dumps(definition.document)
        assert again == definition
        assert list(again.steps) == list(definition.steps)
        assert again.version == definition.version


def test_fallbacks_take_the_place_of_their_step() -> None:
    """A later step may read the fallback's result, and the fallback may read its step's."""
    steps = {
        "pay": {"fallback": "pay2", "next": ["ship"]},
        "pay2": {"payload": "${steps.pay.error}", "fallback": "pay3"},
        "pay3": {},
        "ship": {"payload": "${steps.pay.result || steps.pay2.result}"},
    }
    definition = read_document(document(steps))
    assert definition.stands_in_for == {"pay2": "pay", "pay3": "pay2"}
    assert definition.route.order == ("pay", "ship")
    assert definition.graph.ancestors("ship") == {"pay", "pay2", "pay3"}


# Text


def test_yaml_words_mean_what_they_look_like() -> None:
    """Only true and false are booleans, numbers are JSON's, dates and sexagesimals are texts."""
    text = """
    type: t
    steps:
      a:
        targetUrl: http://x
        payload:
          {a: on, b: yes, c: True, d: 2024-01-01, e: 10:30, f: 0x1F, g: 012, h: 1e3, i: -1.5, j: ~, k: "true", l: .5}
    """
    payload = read_definition(text, "a.yaml").steps["a"].call.payload
    assert payload is not None
    assert payload.source == {
        "a": "on",
        "b": "yes",
        "c": "True",
        "d": "2024-01-01",
        "e": "10:30",
        "f": "0x1F",
        "g": "012",
        "h": 1000,
        "i": -1.5,
        "j": None,
        "k": "true",
        "l": ".5",
    }


def test_anchors_and_aliases_are_written_out() -> None:
    """YAML's own way of not repeating oneself works."""
    text = "type: t\nsteps:\n  a: &call {targetUrl: 'http://x', retries: 5}\n  b: *call\n"
    assert read_definition(text, "a.yaml").steps["b"].call.retry.retries == 5


BOMB = (
    "a: &a ["
    + "x, " * 9
    + "x]\n"
    + "".join(f"{b}: &{b} [" + f"*{a}, " * 9 + f"*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
)
SOUND = "type: t\nsteps:\n  a:\n    targetUrl: http://x\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "it is empty"),
        ("# nothing\n", None, "it is empty"),
        (SOUND + "---\n" + SOUND, 5, "several documents"),
        (SOUND + "type: u\n", 5, "the key 'type' is given twice (first on line 1)"),
        (SOUND + "    retries: 1\n    retries: 2\n", 6, "given twice (first on line 5)"),
        (SOUND + "\tretries: 1\n", 5, "indented with a tab"),
        (SOUND + "    payload: {a: ${context.b}}\n", 5, "an expression must be quoted"),
        (SOUND + "    payload: !!python/object:os.system x\n", 5, "tags (!!python/object:os.system) are not supported"),
        (SOUND + "    payload: !!str 5\n", 5, "tags (!!str) are not supported"),
        (SOUND + "    payload: .nan\n", 5, ".nan is no number"),
        (SOUND + "    payload: 1e999\n", 5, "too large for a number"),
        (SOUND + "    payload: " + "9" * 5000 + "\n", 5, "too long"),
        (SOUND + "    payload:\n      1: a\n", 6, "the key 1 is no text"),
        (SOUND + "    payload:\n      ? [a]\n      : b\n", 6, "a key must be a text"),
        (SOUND + "    payload: *nowhere\n", 5, "the alias *nowhere has no anchor"),
        (SOUND + "    payload: &loop [*loop]\n", 5, "the alias *loop has no anchor"),
        (SOUND + "    <<: {retries: 1}\n", 5, "merge keys"),
        (SOUND + "    payload: 'open\n", 6, "it is no YAML"),
        (SOUND + "    payload: \x01\n", 5, "control character"),
        (SOUND + "    payload: \ud800\n", None, "surrogate pair"),
        (SOUND + '    payload: "a\\0b"\n', 5, "NUL"),
        (SOUND + "    payload: " + "[" * 100 + "]" * 100 + "\n", 5, f"more than {MAX_NESTING} levels"),
        ("- " * 100_000, 1, f"more than {MAX_NESTING} levels"),
        (BOMB, 1, "when its aliases are written out"),
        ("x" * (MAX_TEXT + 1), None, f"longer than {MAX_TEXT}"),
        ("just a text", 1, "must be an object with type, steps"),
        ("[]", 1, "must be an object with type, steps"),
    ],
)
def test_a_text_that_is_no_sound_yaml_is_refused_with_its_line(text: str, line: int | None, message: str) -> None:
    """Whatever a file holds, the answer is a fault."""
    fault = faults_in(text)[0]
    assert message in fault.message
    assert fault.line == line
    assert fault.source == "test.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("{", "it is no JSON"),
        ('{"type": NaN}', "NaN"),
        ('{"type": 1e999}', "NaN or infinite"),
        ('{"type": ' + "9" * 5000 + "}", "too long"),
        ('{"type": "t", "type": "u"}', "the key 'type' is given twice"),
        ('{"type": "\\ud800"}', "surrogate"),
        ('{"type": "\\u0000"}', "NUL"),
        ("[" * 100_000, "nested"),
        ("[" * 100 + "]" * 100, "must be an object"),
    ],
)
def test_a_text_that_is_no_sound_json_is_refused(text: str, message: str) -> None:
    """The same for files that end with .json."""
    assert any(message in str(fault) for fault in faults_in(text, "test.json"))


def test_faults_of_a_json_file_have_lines_too() -> None:
    """As far as its layout allows."""
    text = '{\n\t"type": "t",\n  "steps": {\n    "a": {"targetUrl": "http://x",\n    "retries": -1}\n  }\n}'
    (fault,) = faults_in(text, "test.json")
    assert (fault.place, fault.line) == ("steps.a.retries", 5)


# Faults


def test_every_fault_of_a_file_is_told_at_once_with_line_place_and_cure() -> None:
    """One run of `validate`, one list to work off."""
    text = """\
type: 1st
steps:
  validate:
    targetUrl: services/validate
    next: [chrage]
    timeout: fast
  charge:
    target_url: http://services/charge
    paylod: {}
    retries: 1000
"""
    assert [str(fault) for fault in faults_in(text, "subscription.yaml")] == [
        'subscription.yaml:1: type: must be a letter, then up to 63 letters, digits, _ or -, not "1st"',
        "subscription.yaml:4: steps.validate.targetUrl: must be an absolute URL such as https://example.com/api; "
        'not "services/validate"',
        "subscription.yaml:5: steps.validate.next: step 'validate' is followed by 'chrage', which is no step; "
        "did you mean 'charge'?",
        "subscription.yaml:6: steps.validate.timeout: must be a number of seconds or a duration such as "
        '500ms, 90s, 15m, 36h, 30d; not "fast"',
        "subscription.yaml:9: steps.charge.paylod: there is no field 'paylod'; did you mean 'payload'?",
        "subscription.yaml:10: steps.charge.retries: must be a whole number from 0 to 100, not 1000",
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("targetUrl", "ftp://x", "absolute URL"),
        ("targetUrl", "http://", "absolute URL"),
        ("targetUrl", "http://x:99999/", "absolute URL"),
        ("targetUrl", "http://[::1/", "absolute URL"),
        ("targetUrl", "http://a b/", "blank"),
        ("targetUrl", "http://user:word@x/", "credentials"),
        ("targetUrl", "api/${context.x}", "it begins with"),
        ("targetUrl", "", "must be a text"),
        ("targetUrl", 5, "must be a text"),
        ("targetUrl", None, "is empty"),
        ("method", "FETCH", "must be GET or HEAD"),
        ("headers", {"X Y": "a"}, "no name for a header"),
        ("headers", {"Idempotency-Key": "a"}, "set it with idempotencyKey"),
        ("headers", {"Accept": "a\r\nX-Evil: b"}, "control characters"),
        ("headers", {"Accept": "a", "accept": "b"}, "given twice"),
        ("headers", {"Accept": 5}, "quote it"),
        ("headers", ["a"], "names and texts"),
        ("query", {"a": {}}, "a text, a number or a boolean"),
        ("encoding", "xml", "must be json or form"),
        ("retries", 101, "from 0 to 100"),
        ("retries", True, "from 0 to 100"),
        ("retries", "3", "from 0 to 100"),
        ("retry", {"delay": 9, "maxDelay": 5}, "not be less than delay"),
        ("retry", {"factor": 0}, "from 1 to 100"),
        ("retry", {"jitter": "some"}, "must be full or none"),
        ("retry", {"delays": 1}, "did you mean 'delay'?"),
        ("retry", 5, "must be an object"),
        ("timeout", 0, "more than 0"),
        ("timeout", "61m", "at most 1h"),
        ("timeout", "1 h", "a duration such as"),
        ("timeout", "1w", "a duration such as"),
        ("next", "b", "write [b]"),
        ("next", ["b", "b"], "again"),
        ("next", ["a"], "'a' is followed by itself"),
        ("next", [5], "must be the name of a step"),
        ("waitFor", ["bb"], "'a' waits for 'bb', which is no step"),
        ("join", "any", "nothing to join"),
        ("join", "most", "all, any or a whole number"),
        ("join", 0, "all, any or a whole number"),
        ("when", "context.a = `1`", "compare with =="),
        ("when", "stpes.b", "did you mean 'steps'?"),
        ("when", "context.a == true", "written in backticks: `true`"),
        ("when", 'context.a == "pro"', "a text is written in single quotes"),
        ("when", "secret.KEY", "reads a secret"),
        ("when", "response.status", "reads the response"),
        ("when", 5, "must be an expression"),
        ("payload", "${item.id}", "this step has no forEach"),
        ("payload", "${response.body}", "reads the response"),
        ("payload", "${secret}", "name one"),
        ("payload", "${steps.b.result}", "need not have run before it"),
        ("payload", "${steps.a.result}", "reads its own result"),
        ("payload", "${steps.bb.result}", "which is no step"),
        ("payload", "${steps.b.results}", "did you mean 'result'?"),
        ("success", "secret.KEY", "reads a secret"),
        ("success", "steps.a.result", "read response"),
        ("idempotencyKey", "${secret.KEY}", "reads a secret"),
        ("retry", {"on": "5xx"}, "must be a list such as"),
        ("retry", {"on": []}, "must be a list such as"),
        ("retry", {"on": [600]}, "a status from 100 to 599"),
        ("retry", {"on": ["timeuot"]}, "did you mean 'timeout'?"),
        ("retry", {"on": ["${response.status ==}"]}, "in ${response.status ==}"),
        ("retry", {"on": ["${secret.KEY}"]}, "reads a secret"),
        ("retry", {"on": ["${steps.b.result}"]}, "need not have run before it"),
        ("success", "error.kind == 'x'", "reads the error, which only retry.on may"),
        ("retry", {"budget": 0}, "more than 0"),
        ("end", "done", "completed or failed or cancelled"),
        ("end", True, "completed or failed or cancelled"),
        ("deadline", 0, "more than 0"),
        ("deadline", "367d", "at most 366d"),
        ("compensate", {"targetUrl": URL, "deadline": 5}, "no field 'deadline'"),
        ("retry", {"budget": "5s", "delay": 5}, "must be more than delay"),
        ("optional", "yes", "true or false"),
        ("fallback", "bb", "no step"),
        ("fallback", "a", "its own fallback"),
        ("compensate", {}, "'targetUrl' is missing"),
        ("compensate", "refund", "must be an object"),
        ("compensate", {"targetUrl": URL, "next": ["b"]}, "no field 'next'"),
        ("compensate", {"targetUrl": URL, "payload": "${steps.b.result}"}, "need not have run before it"),
        ("callback", True, "must be an object with timeout"),
        ("callback", {}, "'timeout' is missing"),
        ("callback", {"timeout": "2y"}, "a duration such as"),
        ("approval", {"timeout": "1h"}, "does not go with targetUrl"),
        ("wait", {"for": "1h"}, "does not go with targetUrl"),
        ("poll", {}, "'done' is missing"),
        ("poll", {"done": "response.body.done", "url": "${secret.A}"}, "reads a secret"),
        ("auth", {}, "is empty; there are bearer, basic"),
        ("auth", "Bearer x", "must be an object"),
        ("auth", {"bearer": "sk_live_1"}, "must read a secret"),
        ("auth", {"bearer": "${vars.TOKEN}"}, "must read a secret"),
        ("auth", {"bearer": "${secret.A}", "hmac": {"keyId": "k", "secret": "${secret.B}"}}, "in one way"),
        ("auth", {"basic": {"username": "me"}}, "'password' is missing"),
        ("auth", {"apiKey": {"value": "${secret.A}"}}, "either the header or the query"),
        ("auth", {"apiKey": {"header": "Host", "value": "${secret.A}"}}, "this header cannot be given here"),
        ("auth", {"apiKey": {"header": "a b", "value": "${secret.A}"}}, "no name for a header"),
        ("auth", {"mtls": {"certificate": "${steps.b.result}", "key": "k"}}, "reads 'steps'"),
        ("auth", {"oauth2": {"tokenUrl": "/t", "clientId": "i", "clientSecret": "${secret.A}"}}, "an absolute URL"),
        ("auth", {"ouath2": {}}, "did you mean 'oauth2'?"),
    ],
)
def test_a_wrong_field_of_a_step_is_told_at_its_place(field: str, value: Json, message: str) -> None:
    """One fault, which names the field and what would be right."""
    found = faults_of(document({"a": {field: value}, "b": {}}))
    (place,) = found
    assert place.startswith(f"steps.a.{field}")
    assert message in found[place]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("type", "", "a letter"),
        ("type", "a" * 65, "a letter"),
        ("type", "a b", "a letter"),
        ("entry", "/subscribe", "a path such as"),
        ("entry", "/api/", "a path such as"),
        ("entry", "/api/../x", "a path such as"),
        ("entry", "/api/<x>", "a path such as"),
        ("entry", "/api/workflows", "answered by the orchestrator itself"),
        ("entry", "/api/workflows/mine", "answered by the orchestrator itself"),
        ("entry", "/api/orchestrator", "answered by the orchestrator itself"),
        ("deadline", 0, "more than 0"),
        ("sensitive", "context.card", "a list"),
        ("sensitive", ["card"], "such as context.card"),
        ("sensitive", ["context"], "such as context.card"),
        ("compensation", "reverse", "parallel or sequential"),
        ("output", {"x": "${steps.b.result}"}, "no step"),
        ("output", "${secret.X}", "reads a secret"),
        ("input", [], "must be a JSON Schema"),
        ("input", {"type": "objekt"}, "is no JSON Schema"),
        ("input", {"properties": {"a": {"pattern": "("}}}, "no regular expression"),
        ("input", {"properties": {"a": {"pattern": "^(?!b)"}}}, "no lookaround"),
        ("input", {"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "beside patternProperties"),
        ("input", {"$ref": "http://example.com/schema"}, "must lead to a schema in this one"),
        ("input", {"$ref": "#/$defs/a"}, "must lead to a schema in this one"),
        ("input", {"$ref": "#"}, "leads back to itself"),
        ("input", {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#"}}}, "leads back to itself"),
        ("input", {"$id": "http://example.com/"}, "not supported"),
        ("input", {"$schema": "http://json-schema.org/draft-07/schema#"}, "must be https://json-schema.org"),
        ("steps", {}, "at least one step"),
        ("steps", [], "at least one step"),
        ("steps", {"1a": {"targetUrl": URL}}, "no name for a step"),
        ("steps", {"a": None}, "must be an object"),
        ("steps", {f"s{number}": {} for number in range(MOST_STEPS + 1)}, "are the most"),
        ("stesp", {}, "did you mean 'steps'?"),
    ],
)
def test_a_wrong_field_of_a_definition_is_told_at_its_place(field: str, value: Json, message: str) -> None:
    """The same for the fields of the whole."""
    found = faults_of({**document({"a": {}}), field: value})
    assert any(message in text for place, text in found.items() if place.startswith(field))


def test_a_recursive_input_schema_that_ends_is_fine() -> None:
    """A tree of categories is a sound context."""
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}
    assert read_document(document({"a": {}}, input=tree)).input == tree


def test_a_circle_is_shown_as_a_circle() -> None:
    """In the order in which the steps would follow each other."""
    found = faults_of(document({"a": {"next": ["b"]}, "b": {"next": ["c"]}, "c": {"next": ["a"]}, "d": {}}))
    ((place, message),) = found.items()
    assert place in ("steps.a", "steps.b", "steps.c")
    circle = message.removeprefix("steps wait for each other in a circle: ").split(" → ")
    assert circle[0] == circle[-1]
    assert "".join(circle[:-1]) in ("abc", "bca", "cab")


def test_fallbacks_in_a_circle_are_one_fault() -> None:
    """Shown from step to fallback, and not as a circle of steps as well."""
    found = faults_of(document({"a": {"fallback": "b"}, "b": {"fallback": "a"}}))
    assert found == {"steps.a.fallback": "steps are each other's fallback in a circle: a → b → a"}


def test_ends_that_disagree_are_told_at_the_end_that_claims_more() -> None:
    """Where both ends of an edge are written they must say the same."""
    assert (
        "whose waitFor lacks 'a'" in faults_of(document({"a": {"next": ["b"]}, "b": {"waitFor": []}}))["steps.a.next"]
    )
    assert (
        "whose next lacks 'b'" in faults_of(document({"a": {"next": []}, "b": {"waitFor": ["a"]}}))["steps.b.waitFor"]
    )


@pytest.mark.parametrize(
    ("steps", "place", "message"),
    [
        ({"a": {"fallback": "c"}, "b": {"fallback": "c"}, "c": {}}, "steps.b.fallback", "already the fallback of 'a'"),
        (
            {"a": {"fallback": "b"}, "b": {"next": ["c"]}, "c": {}},
            "steps.a.fallback",
            "has a place in the order already",
        ),
        (
            {"a": {"fallback": "b"}, "b": {}, "c": {"next": ["b"]}},
            "steps.a.fallback",
            "has a place in the order already",
        ),
        (
            {"a": {}, "b": {"waitFor": ["a"], "join": 2}},
            "steps.b.join",
            "wants 2 steps to complete, but 'b' waits for 1",
        ),
        ({"a": {"next": ["b"], "when": "steps.b.result"}, "b": {}}, "steps.a.when", "which runs after it"),
        ({"a": {"encoding": "form", "payload": [1]}}, "steps.a.payload", "must be an object where encoding is form"),
    ],
)
def test_steps_that_do_not_fit_together_are_told(steps: Json, place: str, message: str) -> None:
    """What no single field can show."""
    found = faults_of(document(steps))
    assert message in found[place]


def test_what_may_be_read_depends_on_where_it_is_read() -> None:
    """A compensation reads its own step, output reads every step, success and result read the response."""
    undo = {"targetUrl": URL, "payload": "${steps.a.result} ${steps.b.result}", "success": "response.status == `404`"}
    steps = {
        "a": {"compensate": undo, "success": "response.body.ok", "waitFor": ["b"]},
        "b": {},
        "c": {"payload": "${keys(steps)}"},
    }
    assert read_document(document(steps, output="${steps.*.result}")).steps["a"].compensate is not None


def test_a_step_may_read_any_ancestor_not_only_the_one_before_it() -> None:
    """The way does not matter."""
    steps = {"a": {"next": ["b"]}, "b": {"next": ["c"]}, "c": {"payload": "${steps.a.result}"}}
    assert read_document(document(steps)).steps["c"].call.payload is not None


@pytest.mark.parametrize("read", ["${context.card}", "${context}", "${context.card.number}", "${values(context)}"])
def test_the_output_shows_nothing_sensitive(read: str) -> None:
    """The output is in every answer about the workflow."""
    found = faults_of(document({"a": {"payload": "${context.card}"}}, sensitive=["context.card"], output={"x": read}))
    assert "which is sensitive" in found["output.x"]


def test_faults_without_end_are_cut_off() -> None:
    """A thousand unknown steps cost neither minutes of looking for names like theirs nor a megabyte of answer."""
    steps = {f"s{number}": {"next": [f"t{number}"]} for number in range(2_000)}
    with pytest.raises(DefinitionError) as refused:
        read_document(document(steps))
    assert len(refused.value.faults) == MAX_FAULTS + 1
    assert "and more" in refused.value.faults[-1].message
    assert str(refused.value).count("did you mean") <= MAX_SUGGESTIONS


def test_wide_and_deep_definitions_are_read() -> None:
    """1,100 steps into one, and a chain of 1,000 in which each reads the one before."""
    wide = {f"s{number}": {"next": ["end"]} for number in range(1_100)} | {"end": {"payload": "${steps.*.result}"}}
    assert len(read_document(document(wide)).steps["end"].after) == 1_100
    deep = {"s0": {}} | {
        f"s{number}": {"waitFor": [f"s{number - 1}"], "payload": f"${{steps.s{number - 1}.result}}"}
        for number in range(1, 1_000)
    }
    assert read_document(document(deep)).route.order[-1] == "s999"


# Folders


def test_a_folder_gives_its_definitions_by_type(tmp_path: Path) -> None:
    """YAML and JSON side by side; other files and hidden ones are left alone."""
    (tmp_path / "a.yaml").write_text(SOUND)
    (tmp_path / "b.yml").write_text(SOUND.replace("type: t", "type: u"))
    (tmp_path / "c.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(document({"a": {}})).encode())
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / ".hidden.yaml").write_text("nothing")
    assert set(read_folder(tmp_path)) == {"t", "u", "test"}


def test_faults_of_all_files_of_a_folder_are_told_at_once(tmp_path: Path) -> None:
    """Also those between files: a type or an entry that is given twice."""
    (tmp_path / "a.yaml").write_text(SOUND + "entry: /api/x\n")
    (tmp_path / "b.yaml").write_text(SOUND + "entry: /api/x\n")
    (tmp_path / "c.yaml").write_text("type: 5\n")
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "e.yaml").mkdir()
    with pytest.raises(DefinitionError) as refused:
        read_folder(tmp_path)
    told = [str(fault) for fault in refused.value.faults]
    assert any(text.startswith("b.yaml: type: 't' is the type of a.yaml already") for text in told)
    assert any(text.startswith("b.yaml: entry: '/api/x' is the entry of a.yaml already") for text in told)
    assert any(text.startswith("c.yaml:1: type: ") for text in told)
    assert any(text.startswith("d.yaml: it is not UTF-8") for text in told)
    assert any(text.startswith("e.yaml: cannot be read") for text in told)


def test_a_file_is_named_in_faults_as_it_was_given(tmp_path: Path) -> None:
    """So that an editor can jump to it."""
    (tmp_path / "a.yaml").write_text("type: 5\n")
    for name, message in (("a.yaml", "a.yaml:1: type: must be"), ("b.yaml", "b.yaml: cannot be read: No such file")):
        with pytest.raises(DefinitionError) as refused:
            read_file(tmp_path / name)
        assert str(refused.value).startswith(str(tmp_path))
        assert message in str(refused.value)


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """Not an exception of the operating system's."""
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_folder(tmp_path / "nowhere")


# Anything at all

KEYS = st.sampled_from(
    [
        *(
            "type",
            "steps",
            "entry",
            "output",
            "input",
            "sensitive",
            "deadline",
            "a",
            "b",
            "c",
            "targetUrl",
            "target_url",
        ),
        *(
            "next",
            "waitFor",
            "payload",
            "retry",
            "when",
            "join",
            "fallback",
            "compensate",
            "headers",
            "$ref",
            "properties",
        ),
    ]
) | st.text(max_size=5)
VALUES = st.recursive(
    st.sampled_from(
        ["a", "b", "http://x", "${steps.a.result}", "${context.x", "${secret.A}", "#", "any", "10s", "test"]
    )
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=6),
    max_leaves=25,
)
STEPS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.fixed_dictionaries(
        {"targetUrl": st.just(URL)},
        optional={
            "next": st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=2, unique=True),
            "waitFor": st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=2, unique=True),
            "fallback": st.sampled_from(["a", "b", "c", "d"]),
            "join": st.sampled_from(["all", "any", 1, 2]),
            "payload": st.sampled_from(["${steps.a.result}", "${steps.d.result}", "${context}"]),
        },
    ),
    min_size=1,
)


@settings(max_examples=120, deadline=None)
@given(
    VALUES
    | st.dictionaries(KEYS, VALUES, max_size=6)
    | st.builds(document, st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES)))
)
def test_random_json_is_a_definition_or_a_definition_error(value: Json) -> None:
    """Nothing else comes out of reading, whatever is posted."""
    try:
        definition = read_document(value)
    except DefinitionError:
        return
    assert read_document(definition.document) == definition


@settings(max_examples=400, deadline=None)
@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            [
                "type: t\n",
                "steps:\n",
                "  a: ",
                "&x ",
                "*x ",
                "[",
                "]",
                "{",
                "}",
                "- ",
                ": ",
                "? ",
                "'",
                '"',
                "!t ",
                "\t",
                "---\n",
                "#",
                "|\n",
                "\n",
                "1",
                "\\",
                "%",
                "${a}",
                ",",
            ]
        ),
        max_size=20,
    ).map("".join),
    st.sampled_from(["a.yaml", "a.json"]),
)
def test_random_text_is_a_definition_or_a_definition_error(text: str, source: str) -> None:
    """The same for files."""
    try:
        definition = read_definition(text, source)
    except DefinitionError:
        return
    assert definition.steps


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_a_definition_that_is_accepted_has_an_order_and_a_plan(steps: Json) -> None:
    """Whatever edges, joins and fallbacks: either a fault, or a graph in which every read is of an ancestor."""
    try:
        definition = read_document(document(steps))
    except DefinitionError:
        return
    assert set(definition.graph.order) == set(steps)
    assert set(definition.route.order) == set(steps) - set(definition.stands_in_for)
    assert {step for fragment in definition.plan.fragments for step in fragment.steps} == set(definition.route.order)
    for name, step in definition.steps.items():
        assert step.call.references.steps <= definition.graph.ancestors(name)


@pytest.mark.parametrize("read", ["context.card", "${context.card.number}", "[context]", "${context}"])
def test_a_result_keeps_nothing_sensitive(read: str) -> None:
    """It is stored as it is, shown, and sent to later steps that do not name it."""
    found = faults_of(document({"a": {"result": read}}, sensitive=["context.card"]))
    assert "which is sensitive" in found["steps.a.result"]


def test_a_header_that_auth_sends_is_not_given_as_well() -> None:
    """One of the two would be sent, and which is nobody's to guess."""
    bearer = {"bearer": "${secret.A}"}
    found = faults_of(document({"a": {"auth": bearer, "headers": {"authorization": "x"}}}))
    assert found == {"steps.a.headers.authorization": "auth sends this header; keep one of them"}
    signed = {"auth": {"hmac": {"keyId": "k", "secret": "${secret.A}"}}, "headers": {"authorization": "x"}}
    assert read_document(document({"a": signed}))
