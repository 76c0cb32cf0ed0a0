"""Expressions: what they give, what they read, and that nobody can do harm with one."""

import contextlib
import json
import time
import tracemalloc
from collections.abc import Mapping

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ExpressionError, FaultyTemplate
from orchestrator.expressions import Expression, References, compile_expression, compile_template
from orchestrator.expressions.limits import MAX_DEPTH, MAX_NODES, MAX_SOURCE, MAX_TEXT, MAX_WORK
from orchestrator.expressions.weighing import weigh
from orchestrator.jsontype import Json

SCOPE: Mapping[str, Json] = {
    "context": {
        "card": "4242",
        "amount": 12.5,
        "count": 3,
        "empty": "",
        "none": None,
        "yes": True,
        "lines": [{"price": 2, "quantity": 3}, {"price": 5, "quantity": 1}],
    },
    "steps": {"create-user": {"status": "completed", "result": {"id": "u1"}}, "charge": {"result": {"id": "t1"}}},
    "vars": {"SERVICES_URL": "http://services"},
    "secret": {"KEY": "very secret"},
    "response": {"status": 200, "headers": {"content-type": "text/plain"}, "body": None},
}


def value_of(text: str) -> Json:
    return compile_expression(text).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("context.card", "4242"),
        ("${ context.card }", "4242"),
        ("context.lines[1].price", 5),
        ("context.lines[?price > `2`].quantity | [0]", 1),
        ("context.nothing.at.all", None),
        ("context.card.deeper", None),
        ('steps."create-user".result.id', "u1"),
        ("steps.create-user.result.id", "u1"),
        ("response.headers.content-type", "text/plain"),
        ("context.amount > `10` && context.yes", True),
        ("context.card < `5`", None),
    ],
)
def test_an_expression_gives_the_value_that_jmespath_gives(text: str, value: Json) -> None:
    """Names, indexes, filters and comparisons are JMESPath's; a step's name may have hyphens."""
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("add(context.count, `4`)", 7),
        ("subtract(`1`, `3`)", -2),
        ("sum(map(&multiply(price, quantity), context.lines))", 11),
        ("divide(`6`, `3`)", 2),
        ("divide(`1`, `4`)", 0.25),
        ("modulo(`7`, `3`)", 1),
        ("round(`2.675`, `2`)", 2.68),
        ("round(`2.5`, `0`)", 3),
        ("format_number(`12.3`, `2`)", "12.30"),
        ("concat('a', `1`, `true`)", "a1true"),
        ("concat(`[1]`, `[2, 3]`)", [1, 2, 3]),
        ("default(context.none, 'x')", "x"),
        ("default(context.empty, 'x')", ""),
        ("if(context.empty, divide(`1`, `0`), 'else')", "else"),
        ("if(context.count, 'then', 'else')", "then"),
        ("base64_encode('grüße')", "Z3LDvMOfZQ=="),
        ("base64_decode('Z3LDvMOfZQ==')", "grüße"),
        ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("uuid5('dns', 'python.org')", "886313e1-3b8a-5372-9b90-0c9aee199e5d"),
        ("lower('ÄB')", "äb"),
        ("upper('äb')", "ÄB"),
        ("trim('  a ')", "a"),
        ("split('a,b', ',')", ["a", "b"]),
        ("replace('a.b.c', '.', '-')", "a-b-c"),
        ("to_number('1_000')", None),
        ("to_number('nan')", None),
        ("to_number(' -1.5e2 ')", -150.0),
        ('to_string(`{"ä": 1}`)', '{"ä":1}'),
    ],
)
def test_functions_fill_the_gaps_of_jmespath(text: str, value: Json) -> None:
    """Each function of the table gives what the table says, in its type."""
    given_value = value_of(text)
    assert given_value == value
    assert type(given_value) is type(value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "it is empty"),
        ("context.", "column 9: it ends too early"),
        ("context.amount + 5", "write add(a, b)"),
        ("context.amount > 5", "a number is written in backticks, as in `5`"),
        ("context.amount = `5`", "compare with =="),
        ("context.plan-b", 'a name with a hyphen is quoted, as in "plan-b"'),
        ("`pro`", "a text is written in single quotes"),
        ("`NaN`", "is no JSON"),
        ("lenght(context)", "did you mean length()?"),
        ("add(`1`)", "add() takes 2 arguments, not 1"),
        ("if(a, b)", "if() takes 3 arguments, not 2"),
        ("${context.a} && ${context.b}", "an expression holds no other ${…}"),
        ("@", "it reads everything at once"),
        ("*.result", "it reads everything at once"),
        ("values(@)", "it reads everything at once"),
        ("secret", "name one, as in secret.NAME"),
        ("to_string(secret)", "name one, as in secret.NAME"),
        ("&context", "`&` may stand only in the arguments of"),
        ("to_string(&context)", "`&` may stand only in the arguments of"),
        ("context.lines[::0]", "the step of a slice cannot be 0"),
        ("(" * 1_500 + "a" + ")" * 1_500, f"more than {MAX_DEPTH} levels"),
        ("!" * (MAX_DEPTH + 1) + "a", f"more than {MAX_DEPTH} levels"),
        ("!" * (MAX_SOURCE - 1) + "a", f"more than {MAX_DEPTH} levels"),
        ("[" + "a," * MAX_NODES + "a]", f"more than {MAX_NODES} parts"),
        ("a" * (MAX_SOURCE + 1), f"longer than {MAX_SOURCE}"),
        ("!context.yes.no", "write !(a.b)"),
        ("!steps.a.result[0]", "write !(a.b)"),
    ],
)
def test_a_wrong_expression_is_refused_with_what_would_be_right(text: str, hint: str) -> None:
    """Nothing is left to fail while a workflow runs if it can be seen before."""
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("add(context.card, `1`)", "add() takes number, not string"),
        ("length(context.none)", "not null"),
        ("divide(`1`, `0`)", "divide() by zero"),
        ("multiply(`1e300`, `1e300`)", "too large"),
        ("multiply(`10000000000000`, `10000000000000`)", "too large"),
        ('max(`[1, "a"]`)', "max() takes"),
        ("base64_decode('not base64!')", "not base64"),
        ("uuid5('x', 'y')", "namespace"),
        ("split('a', '')", "separator"),
        ("concat('a', `[1]`)", "either arrays only or no array"),
        ("round(`1`, `99`)", "0 to 15 digits"),
    ],
)
def test_an_expression_that_fails_says_why_and_where(text: str, hint: str) -> None:
    """The error names the expression, and what its function wanted."""
    with pytest.raises(ExpressionError) as failed:
        value_of(text)
    assert hint in str(failed.value)
    assert f"${{{text}}}" in str(failed.value)


