"""What an expression reads, found in its syntax tree without evaluating it.

The tree is walked with *places* instead of values: a place is a path from the scope's root such as
`("steps", "charge", "result")`. A value is noted as read where it is used (compared, passed to a function, put into
the answer), not where it is only passed through, so `steps.charge.result.id` reads one step and not all of them. What
cannot be followed (a list's elements, a function's outcome) has no place; what it was made of has been noted before.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.errors import ExpressionError
from orchestrator.jsontype import Json

Place: TypeAlias = tuple[str, ...]
Places: TypeAlias = frozenset[Place]

ROOTS = ("context", "steps", "workflow", "vars", "secret", "callback", "item", "index", "response", "error")
STEP_FIELDS = ("status", "result", "error", "attempts")
NOWHERE: Places = frozenset()
MAX_PLACES = 64


@dataclass(frozen=True, slots=True)
class References:
    """What is read.

    `steps` are the names read through `steps.<name>`; `all_steps` says that `steps` is read without a fixed name too.
    `step_fields` holds `(step, field)` for each of them, field `*` where the step is read as a whole. `context` holds
    dotted paths (`context.card`; `context` for the whole). `roots` are the first names, also unknown ones.
    """

    steps: frozenset[str] = frozenset()
    all_steps: bool = False
    step_fields: frozenset[tuple[str, str]] = frozenset()
    context: frozenset[str] = frozenset()
    vars: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    roots: frozenset[str] = frozenset()

    @staticmethod
    def union(parts: Iterable["References"]) -> "References":
        """Everything that any of `parts` reads."""
        all_parts = [part for part in parts if part.roots]
        if not all_parts:
            return NOTHING
        if len(all_parts) == 1:
            return all_parts[0]
        return References(
            steps=frozenset().union(*(part.steps for part in all_parts)),
            all_steps=any(part.all_steps for part in all_parts),
            step_fields=frozenset().union(*(part.step_fields for part in all_parts)),
            context=frozenset().union(*(part.context for part in all_parts)),
            vars=frozenset().union(*(part.vars for part in all_parts)),
            secrets=frozenset().union(*(part.secrets for part in all_parts)),
            roots=frozenset().union(*(part.roots for part in all_parts)),
        )

    def touches(self, path: str) -> bool:
        """Whether the context path (`context.card`), a part of it or something that holds it is read."""
        return any(read == path or read.startswith(f"{path}.") or path.startswith(f"{read}.") for read in self.context)


NOTHING = References()


def references_of(places: Iterable[Place]) -> References:
    """The references that these reads amount to. Raises ExpressionError for reads that take too much at once."""
    read = frozenset(places)
    for place in read:
        _refuse_greed(place)
    of_steps = [place[1:] for place in read if place[0] == "steps"]
    return References(
        steps=frozenset(place[0] for place in of_steps if place),
        all_steps=() in of_steps,
        step_fields=frozenset((place[0], place[1] if len(place) > 1 else "*") for place in of_steps if place),
        context=frozenset(".".join(place) for place in read if place[0] == "context"),
        vars=frozenset(place[1] for place in read if place[0] == "vars"),
        secrets=frozenset(place[1] for place in read if place[0] == "secret"),
        roots=frozenset(place[0] for place in read),
    )


def places_read(tree: Json) -> Places:
    """Every place that the syntax tree reads."""
    reading = _Reading()
    reading.use(reading.follow(tree, frozenset({()})))
    return frozenset(reading.used)


def _refuse_greed(place: Place) -> None:
    if not place:
        raise ExpressionError(f"it reads everything at once; name what is needed ({', '.join(ROOTS)})")
    if len(place) == 1 and place[0] in ("secret", "vars"):
        raise ExpressionError(f"it reads all of `{place[0]}` at once; name one, as in {place[0]}.NAME")


class _Reading:
    """One walk over a syntax tree; `used` collects the places that are read."""

    def __init__(self) -> None:
        self.used: set[Place] = set()

    def use(self, places: Places) -> Places:
        """Note that the values at `places` are looked into; what is made of them has no place."""
        self.used |= places
        return NOWHERE

    def follow(self, node: Json, here: Places) -> Places:
        """The places that the node's value may come from, when it is evaluated at `here`."""
        kind: str = node["type"]
        if kind == "field":
            return frozenset((*place, node["value"]) for place in here)
        if kind in ("current", "identity"):
            return here
        if kind == "literal":
            return NOWHERE
        special = self._special.get(kind)
        return special(self, node["children"], here) if special else self._use_children(node["children"], here)

    def _in_turn(self, children: list[Json], here: Places) -> Places:
        for child in children:
            here = self.follow(child, here)
        return here

    def _either(self, children: list[Json], here: Places) -> Places:
        either = frozenset().union(*(self.follow(child, here) for child in children))
        # `(a || b) | (c || d) | …` doubles the places each time; reading the whole of each says no less.
        return either if len(either) <= MAX_PLACES else self.use(either)

    def _project(self, children: list[Json], here: Places) -> Places:
        """The first child gives the elements; the others see one element each, which has no place."""
        self.use(self.follow(children[0], here))
        for child in children[1:]:
            self.use(self.follow(child, NOWHERE))
        return NOWHERE

    def _look_into(self, _children: list[Json], here: Places) -> Places:
        return self.use(here)

    def _on_elements(self, children: list[Json], _here: Places) -> Places:
        """`&…` is evaluated on the elements of a list, wherever it stands."""
        return self.use(self.follow(children[0], NOWHERE))

    def _use_children(self, children: list[Json], here: Places) -> Places:
        for child in children:
            self.use(self.follow(child, here))
        return NOWHERE

    _special: dict[str, Callable[["_Reading", list[Json], Places], Places]] = {  # noqa: RUF012 - never changed
        "subexpression": _in_turn,
        "index_expression": _in_turn,
        "pipe": _in_turn,
        "or_expression": _either,
        "and_expression": _either,
        "projection": _project,
        "value_projection": _project,
        "filter_projection": _project,
        "index": _look_into,
        "slice": _look_into,
        "expref": _on_elements,
    }
