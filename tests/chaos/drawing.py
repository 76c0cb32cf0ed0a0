"""Random definitions: chains, diamonds, graphs that no nesting of chains and groups expresses, all that steps may have.

A step's address says how its service treats keys: `/keyed/` honours them, `/once/` does not and the definition says so
(`idempotent: false`), `/careless/` does not and the definition does not say so. `poor` services fail often.

The last definitions have plain calls only: the children of the others' steps, which are started alone too, and one that
is started by the clock. Some tell a webhook how they end.
"""

import random
from collections.abc import Mapping, Sequence

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.reading import read_document
from tests.chaos.forms import formed

SERVICES = "${vars.SERVICES_URL}"
TIMEOUT = 3.0
"""Seconds of one attempt: the services are quicker, or hang for longer."""

Route = dict[str, list[str]]
"""Each step, and what it waits for."""


CHILDREN = ("chaos-child-0", "chaos-child-1")
CLOCKWORK = "chaos-clock"
"""The one that is started by the clock alone."""

EVERY = 5.0
"""Seconds from one tick of its schedule to the next."""


def any_documents(seed: int, how_many: int = 12) -> list[dict[str, Json]]:
    """The definitions of a run; the first four have one shape each, so that none is missing."""
    dice = random.Random(f"definitions {seed}")
    shapes = [_chain, _diamond, _not_nested, _any_route]
    parents = [_document(dice, f"chaos-{n}", shapes[n % len(shapes)](dice), CHILDREN) for n in range(how_many)]
    clockwork = _document(dice, CLOCKWORK, _chain(dice, most=2), ())
    clockwork["schedule"] = {"every": EVERY, "catchUp": "all", "context": {"n": -1, "lucky": True}}
    return [*parents, *(_document(dice, name, _chain(dice, most=3), ()) for name in CHILDREN), clockwork]


def read(documents: list[dict[str, Json]]) -> dict[str, Definition]:
    """The definitions by type."""
    return {definition.type: definition for definition in map(read_document, documents)}


def _chain(dice: random.Random, most: int = 6) -> Route:
    names = "abcdef"[: dice.randint(2, most)]
    return {name: [names[at - 1]] if at else [] for at, name in enumerate(names)}


def _diamond(dice: random.Random) -> Route:
    middle = list("bcde"[: dice.randint(2, 4)])
    return {"a": [], **{name: ["a"] for name in middle}, "y": middle, "z": ["y"]}


def _not_nested(dice: random.Random) -> Route:
    """a→c, a→d, b→d: whoever puts it into chains and groups makes c wait for b."""
    route: Route = {"a": [], "b": [], "c": ["a"], "d": ["a", "b"]}
    if dice.random() < 0.5:
        route |= {"e": ["c"], "f": ["c", "d"]}
    return route


def _any_route(dice: random.Random) -> Route:
    names = "abcdefgh"[: dice.randint(4, 8)]
    density = dice.choice([0.2, 0.35, 0.6])
    return {name: [other for other in names[:at] if dice.random() < density] for at, name in enumerate(names)}


def _document(dice: random.Random, type_: str, route: Route, children: Sequence[str]) -> dict[str, Json]:
    """With `children` its steps are of any form, without they are plain calls."""
    steps: dict[str, dict[str, Json]] = {}

    def step(name: str, after: list[str]) -> dict[str, Json]:
        plain = _step(dice, name, after)
        return formed(dice, plain, children) if children else plain

    for name, after in route.items():
        steps[name] = step(name, after)
        if dice.random() < 0.15:
            steps[name]["fallback"] = f"{name}_else"
            steps[f"{name}_else"] = step(f"{name}_else", [])
        if "fallback" in steps[name] or "optional" in steps[name]:
            _make_poor(steps[name])
    document: dict[str, Json] = {"type": type_, "deadline": "1h", "steps": steps}
    if dice.random() < 0.25:
        document["compensation"] = "sequential"
    if dice.random() < 0.5:
        document["webhooks"] = [{"url": f"{SERVICES}/hook/{type_}"}]
    return document


def _step(dice: random.Random, name: str, after: list[str]) -> dict[str, Json]:
    kind = dice.choices(["keyed", "once", "careless"], [70, 15, 15])[0]
    step: dict[str, Json] = {
        "targetUrl": f"{SERVICES}/{kind}/{name}",
        "query": {"n": "${context.n}"},
        "timeout": TIMEOUT,
        "retries": dice.choice([0, 1, 2, 3, 3]),
        "retry": {"delay": 0.2, "maxDelay": 1, "jitter": dice.choice(["full", "none"])},
    }
    if after:
        step["waitFor"] = after
    if kind == "once":
        step["idempotent"] = False
    if dice.random() < 0.12:
        step["optional"] = True
    elif dice.random() < 0.1:
        _make_poor(step)
    if len(after) > 1 and dice.random() < 0.25:
        step["join"] = dice.randint(1, len(after))
    if after and dice.random() < 0.12:
        step["when"] = "context.lucky"
    if dice.random() < 0.65:
        step["compensate"] = _compensation(name)
    return step


def _compensation(name: str) -> Mapping[str, Json]:
    return {
        "targetUrl": f"{SERVICES}/undo/{name}",
        "query": {"n": "${context.n}"},
        "timeout": TIMEOUT,
        "retries": 8,
        "retry": {"delay": 0.2, "maxDelay": 1},
    }


def _make_poor(step: dict[str, Json]) -> None:
    if "query" in step:
        step["query"] = {**step["query"], "poor": "yes"}
