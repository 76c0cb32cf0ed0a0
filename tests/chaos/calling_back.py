"""Services that answer later: what they say of an order that they took, when, how often, and who else says something.

What a service says it says again until the web answers, as any service must that wants to be heard; it gives up where
that takes too long. Each saying is in its books with what it was told.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import requests

from orchestrator.jsontype import Json
from tests.chaos.forms import CALLBACK

INSISTS = 30.0
"""Seconds for which a service tries to be heard."""

PATIENCE = 3.0
"""Seconds that it waits for one answer."""


class Manner(NamedTuple):
    """How an order is carried out and told of.

    `acts`: it takes effect. `says` holds what is said, in that order: `done`, `failed`, `unsure` (failed, but it may
    have acted). `early`: before the order is even answered. `late`: after the caller has stopped waiting. `forged`:
    somebody without the token says something first.
    """

    acts: bool
    says: tuple[str, ...]
    early: bool = False
    late: bool = False
    forged: bool = False


class Word(Enum):
    """What may become of an order that was taken."""

    DONE = Manner(True, ("done",))
    EARLY = Manner(True, ("done",), early=True)
    TWICE = Manner(True, ("done", "done"))
    LATE = Manner(True, ("done",), late=True)
    NEVER = Manner(True, ())
    FORGED = Manner(True, ("done",), forged=True)
    CONTRADICTS = Manner(True, ("done", "failed"))
    UNSURE = Manner(True, ("unsure",))
    FAILED = Manner(False, ("failed",))
    FAILED_EARLY = Manner(False, ("failed",), early=True)


_WEIGHTS = (58, 8, 6, 3, 3, 6, 4, 2, 6, 1)
_DONE = (Word.DONE, Word.EARLY, Word.TWICE, Word.LATE, Word.NEVER, Word.FORGED, Word.CONTRADICTS)


def word_of(seed: str, n: str, step: str, before: int, *, ordered: bool) -> tuple[Word, float]:
    """What becomes of the order, and after how many seconds. Who has taken the same order before cannot fail it."""
    dice = random.Random(f"{seed}/{n}/{step}/word/{before}")
    word = dice.choices(list(Word), _WEIGHTS)[0]
    if ordered and word not in _DONE:
        word = Word.DONE
    # The longest are within the caller's patience, but beyond that of one attempt's request.
    delay = dice.uniform(2.5, CALLBACK - 0.8) if dice.random() < 0.1 else min(dice.expovariate(4), 1.5)
    return word, delay


@dataclass(frozen=True)
class Address:
    """Where an attempt's outcome is to be told, as its request said."""

    url: str
    token: str
    workflow: str
    step: str

    def whole(self, word: str) -> str:
        """The URL, without the token, for what is to be said."""
        base = self.url.partition("?")[0]
        return base if word == "done" else f"{base}/failed"


Note = Callable[..., None]
"""Writes down what was said, and what came of it."""


async def tell(address: Address, word: Word, note: Note) -> None:
    """Say all that there is to say."""
    if word.value.forged:
        for said in ("done", "failed"):
            await _say(address, said, note, forged=True)
    for said in word.value.says:
        await _say(address, said, note)


async def _say(address: Address, word: str, note: Note, *, forged: bool = False) -> None:
    body: dict[str, Json] = {"payload": {"workflowId": address.workflow, "step": address.step}}
    body |= {"result": {"by": address.step}} if word == "done" else {"error": "no"}
    if word == "unsure":
        body["effect"] = "unknown"
    token = _another(address.token) if forged else address.token
    give_up_at = time.monotonic() + INSISTS
    while time.monotonic() < give_up_at:
        status, answer = await asyncio.to_thread(_post, address.whole(word), token, body)
        if status is not None and status < 500:
            note(word=word, forged=forged, status=status, answer=answer)
            return
        await asyncio.sleep(0.4)
    note(word=word, forged=forged, status=None, answer=None)


def _post(url: str, token: str, body: Json) -> tuple[int | None, str | None]:
    try:
        answer = requests.post(url, json=body, headers={"X-Callback-Token": token}, timeout=PATIENCE)
        return answer.status_code, answer.json().get("answer")
    except (requests.RequestException, ValueError):
        return None, None


def _another(token: str) -> str:
    """One of the right form that nobody was given."""
    attempt, key_round, code = token.split(".")
    return f"{attempt}.{key_round}.{code[::-1]}"
