"""Why a call of the API did not succeed, as exceptions: one tree, by what the caller can do about it.

ApiError
├── Invalid          what was sent is wrong (400, 413, 415, 422): `faults` lists every place
├── NotAllowed       no key, a wrong one, or one without the scope (401, 403, 421)
├── NoSuch           no such workflow, definition or step (404)
├── Conflict         its status forbids that (409)
└── NotNow           it cannot be reached, or has no time, also after some tries: nothing is known to be wrong
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.jsontype import Json


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in what was sent."""

    place: str
    message: str


class ApiError(Exception):
    """A call that did not succeed. `status` is None where there was no answer."""

    def __init__(self, message: str, status: int | None = None, faults: Sequence[Fault] = ()) -> None:
        listed = "".join(f"\n  {fault.place}: {fault.message}" for fault in faults)
        super().__init__(message + listed)
        self.status = status
        self.faults = tuple(faults)


class Invalid(ApiError):
    """What was sent is wrong."""


class NotAllowed(ApiError):
    """The key does not allow it."""


class NoSuch(ApiError):
    """There is no such thing."""


class Conflict(ApiError):
    """Its status forbids it."""


class NotNow(ApiError):
    """It may work later."""


_KINDS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: NotAllowed,
    403: NotAllowed,
    404: NoSuch,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    421: NotAllowed,
    422: Invalid,
    429: NotNow,
}


def refusal_of(status: int, told: Json) -> ApiError:
    """The exception for an answer that is no success; `told` is its problem (RFC 9457), where it is one."""
    problem = told if isinstance(told, dict) else {}
    faults = [Fault(one["place"], one["message"]) for one in problem.get("faults", ())]
    kind = _KINDS.get(status, NotNow if status >= 500 else ApiError)
    return kind(f"{status} {problem.get('title', '')}: {problem.get('detail', 'no reason given')}", status, faults)