@pytest.mark.parametrize("text", ["add(secret.KEY, `1`)", "abs(secret.KEY)", "contains(secret.KEY, `1`)"])
def test_an_error_never_quotes_a_value(text: str) -> None:
    """A secret or a card number must not come back in an error that is stored and shown."""
    with pytest.raises(ExpressionError) as failed:
        value_of(text)
    error: BaseException | None = failed.value
    assert "very secret" not in str(error)
    assert error is not None
    assert error.__suppress_context__


DOUBLING = " | ".join(["[@, @]"] * 40)


@pytest.mark.parametrize(
    "text",
    [
        f"`[1]` | {DOUBLING}",
        f"to_string(`[1]` | {DOUBLING})",
        f"(`[1]` | {DOUBLING}) == (`[1]` | {DOUBLING})",
        f"contains(`[1]` | {DOUBLING}, `2`)",
        "`[1]` | " + " | ".join(["[@, @][]"] * 60),
        "`[1]` | " + " | ".join(["concat(@, @)"] * 60),
        "'abcdefgh' | " + " | ".join(["concat(@, @)"] * 60),
        "'abcdefgh' | " + " | ".join(["join('', [@, @])"] * 60),
        "'abcdefgh' | " + " | ".join(["replace(@, 'a', @)"] * 20),
        "'abcdefgh' | " + " | ".join(["base64_encode(@)"] * 90),
        "`[1,2,3,4,5,6,7,8,9,10]` | " + " | ".join(["map(&`[1,2,3,4,5,6,7,8,9,10]`, @)[]"] * 12),
    ],
)
def test_values_that_grow_without_end_are_stopped_early(text: str) -> None:
    """Doubling again and again costs an error, not the memory or the time of the worker."""
    began = time.monotonic()
    with pytest.raises(ExpressionError):
        compile_expression(text[:MAX_SOURCE]).evaluate({})
    assert time.monotonic() - began < 10


