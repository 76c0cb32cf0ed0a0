"""A case as typed values: what a workflow is started with, what the services answer, and what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from orchestrator.jsontype import Json
from orchestrator.states import Effect

UNSAID: Final[Json] = object()
"""Stands for what a case says nothing of; `null` is something."""

Silence = Literal["timeout", "drop", "refuse"]
"""How an answer stays away: none within the time-out, none after the request was sent, no connection at all."""


@dataclass(frozen=True, slots=True)
class Later:
    """What is said of a step that waits, `after` so many seconds.

    By its service: the `body`, or the `error` of what failed and its `effect`; by a person: `approve`, a `comment`.
    """

    after: float = 0.0
    body: Json = None
    error: Json = UNSAID
    effect: Effect = Effect.NONE
    retryable: bool = True
    approve: bool | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer of a service. `delay` is the seconds that it takes; `silence` says how none comes.

    `result` stands for the step's result itself, whatever the definition makes of an answer: what a record has, which
    keeps results and no answers. `later` is what is said after a step was parked with it.
    """

    status: int = 200
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    silence: Silence | None = None
    result: Json = UNSAID
    later: tuple[Later, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A person's order, `at` seconds after the start: cancel, pause, resume or retry."""

    at: float
    verb: str


@dataclass(frozen=True, slots=True)
class Calls:
    """What must be true of the calls of one step (or undo). Texts and values are those of every single call.

    `payload` is exactly what is sent, `payload_has` a part of it; a header's name is in any case.
    """

    count: int | None = None
    method: str | None = None
    url: str | None = None
    payload: Json = UNSAID
    payload_has: Json = UNSAID
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be true in the end; what is not said is not looked at.

    `order` are steps of which each is first called before the next one; `undone` all that is undone, in that order;
    `within` the longest that it may take, in seconds.
    """

    status: str | None = None
    compensation: str | None = None
    output: Json = UNSAID
    output_has: Json = UNSAID
    error: Json = UNSAID
    steps: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Calls] = field(default_factory=dict)
    order: tuple[str, ...] | None = None
    undone: tuple[str, ...] | None = None
    within: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `answers` are by step (`charge`) or undo (`charge:undo`), one after the other, the last one for ever.

    `variables` and `secrets` are what `${vars.X}` and `${secret.X}` read; one that is missing has a stand-in.
    """

    name: str = ""
    context: Json = field(default_factory=dict)
    answers: Mapping[str, tuple[Scripted, ...]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()
    expect: Expectation = field(default_factory=Expectation)
    line: int | None = None
