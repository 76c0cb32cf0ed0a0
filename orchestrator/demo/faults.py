"""How an example service is told to misbehave: fail the next calls, answer slowly, or lose an answer after the work."""

import threading
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace

from orchestrator.errors import Fault, FaultyInput
from orchestrator.jsontype import Json

_LONGEST_DELAY = 600.0


@dataclass(frozen=True)
class Misbehaviour:
    """What an endpoint does wrong.

    The next `fail` calls are answered with `status`; with `after` the work is done first and only its answer is lost.
    Each call takes `delay` seconds more. `retryAfter` (seconds) is sent with the failures.
    """

    fail: int = 0
    status: int = 503
    after: bool = False
    delay: float = 0.0
    retryAfter: float | None = None  # noqa: N815 - it is a name in JSON


class Faults:
    """The misbehaviour of each endpoint; safe to use from the threads of a server."""

    def __init__(self, steps: Collection[str]) -> None:
        self._steps = steps
        self._lock = threading.Lock()
        self._by_step: dict[str, Misbehaviour] = {}

    def set(self, wanted: Json) -> None:
        """Replace the misbehaviour of the endpoints named in `wanted`. Raises FaultyInput, and then changes nothing."""
        if not isinstance(wanted, dict):
            raise FaultyInput([Fault("", 'an object is wanted, such as {"create-shipment": {"fail": 2}}')])
        found: list[Fault] = []
        read = {step: _read(step, options, self._steps, found) for step, options in wanted.items()}
        if found:
            raise FaultyInput(found)
        with self._lock:
            self._by_step.update(read)

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._by_step.clear()

    def take(self, step: str) -> Misbehaviour:
        """What this call does wrong; counts it off."""
        with self._lock:
            now = self._by_step.get(step, Misbehaviour())
            if now.fail:
                self._by_step[step] = replace(now, fail=now.fail - 1)
            return now

    def as_json(self) -> Json:
        """What is still to go wrong."""
        with self._lock:
            return {step: asdict(misbehaviour) for step, misbehaviour in sorted(self._by_step.items())}


def _read(step: str, options: Json, steps: Collection[str], found: list[Fault]) -> Misbehaviour:
    if step not in steps:
        found.append(Fault(step, f"no such endpoint; there are {', '.join(sorted(steps))}"))
        return Misbehaviour()
    if not isinstance(options, dict):
        found.append(Fault(step, 'an object is wanted, such as {"fail": 2, "status": 503}'))
        return Misbehaviour()
    good: dict[str, Json] = {}
    for name, value in options.items():
        if complaint := _complaint(name, value):
            found.append(Fault(f"{step}.{name}", complaint))
        else:
            good[name] = value
    return Misbehaviour(**good)


def _complaint(name: str, value: Json) -> str | None:
    """What is wrong with an option, None where nothing is."""
    if name == "after":
        return None if isinstance(value, bool) else "true or false is wanted"
    if name in {"fail", "status"}:
        least, most = (0, 1_000_000) if name == "fail" else (400, 599)
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and least <= value <= most else f"a whole number from {least} to {most} is wanted"
    if name in {"delay", "retryAfter"}:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number and 0 <= value <= _LONGEST_DELAY else f"seconds from 0 to {_LONGEST_DELAY:g} are wanted"
    return "no such option; there are fail, status, after, delay, retryAfter"