def test_sorting_long_texts_is_paid_by_their_length() -> None:
    """Two equal texts of 100 kB, repeated 10,000 times: sorting them would compare gigabytes."""
    texts = ["a" * 100_000 + "b", "a" * 100_000 + "c"] * 5_000
    with pytest.raises(ExpressionError, match=f"more than {MAX_WORK}"):
        compile_expression("length(sort(context))").evaluate({"context": texts})


@pytest.mark.parametrize(
    "text", ["concat(@, @)", "join('', [@, @])", "replace(@, 'a', 'aa')", "base64_encode(concat(@))"]
)
def test_a_function_makes_no_text_longer_than_the_limit(text: str) -> None:
    """Not even one that is only measured afterwards."""
    with pytest.raises(ExpressionError, match=f"longer than {MAX_TEXT}"):
        compile_expression(f"context | length({text})").evaluate({"context": "a" * (MAX_TEXT - 1)})


def test_flattening_is_paid_before_it_is_done() -> None:
    """400 times one list of 10,000: four million places that nobody asked for."""
    expression = compile_expression("context | [" + ", ".join(["@"] * 400) + "][]")
    scope = {"context": list(range(10_000))}
    tracemalloc.start()
    with pytest.raises(ExpressionError, match=f"more than {MAX_WORK}"):
        expression.evaluate(scope)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_large_answer_can_be_worked_through() -> None:
    """The limits leave room for a filter over 20,000 entries."""
    entries = [{"id": number, "open": number % 2 == 0} for number in range(20_000)]
    found = compile_expression("length(response.body[?open].id)").evaluate({"response": {"body": entries}})
    assert found == 10_000


def read_by(text: str) -> References:
    return compile_expression(text).references


def test_references_name_the_steps_their_fields_and_the_parts_of_the_context() -> None:
    """What is only passed through is not read."""
    read = read_by("concat(steps.charge.result.id, steps.create-user.status, context.card, vars.A, secret.B)")
    assert read.steps == {"charge", "create-user"}
    assert read.step_fields == {("charge", "result"), ("create-user", "status")}
    assert not read.all_steps
    assert read.context == {"context.card"}
    assert (read.vars, read.secrets) == ({"A"}, {"B"})
    assert read.roots == {"steps", "context", "vars", "secret"}


@pytest.mark.parametrize(
    ("text", "steps", "all_steps"),
    [
        ("steps | charge.result", {"charge"}, False),
        ("(steps.a || steps.b).result", {"a", "b"}, False),
        ("steps.[a.result, b.result]", {"a", "b"}, False),
        ("steps.{x: a.result, y: @}", {"a"}, True),
        ("steps.*.result", set(), True),
        ("keys(steps)", set(), True),
        ("length(keys(steps)) > `0` && steps.a.result", {"a"}, True),
        ("context.list[?id == steps.a.result]", set(), False),
        ("!(steps.a)", {"a"}, False),
        ("sort_by(steps.a.result, &steps.b)", {"a"}, False),
        ("steps | " + " | ".join(["(@ || @)"] * 30 + ["a"]), {"a"}, False),
        (" | ".join(["(a || b)"] * 50), set(), False),
        ("steps | " + " | ".join(["(a || b)"] * 20), {"a", "b"}, False),
        ("steps | (@.a.result || keys(@))", {"a"}, True),
        ("'steps.a'", set(), False),
        ('`{"steps": 1}`.steps', set(), False),
    ],
)
def test_references_find_every_step_however_it_is_reached(text: str, steps: set[str], all_steps: bool) -> None:
    """`validate` leans on this: a step that is read must be seen."""
    assert read_by(text).steps == steps
    assert read_by(text).all_steps == all_steps


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        ("context.card", True),
        ("context", True),
        ("context.card.number", True),
        ('context."card"', True),
        ("context | [card]", True),
        ("values(context)", True),
        ("context.cards", False),
        ("context.plan", False),
    ],
)
def test_references_tell_whether_a_sensitive_part_is_touched(text: str, touched: bool) -> None:
    """A part is touched by reading it, something in it, or something that holds it."""
    assert read_by(text).touches("context.card") is touched


