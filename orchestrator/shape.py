"""The shapes that a Celery canvas can carry, as values that know nothing of Celery.

What Celery 5.7 gets wrong cannot be written: a group stands only at the end of its chain, so never next to another
one; what follows a group is the one step that joins it, which makes the two a chord; and every branch of a chord ends
in one step, so that its counter counts branches. `follow` keeps these rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Single:
    """One step."""

    step: str

    def __str__(self) -> str:
        return self.step


@dataclass(frozen=True, slots=True)
class Chord:
    """Branches side by side, and the step that starts when all of them have ended. Each branch ends in one step."""

    branches: tuple["Shape", ...]
    join: str

    def __str__(self) -> str:
        return f"chord([{', '.join(map(str, self.branches))}], {self.join})"


@dataclass(frozen=True, slots=True)
class Group:
    """Branches side by side that nothing in this shape waits for."""

    branches: tuple["Shape", ...]

    def __str__(self) -> str:
        return f"group({', '.join(map(str, self.branches))})"


@dataclass(frozen=True, slots=True)
class Chain:
    """Shapes one after another, at least two and none a chain itself; only the last may be a group."""

    parts: tuple["Shape", ...]

    def __str__(self) -> str:
        return f"chain({', '.join(map(str, self.parts))})"


Shape = Single | Chord | Group | Chain


def follow(earlier: Shape, later: Shape) -> Shape | None:
    """One shape in which `later` starts when the whole of `earlier` has ended; None where Celery cannot carry that."""
    *before, last = earlier.parts if isinstance(earlier, Chain) else (earlier,)
    first, *rest = later.parts if isinstance(later, Chain) else (later,)
    if isinstance(last, Group):
        if not isinstance(first, Single) or any(_ends_in_group(branch) for branch in last.branches):
            return None
        parts = (*before, Chord(last.branches, first.step), *rest)
    else:
        parts = (*before, last, first, *rest)
    return parts[0] if len(parts) == 1 else Chain(parts)


def waits(shape: Shape) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every step in reading order, with the steps that its message waits for; a first step waits for none."""
    waiting: list[tuple[Shape | str, tuple[str, ...]]] = [(shape, ())]
    while waiting:
        part, before = waiting.pop()
        match part:
            case str(step) | Single(step):
                yield step, before
            case Group(branches):
                waiting.extend((branch, before) for branch in reversed(branches))
            case Chord(branches, join):
                waiting.append((join, _ends(branches)))
                waiting.extend((branch, before) for branch in reversed(branches))
            case Chain(parts):
                befores = [before, *(_ends((part,)) for part in parts[:-1])]
                waiting.extend(reversed(list(zip(parts, befores, strict=True))))


def _ends_in_group(shape: Shape) -> bool:
    return isinstance(shape.parts[-1] if isinstance(shape, Chain) else shape, Group)


def _ends(shapes: tuple[Shape, ...]) -> tuple[str, ...]:
    """The steps that nothing in these shapes waits for."""
    ends: list[str] = []
    waiting = [*reversed(shapes)]
    while waiting:
        match waiting.pop():
            case Single(step) | Chord(join=step):
                ends.append(step)
            case Group(branches):
                waiting.extend(reversed(branches))
            case Chain(parts):
                waiting.append(parts[-1])
    return tuple(ends)
