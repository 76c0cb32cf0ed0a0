"""Why a workflow is not moving, for people: steps that wait for the same are told of together. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.jsontype import Json

NAMED = 4
"""Steps that are named for one reason; how many more there are is said."""


@dataclass(frozen=True, slots=True)
class Told:
    """One reason of `/why`, with all steps that have it (none: the workflow's own), and the first moment it ends."""

    steps: Sequence[str]
    waits_for: str
    change: str
    until: str | None

    @property
    def named(self) -> Sequence[str]:
        """Those that are named."""
        return self.steps[:NAMED]

    @property
    def more(self) -> int:
        """How many are not."""
        return max(0, len(self.steps) - NAMED)


def together(reasons: Iterable[Json]) -> list[Told]:
    """The reasons in their order, each once."""
    found: dict[tuple[bool, str, str], Told] = {}
    for one in reasons:
        key = (one["step"] is None, one["waitsFor"], one["whatWouldChangeThat"])
        before = found.get(key, Told((), one["waitsFor"], one["whatWouldChangeThat"], None))
        steps = (*before.steps, one["step"]) if one["step"] else before.steps
        moments = [moment for moment in (before.until, one["until"]) if moment]
        found[key] = Told(steps, before.waits_for, before.change, min(moments, default=None))
    return list(found.values())
