"""Sensitive fields: taken out of a context, kept apart, and put back."""

import pytest

from orchestrator.jsontype import Json
from orchestrator.sealing import MASK, merged, split

CARD = "4111111111111111"


@pytest.mark.parametrize(
    ("context", "paths", "masked"),
    [
        ({"card": CARD, "plan": "pro"}, ["context.card"], {"card": MASK, "plan": "pro"}),
        ({"card": {"number": CARD, "name": "A"}}, ["context.card.number"], {"card": {"number": MASK, "name": "A"}}),
        ({"card": {"number": CARD}}, ["context.card.number", "context.card"], {"card": MASK}),
        ({"card": {"number": CARD}}, ["context.card", "context.card.number"], {"card": MASK}),
        ({"card": [{"number": CARD}]}, ["context.card.number"], {"card": MASK}),
        ({"card": CARD}, ["context.card.number", "context.card.name"], {"card": MASK}),
        ({"card": None}, ["context.card.number"], {"card": None}),
        ({"plan": "pro"}, ["context.card.number"], {"plan": "pro"}),
    ],
)
def test_what_is_sensitive_is_taken_out_and_comes_back(context: Json, paths: list[str], masked: Json) -> None:
    """Whatever its shape: a list of cards was kept and shown in the clear, a card that was named twice was lost."""
    shown, fields = split(context, paths)
    assert shown == masked
    assert merged(shown, fields) == context
