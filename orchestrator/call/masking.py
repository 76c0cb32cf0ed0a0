"""An answer that repeats what was private in its request is masked before anybody reads or keeps it. Pure.

Services echo requests: in errors above all, now and then in results. What they were sent in confidence must not come to
rest in the ledger that way, and from there in the API, in logs, or in the requests of later steps.
"""

import base64
import html
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote, quote_plus

from orchestrator.jsontype import Json
from orchestrator.outcome import Answer, NoAnswer
from orchestrator.sealing import MASK

SHORTEST = 6
"""Characters. Shorter texts (`true`, `GB`, 1234) turn up by chance, and masking them would garble answers."""


def masked(answer: Answer | NoAnswer, private: Iterable[str]) -> Answer | NoAnswer:
    """The answer with every private text in it masked: as it is, and as URLs, JSON, HTML and Base64 spell it."""
    pattern = _pattern(private)
    if pattern is None:
        return answer
    if isinstance(answer, NoAnswer):
        return replace(answer, message=pattern.sub(MASK, answer.message))
    headers = {name: pattern.sub(MASK, value) for name, value in answer.headers.items()}
    return Answer(answer.status, headers, _without(answer.body, pattern))


def _pattern(private: Iterable[str]) -> re.Pattern[str] | None:
    spelled = {form for text in private if len(text) >= SHORTEST for form in _forms(text)}
    # The longest first: where one text holds another, the whole of it goes.
    longest_first = sorted(spelled, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if spelled else None


def _forms(text: str) -> set[str]:
    raw = text.encode(errors="surrogatepass")
    encoded = base64.b64encode(raw).decode()
    return {
        text,
        quote(raw, safe=""),
        quote(raw, safe="").lower(),
        quote_plus(raw),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
        encoded,
        base64.urlsafe_b64encode(raw).decode(),
        encoded.rstrip("="),
    }


def _without(value: Json, pattern: re.Pattern[str]) -> Json:
    """Recurses no deeper than an answer may be nested."""
    if isinstance(value, str):
        return pattern.sub(MASK, value)
    if isinstance(value, dict):
        return {pattern.sub(MASK, key): _without(below, pattern) for key, below in value.items()}
    if isinstance(value, list):
        return [_without(below, pattern) for below in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and pattern.fullmatch(json.dumps(value)):
        return MASK
    return value
