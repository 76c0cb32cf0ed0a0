"""JSON that can be kept."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jsontype import Json
from orchestrator.storable import MAX_DEPTH, NotStorable, check_storable, parse_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXTS, children, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_ordinary_json_comes_back_as_it_was_sent(value: Json) -> None:
    """Nothing that fits is changed or refused."""
    assert parse_json(json.dumps(value)) == value


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text from outside raises anything else."""
    try:
        parse_json(text)
    except NotStorable:
        return


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": "x\\u0000"}', "NUL"),
        ('{"x\\u0000": 1}', "NUL"),
        ('["\\ud800"]', "lone surrogate"),
        ('["\\udc00\\ud800"]', "lone surrogate"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("1e999", "64-bit float"),
        ("9223372036854775808", "64 bits"),
        ("-9223372036854775809", "64 bits"),
        ("9" * 100_000, "64 bits"),
        ("[" * 101 + "]" * 101, "deeper than 100"),
        ("", "not JSON"),
        ("{'a': 1}", "line 1, column 2"),
        ('"a\nb"', "control character"),
    ],
)
def test_what_no_database_keeps_is_refused_with_the_reason(text: str, reason: str) -> None:
    """Each refusal says what is wrong."""
    with pytest.raises(NotStorable, match=reason):
        parse_json(text)


def test_a_refusal_does_not_show_what_the_text_holds() -> None:
    """An answer may hold what no log may see."""
    with pytest.raises(NotStorable) as refused:
        parse_json('{"card": 4111111111111111 1}')
    assert "4111" not in str(refused.value)


def test_pairs_of_surrogates_are_one_character() -> None:
    """Escaped emoji are text like any other."""
    assert parse_json('"\\ud83d\\ude00"') == "😀"


def test_brackets_inside_texts_do_not_nest() -> None:
    """Only structure counts, however the text is quoted."""
    assert parse_json(json.dumps(['[[[{"' * 200, "\\" * 3])) == ['[[[{"' * 200, "\\" * 3]


def test_many_shallow_brackets_are_fine() -> None:
    """Wide is not deep."""
    assert len(parse_json("[" + ",".join(["[]"] * 1000) + "]")) == 1000


def test_nesting_up_to_the_limit_is_kept() -> None:
    """The limit itself is allowed."""
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '"' + "[" * 500_000, "[1," * 300_000, '"\\' * 300_000 + "[" * 200]
)
def test_absurd_nesting_is_refused_at_once(text: str) -> None:
    """Neither a crash nor seconds of a worker."""
    began = time.process_time()
    with pytest.raises(NotStorable):
        parse_json(text)
    assert time.process_time() - began < 0.5


def test_values_that_were_never_text_are_checked_too() -> None:
    """What an expression made is held to the same rules."""
    deep: Json = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(NotStorable, match="deeper"):
        check_storable(deep)
