"""What Arazzo does after a step: end, go to a later step, try again → conditions, endings and retries.

A jump from a step to a later one passes over those between them: each gets a condition that the jump was not taken,
and the target waits for the step that jumps, too. The jump's own condition reads the answer, which later steps cannot:
so it is kept in the step's result, under a name of its own (`_jump1`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.arazzo.criteria import condition
from orchestrator.arazzo.document import Components, Thing
from orchestrator.arazzo.expressions import Names, Unsupported, member
from orchestrator.jsontype import Json

DAY = 86_400
_ALWAYS = "`true`"


@dataclass(slots=True)
class Jump:
    """From one step to another (None: to the end). `flag` is its condition's name in the result, None: always."""

    origin: str
    target: str | None
    flag: str | None = None
    on_failure: bool = False

    def not_taken(self) -> str:
        """The condition of a step that is passed over."""
        if self.on_failure:
            return f"steps.{member(self.origin)}.status != 'failed'"
        if self.flag is not None:
            return f"!(steps.{member(self.origin)}.result.{self.flag})"
        return f"steps.{member(self.origin)}.status != 'completed'"


@dataclass(slots=True)
class After:
    """What follows a step: its jumps, the conditions to be kept in its result, and fields of the step."""

    jumps: list[Jump] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Json] = field(default_factory=dict)


class Actions:
    """Reads the actions of one step after another; `later` are the steps that come after it."""

    def __init__(self, names: Names, components: Components) -> None:
        self._names, self._components = names, components

    def read(self, name: str, later: list[str], on_success: Iterable[Thing], on_failure: Iterable[Thing]) -> After:
        """What the actions of a step amount to; what cannot be said is named."""
        after = After(fields={"retries": 0})
        for one in on_success:
            thing = self._components.resolved(one, "successActions")
            with _named(thing, one):
                self._success(thing, after, name, later)
        for one in on_failure:
            thing = self._components.resolved(one, "failureActions")
            with _named(thing, one):
                self._failure(thing, after, name, later)
        return after

    def _success(self, thing: Thing, after: After, name: str, later: list[str]) -> None:
        target = self._target(thing, later)
        when = condition(thing.things("criteria"), self._names)
        if when is None and target is None:
            if later:
                after.fields["end"] = "completed"
            return
        flag = None if when is None else f"_jump{len(after.flags) + 1}"
        if flag is not None and when is not None:
            after.flags[flag] = when
        after.jumps.append(Jump(name, target, flag))

    def _failure(self, thing: Thing, after: After, name: str, later: list[str]) -> None:
        when = condition(thing.things("criteria"), self._names)
        if thing.take("type") == "retry":
            _retry(thing, when, after)
            return
        target = self._target(thing, later)
        if target is None:
            return  # a step that failed ends the workflow as it is
        if when is not None:
            raise Unsupported("going on after a failure under a condition only; go on always, or fail")
        after.fields["optional"] = True
        after.jumps.append(Jump(name, target, on_failure=True))

    def _target(self, thing: Thing, later: list[str]) -> str | None:
        """Where it leads: a later step, or the end (None)."""
        kind, workflow, step = thing.take("type"), thing.text("workflowId"), thing.text("stepId")
        if kind == "end":
            return None
        if kind != "goto":
            raise Unsupported(f"an action of type {kind} is not known")
        if workflow is not None or step is None:
            raise Unsupported("going to another workflow; let one workflow's end start the next one")
        target = self._names.step(step)
        if target not in later:
            raise Unsupported(
                f"going back to '{step}': an order of steps has no circle; a `retry` asks a service again"
            )
        return target


@contextmanager
def _named(thing: Thing, reference: Thing) -> Iterator[None]:
    """Name what cannot be said, at the place where the action stands, and what of it nobody took."""
    thing.take("name")
    try:
        yield
    except Unsupported as reason:
        thing.notes.leave_out(reference.at, str(reason))
    else:
        thing.close()


def _retry(thing: Thing, when: str | None, after: After) -> None:
    for field_ in ("workflowId", "stepId"):
        if thing.text(field_) is not None:
            raise Unsupported("trying again from another step or workflow; only the step itself is tried again")
    limit, delay = thing.take("retryLimit", 1), thing.take("retryAfter", 0)
    if not isinstance(limit, int) or not 0 <= limit <= 100 or not isinstance(delay, int | float):
        raise Unsupported("retryLimit must be a whole number up to 100, retryAfter a number of seconds")
    told = {"delay": min(delay, DAY), "factor": 1, "maxDelay": min(delay, DAY), "jitter": "none"}
    known = after.fields.get("retry", {})
    if known and (after.fields["retries"] != limit or {**known, "on": None} != {**told, "on": None}):
        raise Unsupported("a second way of trying again; one step has one retryAfter and one retryLimit")
    after.fields["retries"] = limit
    after.fields["retry"] = {**told, "on": [*known.get("on", []), f"${{{when or _ALWAYS}}}"]}
