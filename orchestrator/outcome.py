"""What came of one attempt of a step, as values: a 402 is data, not an exception."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.jsontype import Json
from orchestrator.states import Effect, Waiting


@dataclass(frozen=True, slots=True)
class StepError:
    """Why an attempt failed. `kind` is a fixed word for programs, `message` is for people, `status` is HTTP's.

    Kinds: `http` (an answer that is not a success), `refused`, `dns`, `connect`, `tls` and `auth` (nothing was sent),
    `timeout` and `dropped` (sent, no whole answer), `blocked` (the address may not be called), `request` (the request
    cannot be sent as it is written), `answer` (an answer that cannot be kept), `expression`, `rejected` (the `success`
    expression said no), `lost` (the worker died), `internal` (a fault of the orchestrator itself), `deadline`,
    `cancelled`, `items` (more items of a `forEach` failed than may), `callback` (the service said so later). A
    workflow's error may also be `ended` (by a step, as its definition says).
    """

    kind: str
    message: str
    status: int | None = None

    def as_json(self) -> Json:
        """The error as the API shows it and the ledger keeps it."""
        shown: dict[str, Json] = {"kind": self.kind, "message": self.message}
        if self.status is not None:
            shown["status"] = self.status
        return shown


@dataclass(frozen=True, slots=True)
class Completed:
    """The call was a success; `result` is what later steps may read."""

    result: Json
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed.

    `effect` is what it did in the world, `retryable` whether another attempt could help, `retry_after` the seconds
    that the service asked to be left alone (None where it asked for nothing).
    """

    error: StepError
    effect: Effect
    retryable: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """The step's condition did not hold; no call was made."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """The attempt has begun something that goes on without a worker; what becomes of it comes later.

    The step is looked at again after `seconds`, or at `until` (seconds since 1970), whichever is given. What it did is
    unknown until then. `memo` is kept with the step until its attempt is over; the API does not show it.
    """

    waiting_for: Waiting
    seconds: float | None = None
    until: float | None = None
    memo: Json = None

    def wakes_at(self, now: float) -> float:
        """When the step is looked at again."""
        return self.until if self.until is not None else now + (self.seconds or 0.0)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A step with `forEach` has its list; no call was made. `items` is None where the ledger has them already."""

    items: Sequence[Json] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Where a service is asked how it stands, and how many questions in a row have failed.

    `ours`: the address is the definition's, or of the origin that was called: the step's headers and credentials go
    along.
    """

    url: str
    ours: bool
    errors: int = 0


Ending = Completed | Failed
"""What may become of a parked attempt."""

Outcome = Completed | Failed | Skipped | Parked | Expanded


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. Header names are lower case; `body` is decoded JSON, else text, else None when empty."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer that can be kept.

    `kind` is one of `StepError`'s. `sent` says whether the request (or a part of it) may have reached the service;
    `status` is the HTTP status where one was received before the rest turned out to be unusable.
    """

    kind: str
    message: str
    sent: bool
    status: int | None = None
