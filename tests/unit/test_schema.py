"""The JSON Schema for editors: sound, true to the reader, and fit for the bundled workflows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.errors import DefinitionError
from orchestrator.jsontype import Json
from orchestrator.reading import read_document, read_folder
from orchestrator.reading.fields import COMPENSATION, DEFINITION, NOT_YET, RETRY, STEP
from orchestrator.reading.kinds import Group
from orchestrator.schema import definition_schema

SCHEMA = definition_schema()
FITS = Draft202012Validator(SCHEMA)
URL = "http://services/step"


def test_the_schema_is_a_schema() -> None:
    """Editors can load it."""
    Draft202012Validator.check_schema(SCHEMA)


def test_the_bundled_workflows_fit_the_schema() -> None:
    """What we ship is the first example that people open in their editor."""
    definitions = read_folder(Path(__file__).parents[2] / "workflows")
    assert set(definitions) == {"subscription", "order-processing"}
    for definition in definitions.values():
        assert list(FITS.iter_errors(definition.document)) == []


def test_every_field_has_a_meaning_and_every_default_fits() -> None:
    """An editor shows the one and fills in the other."""
    for group in (DEFINITION, STEP, COMPENSATION, RETRY):
        for name, field in group.fields.items():
            shown = group.schema()["properties"][name]
            assert shown["description"].endswith(".")
            if field.default is not None:
                assert Draft202012Validator(field.kind.schema()).is_valid(field.default)


def keys_at(schema: Json, path: str) -> set[str]:
    step = schema["properties"]["steps"]["additionalProperties"]
    place = {
        "definition": schema,
        "step": step,
        "compensate": step["properties"]["compensate"],
        "retry": step["properties"]["retry"],
    }[path]
    assert place["additionalProperties"] is False
    return set(place["properties"])


@pytest.mark.parametrize(
    ("path", "group"),
    [("definition", DEFINITION), ("step", STEP), ("compensate", COMPENSATION), ("retry", RETRY)],
)
def test_reader_and_schema_know_the_same_keys(path: str, group: Group) -> None:
    """Neither accepts a key that the other refuses as unknown."""
    assert keys_at(SCHEMA, path) == set(group.fields)
    for name in (*group.fields, "somethingElse"):
        assert unknown(path, name) is (name not in keys_at(SCHEMA, path))


def unknown(path: str, name: str) -> bool:
    """Whether the reader says that there is no such field."""
    odd: Json = {name: None}
    step: Json = {"targetUrl": URL}
    definition: Json = {"type": "t", "steps": {"a": step}}
    target = {"definition": definition, "step": step, "compensate": {"targetUrl": URL}, "retry": {}}[path]
    target.update(odd)
    if path in ("compensate", "retry"):
        step[path] = target
    with pytest.raises(DefinitionError) as refused:
        read_document(definition)
    return any("there is no field" in fault.message for fault in refused.value.faults)


def test_no_field_is_both_known_and_not_yet_known() -> None:
    """A release that takes up a field deletes it from the table."""
    assert not set(NOT_YET["step"]) & set(STEP.fields)
    assert not set(NOT_YET["step"]) & set(COMPENSATION.fields)
    assert not set(NOT_YET["definition"]) & set(DEFINITION.fields)


def samples() -> Iterator[tuple[str, Json]]:
    """For each simple field of a step, values on both sides of what is right."""
    yield from (("retries", value) for value in (-1, 0, 100, 101, 1.5, "1", True))
    yield from (("timeout", value) for value in (0, 0.1, 3600, 3601, "5s", "5", True))
    yield from (("method", value) for value in ("POST", "post", 1))
    yield from (("optional", value) for value in (True, "yes"))
    yield from (("join", value) for value in ("most", 0))
    yield from (("encoding", value) for value in ("json", "xml"))
    yield from (("next", value) for value in ([], ["b"], "b", ["b", "b"]))
    yield from (("retry", value) for value in ({"factor": 1}, {"factor": 0}, {"jitter": "none"}, {"delay": -1}))
    yield from (("retry", {"budget": value}) for value in (0, 1, 90, "2m", "2 m"))
    secret = "${secret.KEY}"
    key, user = {"value": secret}, {"username": "me", "password": secret}
    yield from (
        ("auth", value) for value in ({}, "x", {"bearer": secret}, {"bearer": ""}, {"bearer": secret, "basic": user})
    )
    yield from (
        ("auth", {"apiKey": {**key, **names}}) for names in ({}, {"header": "X-K"}, {"header": "h", "query": "q"})
    )
    yield from (("retry", {"on": [value]}) for value in (99, 100, 409, 599, 600, True, "409", "5xx", "6xx", "timeout"))
    yield from (("retry", {"on": value}) for value in ([], "5xx", ["5xx", 409], [[409]], ["${error.kind == 'tls'}"]))


@pytest.mark.parametrize(("name", "value"), list(samples()))
def test_reader_and_schema_agree_on_plain_values(name: str, value: Json) -> None:
    """What an editor underlines, `validate` refuses, and the other way round."""
    definition = {"type": "t", "steps": {"a": {"targetUrl": URL, name: value}, "b": {"targetUrl": URL}}}
    try:
        read_document(definition)
        read = True
    except DefinitionError:
        read = False
    assert FITS.is_valid(definition) is read


FIELDS: dict[str, Json] = {
    "targetUrl": URL,
    "workflow": "other",
    "task": "shop.reserve",
    "approval": {"timeout": 60},
    "wait": {"for": 60},
    "callback": {"timeout": 60},
    "poll": {"done": "response.body.done"},
    "forEach": ["a"],
    "context": {"a": 1},
    "args": [1],
    "queue": "celery",
    "payload": {"a": 1},
    "retries": 1,
    "timeout": 5,
    "success": "response.status == `200`",
    "limit": {"rate": "1/s"},
    "compensate": {"targetUrl": URL},
}


@given(st.sets(st.sampled_from(sorted(FIELDS)), max_size=4))
def test_reader_and_schema_agree_on_which_fields_go_together(names: set[str]) -> None:
    """An editor underlines a step that is nothing, or two things at once, and a field of another kind of step."""
    definition = {"type": "t", "steps": {"a": {name: FIELDS[name] for name in names}}}
    try:
        read_document(definition)
        read = True
    except DefinitionError:
        read = False
    assert FITS.is_valid(definition) is read


@given(
    st.dictionaries(
        st.sampled_from([*STEP.fields, "else"]),
        st.none() | st.booleans() | st.text(max_size=3) | st.integers(),
        max_size=3,
    )
)
def test_whatever_is_read_fits_the_schema(step: Json) -> None:
    """The schema never underlines a sound definition."""
    definition = {"type": "t", "steps": {"a": {"targetUrl": URL, **step}}}
    try:
        document = read_document(definition).document
    except DefinitionError:
        return
    assert FITS.is_valid(document)
