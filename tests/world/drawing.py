"""Definitions for tests: written in a line (`a > b c > d`), or drawn at random with every route that steps may have."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.definition import (
    NO_CALL,
    Approval,
    Call,
    Callback,
    CeleryTask,
    Child,
    Definition,
    ForEach,
    Poll,
    RetryPolicy,
    Step,
    Tolerance,
    Wait,
)
from orchestrator.expressions import compile_expression, compile_template

_SOMEWHERE = compile_template("http://services.example/step")


def call(retries: int = 0, *, idempotent: bool = True, timeout: float = 10.0, delay: float = 1.0) -> Call:
    """A request of which only what the moves look at matters."""
    return Call(
        _SOMEWHERE,
        timeout=timeout,
        retry=RetryPolicy(retries=retries, delay=delay, jitter="none"),
        idempotent=idempotent,
    )


def undone(retries: int = 2, **options: Any) -> Call:
    """A compensation."""
    return call(retries, **options)


def calls_back(timeout: float = 20.0) -> dict[str, Any]:
    """The fields of a step whose service says later what came of it."""
    return {"callback": Callback(timeout)}


def asks_a_person(timeout: float = 30.0) -> dict[str, Any]:
    """The fields of a step that a person decides."""
    return {"call": NO_CALL, "approval": Approval(timeout)}


def waits(seconds: float = 5.0) -> dict[str, Any]:
    """The fields of a step that only waits."""
    return {"call": NO_CALL, "wait": Wait(seconds)}


def polls(every: float = 2.0, timeout: float = 25.0) -> dict[str, Any]:
    """The fields of a step whose service is asked how it stands."""
    done, failed = compile_expression("response.body.done == `true`"), compile_expression("response.body.not == `true`")
    return {"poll": Poll(done, failed, url=_SOMEWHERE, every=every, timeout=timeout)}


def as_a_task(step: Step) -> Step:
    """The step with a Celery task of somebody else's in place of its request."""
    return replace(step, call=replace(step.call, task=CeleryTask("any", "theirs")))


def starts_another(compensate: Call) -> dict[str, Any]:
    """The fields of a step that is another workflow, which is always undone with this one."""
    return {"call": NO_CALL, "child": Child("another"), "compensate": compensate}


def fans_out(items: int, *, at_a_time: int = 2, tolerate: int = 0) -> dict[str, Any]:
    """The fields of a step that is called for each of so many items."""
    return {"for_each": ForEach(compile_template(list(range(items))), at_a_time, Tolerance(tolerate))}


def definition(
    route: str,
    *,
    deadline: float | None = None,
    sequential: bool = False,
    **steps: Mapping[str, Any],
) -> Definition:
    """The definition that a route such as `a > b c > d; a > e` writes down; fields of steps by name.

    Every step of one group comes before every step of the next one. A step that is only named in `steps` (a
    fallback) has no place in the order.
    """
    after: dict[str, dict[str, None]] = {}
    for line in route.split(";"):
        before: list[str] = []
        for group in line.split(">"):
            for name in group.split():
                after.setdefault(name, {}).update(dict.fromkeys(before))
            before = group.split()
    for name in steps:
        after.setdefault(name, {})
    made = {name: Step(name, call(), tuple(names)) for name, names in after.items()}
    made |= {name: replace(made[name], **fields) for name, fields in steps.items()}
    return _definition(made, deadline=deadline, sequential=sequential)


@dataclass(frozen=True)
class Taste:
    """How often the steps of one definition have what (0 to 1): some definitions are full of one thing."""

    edge: float
    join: float
    optional: float
    fallback: float
    compensate: float
    retries: int
    end: float
    parked: float
    fans_out: float

    @classmethod
    def any(cls, dice: random.Random) -> "Taste":
        """A taste of its own."""
        return cls(
            edge=dice.choice([0.15, 0.35, 0.6]),
            join=dice.choice([0.0, 0.2, 0.7]),
            optional=dice.choice([0.0, 0.15, 0.5]),
            fallback=dice.choice([0.0, 0.15, 0.5]),
            compensate=dice.choice([0.2, 0.6, 1.0]),
            retries=dice.choice([0, 1, 2]),
            end=dice.choice([0.0, 0.0, 0.0, 0.1, 0.3]),
            parked=dice.choice([0.0, 0.2, 0.6]),
            fans_out=dice.choice([0.0, 0.0, 0.2, 0.6]),
        )


def any_definition(dice: random.Random, most: int = 8) -> Definition:
    """Up to `most` steps in any acyclic order, each with any of the fields that change its route."""
    names = "abcdefghijklmnop"[: dice.randint(1, most)]
    taste = Taste.any(dice)
    fallbacks = _any_fallbacks(dice, names, taste)
    steps: dict[str, Step] = {}
    for name in names:
        own_place = name not in fallbacks.values()
        candidates = [earlier for earlier in steps if earlier not in fallbacks.values()] if own_place else []
        after = tuple(earlier for earlier in candidates if dice.random() < taste.edge)
        steps[name] = _any_step(dice, name, after, fallbacks.get(name), taste)
    return _definition(
        steps,
        deadline=dice.choice([None, None, None, None, 8.0, 40.0]),
        sequential=dice.random() < 0.3,
    )


def _any_fallbacks(dice: random.Random, names: str, taste: Taste) -> dict[str, str]:
    """Step → its fallback. A fallback may have one itself; nobody stands in for two."""
    fallbacks: dict[str, str] = {}
    for at, name in enumerate(names[1:], start=1):
        free = [other for other in names[:at] if other not in fallbacks]
        if free and dice.random() < taste.fallback:
            fallbacks[dice.choice(free)] = name
    return fallbacks


def _any_step(dice: random.Random, name: str, after: tuple[str, ...], fallback: str | None, taste: Taste) -> Step:
    step = _any_call(dice, name, after, fallback, taste)
    if dice.random() < taste.fans_out:
        items, at_a_time = dice.choice([0, 1, 2, 3, 5]), dice.choice([1, 2, 3])
        return replace(step, **fans_out(items, at_a_time=at_a_time, tolerate=dice.choice([0, 0, 1, 2])))
    if dice.random() >= taste.parked:
        return step
    if dice.random() < 0.15:
        return as_a_task(step)
    if dice.random() < 0.15:
        return replace(step, **starts_another(undone(0)))
    fields = dice.choice([calls_back, calls_back, polls, asks_a_person, waits])()
    if "call" in fields:
        fields["compensate"] = None
    return replace(step, **fields)


def _any_call(dice: random.Random, name: str, after: tuple[str, ...], fallback: str | None, taste: Taste) -> Step:
    return Step(
        name,
        call(dice.randint(0, taste.retries), idempotent=dice.random() < 0.8),
        after,
        join=dice.randint(1, len(after)) if after and dice.random() < taste.join else None,
        optional=dice.random() < taste.optional,
        fallback=fallback,
        compensate=undone(dice.choice([0, 2, 4]), idempotent=dice.random() < 0.9)
        if dice.random() < taste.compensate
        else None,
        deadline=dice.choice([None, None, None, 2.5, 12.0]),
        end=dice.choice(["completed", "failed", "cancelled"]) if dice.random() < taste.end else None,
    )


def _definition(steps: Mapping[str, Step], *, deadline: float | None, sequential: bool) -> Definition:
    return Definition(
        type="drawn",
        version="v1",
        document=None,
        steps=steps,
        deadline=deadline,
        compensation="sequential" if sequential else "parallel",
    )
