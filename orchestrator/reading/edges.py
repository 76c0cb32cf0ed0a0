"""What follows what: `next` and `waitFor` are one set of edges, said from two ends; fallbacks stand outside of it."""

from collections.abc import Mapping

from orchestrator.graph import CycleError, Graph
from orchestrator.jsontype import Json
from orchestrator.reading.place import Place

Drafts = Mapping[str, Mapping[str, Json]]
After = dict[str, tuple[str, ...]]


def read_edges(drafts: Drafts, at: Place) -> After:
    """Every step → the steps that it waits for. What is wrong with an edge is a fault, and the edge is left out."""
    after: dict[str, dict[str, None]] = {name: {} for name in drafts}
    for name, draft in drafts.items():
        for before in _known(draft.get("waitFor", ()), "waits for", name, drafts, at / name / "waitFor"):
            after[name][before] = None
    for name, draft in drafts.items():
        for following in _known(draft.get("next", ()), "is followed by", name, drafts, at / name / "next"):
            after[following][name] = None
    _check_both_ends(drafts, at)
    _check_joins(drafts, after, at)
    return {name: tuple(before) for name, before in after.items()}


def read_fallbacks(drafts: Drafts, after: After, at: Place) -> dict[str, str]:
    """Every fallback step → the step it stands in for. A fallback has no place of its own in the order."""
    followed = {before for names in after.values() for before in names}
    stands_in_for: dict[str, str] = {}
    for name, draft in drafts.items():
        fallback = draft.get("fallback")
        here = at / name / "fallback"
        if fallback is None:
            continue
        if fallback not in drafts:
            here.fault(f"'{fallback}' is no step{at.faults.suggestion(fallback, drafts)}")
        elif fallback == name:
            here.fault("a step cannot be its own fallback")
        elif fallback in stands_in_for:
            here.fault(f"'{fallback}' is already the fallback of '{stands_in_for[fallback]}'; one step, one fallback")
        elif after[fallback] or fallback in followed:
            here.fault(
                f"'{fallback}' has a place in the order already (next, waitFor); a fallback takes its step's place"
            )
        else:
            stands_in_for[fallback] = name
    _check_fallback_circles(stands_in_for, at)
    return stands_in_for


def ordered(after: After, stands_in_for: Mapping[str, str], at: Place) -> Graph:
    """The whole order, each fallback after the step it stands in for and before what follows that.

    A circle is a fault, shown as one, and gives a graph without steps.
    """
    fallbacks = {name: fallback for fallback, name in stands_in_for.items()}

    def with_fallbacks(name: str) -> list[str]:
        chain = [name]
        while (following := fallbacks.get(chain[-1])) is not None:
            chain.append(following)
        return chain

    try:
        Graph(after)
        return Graph(
            {
                name: (stands_in_for[name],)
                if name in stands_in_for
                else tuple(one for before in names for one in with_fallbacks(before))
                for name, names in after.items()
            }
        )
    except CycleError as error:
        (at / error.cycle[0]).fault(f"steps wait for each other in a circle: {' → '.join(error.cycle)}")
        return Graph({})


def _known(names: tuple[str, ...], verb: str, name: str, drafts: Drafts, at: Place) -> list[str]:
    """The names that are other steps; any other is a fault."""
    known = []
    for other in names:
        if other == name:
            at.fault(f"step '{name}' {verb} itself")
        elif other not in drafts:
            at.fault(f"step '{name}' {verb} '{other[:70]}', which is no step{at.faults.suggestion(other, drafts)}")
        else:
            known.append(other)
    return known


def _check_both_ends(drafts: Drafts, at: Place) -> None:
    """Where both ends of an edge are written down, they must say the same."""
    following = {name: frozenset(draft["next"]) for name, draft in drafts.items() if "next" in draft}
    waiting = {name: frozenset(draft["waitFor"]) for name, draft in drafts.items() if "waitFor" in draft}
    for name, names in following.items():
        for other in sorted(names):
            if other in waiting and name not in waiting[other] and other != name:
                (at / name / "next").fault(
                    f"'{name}' lists '{other}', whose waitFor lacks '{name}'; add it there, or leave that waitFor out"
                )
    for name, names in waiting.items():
        for other in sorted(names):
            if other in following and name not in following[other] and other != name:
                (at / name / "waitFor").fault(
                    f"'{name}' waits for '{other}', whose next lacks '{name}'; add it there, or leave that next out"
                )


def _check_joins(drafts: Drafts, after: Mapping[str, Mapping[str, None]], at: Place) -> None:
    for name, draft in drafts.items():
        wanted = draft.get("join") or 0
        if "join" in draft and not after[name]:
            (at / name / "join").fault(f"'{name}' waits for no step, so there is nothing to join")
        elif wanted > len(after[name]):
            (at / name / "join").fault(
                f"wants {wanted} steps to complete, but '{name}' waits for {len(after[name])} only"
            )


def _check_fallback_circles(stands_in_for: dict[str, str], at: Place) -> None:
    try:
        Graph(dict.fromkeys(stands_in_for.values(), ()) | {one: (two,) for one, two in stands_in_for.items()})
    except CycleError as error:
        # From step to fallback, the way it is written down.
        circle = tuple(reversed(error.cycle))
        (at / circle[0] / "fallback").fault(f"steps are each other's fallback in a circle: {' → '.join(circle)}")
        for name in error.cycle:
            stands_in_for.pop(name, None)
