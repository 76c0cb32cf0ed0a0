"""A run → what was expected of it and is not so, each with its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.jsontype import Json
from orchestrator.testkit.case import UNSAID, Calls, Expectation
from orchestrator.testkit.run import Run, brief


@dataclass(frozen=True, slots=True)
class Unmet:
    """One thing that is otherwise than expected; `place` is within `expect`, such as `calls.charge.payload.amount`."""

    place: str
    expected: str
    happened: str

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, happened: {self.happened}"


def unmet(expected: Expectation, run: Run) -> list[Unmet]:
    """Everything that is otherwise, in the order of the fields; nothing where all is as expected."""
    found = [*_ending(expected, run), *_steps(expected, run)]
    for step, calls in expected.calls.items():
        found += _calls(f"calls.{step}", calls, run, step)
    found += [*_order(expected, run), *_undone(expected, run)]
    if expected.within is not None and run.took > expected.within:
        found.append(Unmet("within", f"at most {expected.within:g} s", f"it took {run.took:g} s"))
    return found


def _ending(expected: Expectation, run: Run) -> Iterator[Unmet]:
    if expected.status is not None and run.status != expected.status:
        yield Unmet("status", expected.status, _ended(run))
    if expected.compensation is not None and run.compensation != expected.compensation:
        yield Unmet("compensation", expected.compensation, run.compensation)
    if expected.output is not UNSAID:
        yield from differences("output", expected.output, run.output)
    if expected.output_has is not UNSAID:
        yield from differences("outputHas", expected.output_has, run.output, part=True)
    if expected.error is not UNSAID:
        yield from differences("error", expected.error, run.error, part=True)


def _ended(run: Run) -> str:
    if run.faults:
        return f"{run.status} ({'; '.join(map(str, run.faults))})"
    error = run.error or {}
    where = f"{error['step']}: " if error.get("step") else ""
    return f"{run.status} ({where}{error.get('message')})" if error else run.status


def _steps(expected: Expectation, run: Run) -> Iterator[Unmet]:
    for step, status in expected.steps.items():
        if (happened := run.steps.get(step)) != status:
            yield Unmet(f"steps.{step}", status, happened or "there was none")


def _calls(place: str, expected: Calls, run: Run, step: str) -> Iterator[Unmet]:
    calls = run.calls_of(step)
    if expected.count is not None and len(calls) != expected.count:
        yield Unmet(place, _times(expected.count), _times(len(calls)))
    asked = expected.count is None and expected != Calls()
    if asked and not calls:
        yield Unmet(place, "a call", "none was made")
    for number, call in enumerate(calls, 1):
        at = place if len(calls) == 1 else f"{place} (call {number})"
        for field, wanted, was in (("method", expected.method, call.method), ("url", expected.url, call.url)):
            if wanted is not None and wanted != was:
                yield Unmet(f"{at}.{field}", wanted, was)
        if expected.payload is not UNSAID:
            yield from differences(f"{at}.payload", expected.payload, call.payload)
        if expected.payload_has is not UNSAID:
            yield from differences(f"{at}.payloadHas", expected.payload_has, call.payload, part=True)
        sent = {name.lower(): value for name, value in call.headers.items()}
        for name, value in expected.headers.items():
            if sent.get(name.lower()) != value:
                yield Unmet(f"{at}.headers.{name}", value, sent.get(name.lower(), "it was not sent"))


def _order(expected: Expectation, run: Run) -> Iterator[Unmet]:
    if expected.order is None:
        return
    happened = [step for step in run.order if step in expected.order]
    if happened != list(expected.order):
        yield Unmet("order", " → ".join(expected.order), " → ".join(happened) or "none of them was called")


def _undone(expected: Expectation, run: Run) -> Iterator[Unmet]:
    if expected.undone is not None and run.undone != list(expected.undone):
        yield Unmet("undone", ", ".join(expected.undone) or "nothing", ", ".join(run.undone) or "nothing")


def differences(place: str, expected: Json, happened: Json, *, part: bool = False) -> Iterator[Unmet]:
    """Where two values differ, as deep as can be said. `part`: an object may hold more than is expected of it."""
    if isinstance(expected, dict) and isinstance(happened, dict):
        for key in expected:
            if key in happened:
                yield from differences(f"{place}.{key}", expected[key], happened[key], part=part)
            else:
                yield Unmet(f"{place}.{key}", brief(expected[key]), "it is not there")
        if not part:
            for key in happened.keys() - expected.keys():
                yield Unmet(f"{place}.{key}", "nothing of that name", brief(happened[key]))
    elif isinstance(expected, list) and isinstance(happened, list) and len(expected) == len(happened):
        for index, (one, other) in enumerate(zip(expected, happened, strict=True)):
            yield from differences(f"{place}[{index}]", one, other, part=part)
    elif expected != happened or isinstance(expected, bool) is not isinstance(happened, bool):
        yield Unmet(place, brief(expected), brief(happened))


def _times(count: int) -> str:
    return {0: "no call", 1: "1 call"}.get(count, f"{count} calls")
