"""How many calls may go to one place at once, how fast, and when none may: pure arithmetic on a gauge.

A limit has a key, such as a host. What its calls share is an `Allowance`; how it stands just now is a `Gauge`, of
which the ledger keeps one row for each key. The circuit of a limit::

    closed ── too many calls fail ──► open ── its pause is over ──► half-open ── one probe succeeds ──► closed
                                        ▲                              │
                                        └────────── the probe fails ───┘   (twice as long)

`half-open` is no state of its own: a circuit that is open and whose time has come lets one call in.
"""

from dataclasses import dataclass, replace

from orchestrator.jsontype import Json
from orchestrator.outcome import Completed, Failed, Outcome, Parked, StepError

LONGEST_PAUSE = 600.0
"""Seconds that a circuit stays open at most before it is probed again."""

_GOOD, _BAD = ".", "x"


@dataclass(frozen=True, slots=True)
class Circuit:
    """When calls are held back because the service fails: after so many `failures` in a row, or where at least the
    `share` of the last `calls` failed. `pause` is seconds before the first probe.
    """

    failures: int = 5
    share: float = 0.5
    calls: int = 20
    pause: float = 30.0

    def as_json(self) -> dict[str, Json]:
        """As the API shows it and the ledger keeps it."""
        return {"failures": self.failures, "share": self.share, "calls": self.calls, "pause": self.pause}


DEFAULT_CIRCUIT = Circuit()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What all calls of one key share: at most `concurrency` at once, at most `rate` a second. None: no bound."""

    concurrency: int | None = None
    rate: float | None = None
    circuit: Circuit | None = None


@dataclass(frozen=True, slots=True)
class Gauge:
    """How a key stands. Times are seconds since 1970.

    `next_at` is when the rate lets the next call in; `recent` has a mark for each of the last calls; `open_until` is
    when an open circuit is probed (None: it is closed), `openings` how often it opened without being closed.
    """

    next_at: float = 0.0
    recent: str = ""
    open_until: float | None = None
    openings: int = 0

    def state(self, now: float) -> str:
        """`closed`, `open` or `half-open`."""
        if self.open_until is None:
            return "closed"
        return "open" if now < self.open_until else "half-open"


def free_at(allowance: Allowance, gauge: Gauge, held: int, now: float) -> float | None:
    """When the next call may be made while `held` others are; None: not before one of those has ended."""
    most = allowance.concurrency if gauge.open_until is None else 1
    if most is not None and held >= most:
        return None
    at = max(now, gauge.open_until or 0.0)
    return at if allowance.rate is None else max(at, gauge.next_at)


def let_in(allowance: Allowance, gauge: Gauge, at: float) -> Gauge:
    """The gauge once a call is let in at that time."""
    return gauge if allowance.rate is None else replace(gauge, next_at=max(at, gauge.next_at) + 1 / allowance.rate)


def learn(allowance: Allowance, gauge: Gauge, good: bool | None, now: float) -> Gauge:
    """The gauge once a call has ended; None: its end says nothing about the service.

    What ends while the circuit is open was sent before it opened, and says nothing new.
    """
    state = gauge.state(now)
    if good is None or state == "open":
        return gauge
    circuit = allowance.circuit
    if state == "half-open":
        return closed(gauge) if good else opened(gauge, circuit or DEFAULT_CIRCUIT, now)
    if circuit is None:
        return gauge
    recent = (gauge.recent + (_GOOD if good else _BAD))[-max(circuit.calls, circuit.failures) :]
    learned = replace(gauge, recent=recent)
    return opened(learned, circuit, now) if not good and _fails(recent, circuit) else learned


def opened(gauge: Gauge, circuit: Circuit, now: float) -> Gauge:
    """Open, for longer each time that the probe failed."""
    pause = min(circuit.pause * 2**gauge.openings, max(circuit.pause, LONGEST_PAUSE))
    return replace(gauge, open_until=now + pause, openings=min(gauge.openings + 1, 20))


def closed(gauge: Gauge) -> Gauge:
    """Closed, and what was before forgotten."""
    return replace(gauge, recent="", open_until=None, openings=0)


def _fails(recent: str, circuit: Circuit) -> bool:
    if recent.endswith(_BAD * circuit.failures):
        return True
    last = recent[-circuit.calls :]
    return len(last) >= circuit.calls and last.count(_BAD) >= circuit.share * len(last)


_SILENT = frozenset({"timeout", "dropped", "refused", "connect", "dns", "tls"})
_SERVER_ERRORS = 500


def speaks_for(outcome: Outcome) -> bool | None:
    """Whether an attempt that ended so found its service well; None where it says nothing about that.

    A 4xx is an answer of a service that works; what the orchestrator itself could not send says nothing.
    """
    match outcome:
        case Completed() | Parked():
            return True
        case Failed(StepError(kind, _, status)) if kind in _SILENT or (status or 0) >= _SERVER_ERRORS:
            return False
        case Failed(StepError(_, _, status)):
            return None if status is None else True
        case _:
            return None