def test_a_template_keeps_types_and_fills_texts() -> None:
    """One expression keeps its JSON type, a text takes values in; `$${` is a plain `${`; keys are literal."""
    template = compile_template(
        {
            "url": "${vars.SERVICES_URL}/users/${steps.create-user.result.id}?n=${context.count}&y=${context.yes}",
            "lines": ["${context.lines}", {"amount": "${context.amount}"}],
            "literal": "$${context.card} costs $5 {}",
            "${key}": None,
            "braces": "${ {a: context.card, b: '}'} }",
        }
    )
    assert template.render(SCOPE) == {
        "url": "http://services/users/u1?n=3&y=true",
        "lines": [SCOPE["context"]["lines"], {"amount": 12.5}],
        "literal": "${context.card} costs $5 {}",
        "${key}": None,
        "braces": {"a": "4242", "b": "}"},
    }
    assert template.references.steps == {"create-user"}


def test_a_template_without_expressions_is_rendered_at_once() -> None:
    """Constants are made once, when the template is compiled."""
    source = {"a": [1, {"b": "c"}]}
    template = compile_template(source)
    assert template.render({}) == source
    assert template.render({}) is template.render({})


@pytest.mark.parametrize(("name", "kind"), [("none", "null"), ("lines", "an array")])
def test_only_plain_values_go_into_a_text(name: str, kind: str) -> None:
    """`Hello null` is never what anybody wants."""
    with pytest.raises(ExpressionError, match=rf"^greeting\.text: it is {kind}, which cannot stand inside a text"):
        compile_template({"greeting": {"text": f"Hello ${{context.{name}}}"}}).render(SCOPE)


def test_every_fault_of_a_template_is_found_with_its_path() -> None:
    """One compilation shows them all."""
    with pytest.raises(FaultyTemplate) as refused:
        compile_template({"a": ["${x", "fine"], "b": {"c": "${y z} and ${add(a)}"}})
    assert [fault.place for fault in refused.value.faults] == ["a[0]", "b.c", "b.c"]


def test_a_rendered_whole_is_weighed_too() -> None:
    """Many small readings of one large value make a large payload."""
    template = compile_template(["${context}"] * 100)
    with pytest.raises(ExpressionError, match="larger than"):
        template.render({"context": "a" * 100_000})
    with pytest.raises(ExpressionError, match="longer than"):
        compile_template("-${context}" * 100).render({"context": "a" * 100_000})


NAMES = st.sampled_from(["context", "steps", "a", "b", "charge", "result", "card"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), below, max_size=4),
    max_leaves=12,
)
SCOPES = st.dictionaries(NAMES, JSON, max_size=5)


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), SCOPES)
def test_a_chain_of_names_is_answered_as_jmespath_would(names: list[str], scope: dict[str, Json]) -> None:
    """The quick way and the interpreter are one."""
    path = ".".join(names)
    if path != "secret":
        try:
            found = compile_expression(path).evaluate(scope)
        except ExpressionError:
            return
        assert found == jmespath.search(path, scope)


