"""Contexts against `input` schemas: as strict as the standard, and silent about what was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.fitting import MOST_FAULTS, faults_in
from orchestrator.jsontype import Json

SECRET = "4242424242424242"
ANYTHING: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([SECRET, "a", "", 1.5]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), below, max_size=3),
    max_leaves=8,
)
PART = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "object", "array", ["null", "boolean"]]),
        "enum": st.just([1, "a", None]),
        "const": st.just("a"),
        "minimum": st.just(3),
        "exclusiveMaximum": st.just(9),
        "multipleOf": st.just(2),
        "minLength": st.just(2),
        "maxLength": st.just(3),
        "pattern": st.just("^[a-z]*$"),
        "minItems": st.just(1),
        "uniqueItems": st.just(True),
        "maxProperties": st.just(1),
        "required": st.just(["a", "b"]),
        "additionalProperties": st.just(False),
        "unevaluatedProperties": st.just(False),
        "dependentRequired": st.just({"a": ["c"]}),
        "contains": st.just({"type": "string"}),
        "propertyNames": st.just({"pattern": "^[ab]$"}),
        "patternProperties": st.just({"^a": {"type": "integer"}, "b": False}),
        "format": st.just("email"),
    },
)
SCHEMA = st.recursive(
    PART,
    lambda below: st.tuples(
        PART,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.fixed_dictionaries({}, optional={"a": below, "b": below | st.just(False)}),
                "items": below,
                "anyOf": st.lists(below, min_size=1, max_size=2),
                "oneOf": st.lists(below, min_size=1, max_size=2),
                "allOf": st.lists(below, min_size=1, max_size=2),
                "not": below,
                "if": below,
                "then": below,
            },
        ),
    ).map(lambda pair: {**pair[0], **pair[1]}),
    max_leaves=6,
)


@given(schema=SCHEMA, context=ANYTHING)
def test_as_strict_as_the_standard_and_no_value_repeated(schema: Json, context: Json) -> None:
    """What was sent may be a card number: a message says what would be right, never what came."""
    faults = faults_in(context, schema)
    assert (not faults) == Draft202012Validator(schema).is_valid(context)
    for fault in faults:
        assert fault.place.startswith("context")
        assert fault.message
        assert SECRET not in str(fault)


@pytest.mark.parametrize(
    ("schema", "context", "place", "message"),
    [
        ({"required": ["a.b"]}, {}, "context.a.b", "is missing"),
        ({"items": {"type": "string"}}, ["x", 1], "context[1]", "must be a text"),
        ({"minItems": 2}, [1], "context", "must have at least 2 elements"),
        ({"properties": {"a": False}}, {"a": 1}, "context", "holds something that may not be given"),
        (
            {"properties": {"a": {}}, "unevaluatedProperties": False},
            {"b": 1},
            "context",
            "has fields that are not known here",
        ),
        (
            {"patternProperties": {"^x": {}}, "additionalProperties": False},
            {"x1": 1, "y": 2},
            "context.y",
            "is not known here",
        ),
    ],
)
def test_faults_are_placed_and_worded(schema: Json, context: Json, place: str, message: str) -> None:
    """The place is a path that the client can follow."""
    [fault] = faults_in(context, schema)
    assert (fault.place, fault.message) == (place, message)


def test_a_context_that_is_wrong_everywhere_gives_a_list_one_can_read() -> None:
    """Not a hundred thousand faults."""
    assert len(faults_in(["x"] * 100_000, {"items": {"type": "integer"}})) == MOST_FAULTS


def test_no_pattern_takes_longer_than_its_text_is_long() -> None:
    """Nested repetitions, in values and in names: with Python's own expressions this would take for years."""
    evil, text = "^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 100_000
    schema = {"patternProperties": {evil: False}, "additionalProperties": {"pattern": evil}}
    assert [fault.place[:10] for fault in faults_in({text: text}, schema)] == ["context.aa"]


def test_deep_contexts_and_schemas_that_refer_to_themselves_come_to_an_end() -> None:
    """As deep as a context may be."""
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"allOf": [{"additionalProperties": {"$ref": "#/$defs/n"}}]}}}
    context: Json = 1
    for _ in range(99):
        context = {"a": context}
    assert faults_in(context, schema) in ([], faults_in({"a": context}, schema))
