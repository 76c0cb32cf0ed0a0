"""What a step may be besides a call that is answered at once: each form takes the place of one.

callback   the service takes the order, and says later what came of it (`tests.chaos.calling_back`)
poll       the service takes the order, and is asked how it stands
approval   a person decides (`tests.chaos.person`)
wait       nothing happens for a while
items      one call for each item of a list
child      another workflow of the same run
task       a Celery task of somebody else's worker (`tests.chaos.foreign`)
"""

import random
from collections.abc import Sequence

from orchestrator.jsontype import Json

CALLBACK = 5.0
POLLING = 8.0
DECISION = 5.0
TASK = 6.0
"""Seconds that a step waits for its answer, asks, waits for a person, for a task: fewer than work may be held up."""

NARROW = 3
"""Calls at once under the limit that steps of all definitions share."""

LIMIT: Json = {"key": "narrow", "concurrency": NARROW}
FORMS = {"call": 56, "callback": 12, "poll": 8, "approval": 5, "wait": 5, "items": 9, "child": 5, "task": 5}
_OF_EVERY_STEP = ("waitFor", "optional", "join", "when")
_UNDONE = "compensate"


def formed(dice: random.Random, step: dict[str, Json], children: Sequence[str]) -> dict[str, Json]:
    """The step in the form that the dice give it. `children` are the types that may be its child."""
    form = dice.choices(list(FORMS), list(FORMS.values()))[0]
    match form:
        case "callback":
            return {**_honest(step), "callback": {"timeout": CALLBACK}}
        case "poll":
            return {**_honest(step), **_polling(), "query": {**step["query"], "later": "yes"}, "retries": 8}
        case "approval":
            return {**_kept(step, _OF_EVERY_STEP), "approval": {"timeout": DECISION}}
        case "wait":
            return {**_kept(step, _OF_EVERY_STEP), "wait": {"for": round(dice.uniform(0.3, 2.0), 1)}}
        case "items":
            return _maybe_narrow(dice, {**step, "forEach": _any_items(dice)}, 0.4)
        case "child" if children:
            context = {"n": "${context.n}", "lucky": "${context.lucky}"}
            own = _OF_EVERY_STEP if dice.random() < 0.6 else (*_OF_EVERY_STEP, _UNDONE)
            return {**_kept(step, own), "workflow": dice.choice(children), "context": context}
        case "task":
            sent = {"task": "chaos.carry_out", "queue": "foreign", "args": ["${context.n}"], "timeout": TASK}
            return {**_kept(step, (*_OF_EVERY_STEP, _UNDONE, "retries", "retry", "idempotent")), **sent}
        case _:
            return _maybe_narrow(dice, step, 0.1)


def _polling() -> dict[str, Json]:
    done, failed = "response.body.state == 'done'", "response.body.state == 'failed'"
    return {"poll": {"done": done, "failed": failed, "every": 0.5, "timeout": POLLING}}


def _any_items(dice: random.Random) -> dict[str, Json]:
    how_many = dice.choice([0, 1, 2, 3, 4, 6])
    return {"items": list(range(how_many)), "maxParallel": dice.choice([1, 2, 3]), "tolerate": dice.choice([0, 0, 1])}


def _maybe_narrow(dice: random.Random, step: dict[str, Json], chance: float) -> dict[str, Json]:
    return {**step, "limit": LIMIT} if dice.random() < chance else step


def _honest(step: dict[str, Json]) -> dict[str, Json]:
    """With a service whose books can tell a needless second order from one that had to be: never a careless one."""
    return {**step, "targetUrl": str(step["targetUrl"]).replace("/careless/", "/keyed/")}


def _kept(step: dict[str, Json], fields: Sequence[str]) -> dict[str, Json]:
    return {field: step[field] for field in fields if field in step}