TOKENS = st.sampled_from(
    [
        *("context", "steps", "a", "create-user", "secret", "response", "response.headers.x-y", "@", "*", ".", ".*"),
        *(
            "[",
            "]",
            "[]",
            "[*]",
            "[0]",
            "[-1]",
            "[::2]",
            "[::0]",
            "[?",
            "(",
            ")",
            "{",
            "}",
            ":",
            ",",
            "|",
            "||",
            "&&",
            "!",
        ),
        *(
            "==",
            "!=",
            "<",
            ">",
            "<=",
            ">=",
            "=",
            "&",
            "-",
            "+",
            "'x'",
            "'",
            '"',
            '"q"',
            "`1`",
            "`[1, 2]`",
            "`{}`",
            "`",
            "\\",
        ),
        *(
            "length(",
            "to_string(",
            "map(&",
            "sort_by(",
            "sort(",
            "max(",
            "sum(",
            "keys(",
            "values(",
            "merge(",
            "join(",
            "${",
        ),
        *(
            "add(",
            "divide(",
            "concat(",
            "if(",
            "default(",
            "split(",
            "replace(",
            "sha256(",
            "to_number(",
            "contains(",
            "not_null(",
        ),
        *("9" * 30, "é", "\x00", "\ud800", "\n", " "),
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(TOKENS, max_size=14).map("".join) | st.text(max_size=30), SCOPES)
def test_random_expressions_end_in_a_value_or_in_an_expression_error(text: str, scope: dict[str, Json]) -> None:
    """Nothing else comes out of an expression, whatever goes in."""
    try:
        value = compile_expression(text).evaluate(scope)
    except ExpressionError:
        return
    weigh(value)


def expressions() -> st.SearchStrategy[str]:
    """Texts that mostly compile."""
    leaves = st.sampled_from(["context", "steps.a.result", "context.a", "`1`", "`[1, 2, 3]`", "'x'", '`{"a": [1]}`'])

    def larger(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(below, below)
        calls = st.sampled_from(
            ["add", "divide", "concat", "default", "contains", "merge", "split", "multiply", "modulo"]
        )
        single = st.sampled_from(
            ["length", "to_string", "keys", "sort", "max", "sum", "to_array", "reverse", "sha256", "type"]
        )
        return st.one_of(
            pair.map(lambda two: f"({two[0]} | [@, {two[1]}])"),
            pair.map(lambda two: f"({two[0]} || {two[1]})"),
            pair.map(lambda two: f"({two[0]} == {two[1]})"),
            pair.map(lambda two: f"({two[0]} < {two[1]})"),
            pair.map(lambda two: f"({two[0]})[?@ != `2`].{{a: @}}[]"),
            st.tuples(calls, pair).map(lambda call: f"{call[0]}({call[1][0]}, {call[1][1]})"),
            st.tuples(single, below).map(lambda call: f"{call[0]}({call[1]})"),
            pair.map(lambda two: f"map(&{two[0]}, to_array({two[1]}))"),
        )

    return st.recursive(leaves, larger, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(expressions(), SCOPES)
def test_sound_expressions_are_total(text: str, scope: dict[str, Json]) -> None:
    """The same, for texts that reach the interpreter."""
    try:
        expression = compile_expression(text)
    except ExpressionError:
        return
    with contextlib.suppress(ExpressionError):
        json.dumps(expression.evaluate(scope), allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(expressions(), SCOPES, SCOPES)
def test_what_is_not_referenced_makes_no_difference(text: str, scope: dict[str, Json], other: dict[str, Json]) -> None:
    """References are sound: two scopes that agree on what is referenced give one value."""
    try:
        expression = compile_expression(text)
    except ExpressionError:
        return
    roots = expression.references.roots
    seen = {name: value for name, value in scope.items() if name in roots}
    changed = {**{name: value for name, value in other.items() if name not in roots}, **seen}
    assert outcome(expression, seen) == outcome(expression, changed)


def outcome(expression: Expression, scope: dict[str, Json]) -> str:
    try:
        return json.dumps(expression.evaluate(scope))
    except ExpressionError as error:
        return str(error)
