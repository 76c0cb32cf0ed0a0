"""An answer that repeats what was private."""

import base64
import json
from urllib.parse import quote

import pytest

from orchestrator.call.masking import masked
from orchestrator.jsontype import Json
from orchestrator.outcome import Answer, NoAnswer
from orchestrator.private import private_texts
from orchestrator.reading import read_document
from orchestrator.sealing import MASK

SECRET = 'sk_live "1"/ü&'


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        f"Bearer {SECRET}!",
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        json.dumps({"key": SECRET}),
        base64.b64encode(SECRET.encode()).decode(),
        {"a": [{"b": SECRET}]},
        {SECRET: 1},
    ],
)
def test_whatever_way_it_is_repeated_it_is_masked(echo: Json) -> None:
    """In bodies and headers."""
    answer = masked(Answer(500, {"x-echo": f"{SECRET}"}, echo), [SECRET])
    assert isinstance(answer, Answer)
    assert "sk_live" not in json.dumps([answer.body, answer.headers])
    assert MASK in json.dumps(answer.body, ensure_ascii=False)


def test_a_number_is_masked_where_it_is_the_whole_number() -> None:
    """A card may be sent as one; what merely holds its digits is another."""
    answer = masked(Answer(200, {}, [4111111111111111, 41111111111111110, True]), ["4111111111111111"])
    assert isinstance(answer, Answer)
    assert answer.body == [MASK, 41111111111111110, True]


def test_what_is_short_is_left_alone() -> None:
    """It turns up by chance; masked, an answer would be garbled."""
    answer = Answer(200, {}, {"country": "GB", "pin": "1234", "ok": True})
    assert masked(answer, ["GB", "1234", "true", ""]) == answer


def test_a_text_that_holds_another_is_masked_whole() -> None:
    """Of `secret-2` nothing is left."""
    assert masked(NoAnswer("dns", "secret-1-secret-2 is unknown", sent=False), ["secret", "secret-1-secret-2"]) == (
        NoAnswer("dns", f"{MASK} is unknown", sent=False)
    )


def test_private_are_the_secrets_that_are_read_and_the_leaves_of_sensitive_fields() -> None:
    """Not every secret that the worker has."""
    step = {"targetUrl": "http://s", "auth": {"bearer": "${secret.A}"}}
    definition = read_document({"type": "t", "sensitive": ["context.card"], "steps": {"s": step}})
    fields = {"context.card": {"number": 4111, "names": ["Ada", None, True]}}
    assert private_texts(definition, {"A": "a-secret", "B": "another"}, fields) == ("a-secret", "4111", "Ada")
