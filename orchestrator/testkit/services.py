"""Services that answer as a case says, and note every call."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from orchestrator.call import Request
from orchestrator.jsontype import Json
from orchestrator.outcome import Answer, NoAnswer
from orchestrator.standing import Holds
from orchestrator.testkit.case import Scripted

_SILENT = {
    "timeout": ("timeout", "no answer within the time-out", True),
    "drop": ("dropped", "the connection was dropped after the request was sent", True),
    "refuse": ("refused", "the connection was refused", False),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made. `step` is the step or the undo (`charge:undo`), `at` and `took` are seconds."""

    step: str
    at: float
    method: str
    url: str
    headers: Mapping[str, str]
    payload: Json
    answered: Scripted
    took: float

    @property
    def key(self) -> str:
        """Its `Idempotency-Key`."""
        return self.headers["Idempotency-Key"]


class Services:
    """All services of a workflow. A step for which nothing is scripted is answered 200 and `{}`."""

    def __init__(self, answers: Mapping[str, tuple[Scripted, ...]]) -> None:
        self._answers = answers
        self._made: Counter[str] = Counter()
        self.calls: list[Call] = []
        self.now = 0.0

    def call(self, request: Request, may_send: Holds) -> Answer | NoAnswer:
        """The next answer for the step that the request names. Takes no time; the call says how long it would have."""
        step = request.headers["X-Step"]
        scripted = self._next(step)
        late = scripted.silence == "timeout" or scripted.delay > request.timeout
        took = request.timeout if late else scripted.delay
        self.calls.append(
            Call(
                step, self.now, request.method, request.url, request.headers, decoded(request), scripted, round(took, 3)
            )
        )
        silence = "timeout" if late else scripted.silence
        if silence is not None:
            kind, message, sent = _SILENT[silence]
            return NoAnswer(kind, message, sent)
        headers = {name.lower(): value for name, value in scripted.headers.items()}
        return Answer(scripted.status, headers, scripted.body)

    def begin(self, step: str, method: str, url: str, headers: Mapping[str, str], payload: Json) -> Scripted:
        """The next answer of what is no service: noted as a call all the same."""
        scripted = self._next(step)
        self.calls.append(Call(step, self.now, method, url, headers, payload, scripted, round(scripted.delay, 3)))
        return scripted

    def decided(self, step: str) -> Scripted:
        """What is scripted of a step that makes no request: a person decides on it."""
        return self._next(step)

    def _next(self, step: str) -> Scripted:
        answers = self._answers.get(step) or self._answers.get(without_index(step)) or (Scripted(body={}),)
        self._made[step] += 1
        return answers[min(self._made[step], len(answers)) - 1]


def without_index(row: str) -> str:
    """`charge[0]:undo` → `charge:undo`: an item's row → its step's."""
    return re.sub(r"\[[0-9]+\]", "", row)


def decoded(request: Request) -> Json:
    """The payload as the definition's author knows it: JSON, or the fields of a form; None where nothing is sent."""
    if request.body is None:
        return None
    text = request.body.decode()
    if request.headers.get("Content-Type") == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, keep_blank_values=True))
    return json.loads(text)
