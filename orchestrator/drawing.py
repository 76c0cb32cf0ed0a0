"""A plan for people: as a picture in text, as nested canvases, as Mermaid."""

from collections.abc import Iterator, Sequence

from orchestrator.graph import Graph
from orchestrator.lanes import lanes
from orchestrator.plan import Plan
from orchestrator.shape import Chain, Chord, Group, Shape, Single

HEAD, CARRIED = "●", "○"
LEGEND = f"{HEAD} brought by the ledger   {CARRIED} carried by the canvas"
MOST_STEPS = 60


def picture(plan: Plan, *, columns: int = 100) -> str:
    """The graph of the plan from top to bottom; where it has too many steps or lanes, a table of its layers.

    `columns` is the width of the reader's screen in characters; long names may go beyond it.
    """
    if len(plan.order) <= MOST_STEPS:
        rows = list(lanes(plan.order, lambda name: HEAD if plan.headed_by(name) else CARRIED))
        width = max((len(lines) for lines, _ in rows), default=0)
        if width <= columns // 2:
            drawn = [lines if name is None else f"{lines:{width}}  {name}" for lines, name in rows]
            return "\n".join([*drawn, "", LEGEND])
    return "\n".join(_table(plan.order, columns))


def canvases(plan: Plan, *, columns: int = 100) -> str:
    """The canvases as nested text, under what has to settle before the ledger publishes them."""
    together: dict[tuple[str, ...], list[Shape]] = {}
    for fragment in plan.fragments:
        together.setdefault(plan.order.predecessors[fragment.heads[0]], []).append(fragment.shape)
    text: list[str] = []
    for before, shapes in together.items():
        text.append(f"after {_shortened(before, columns - 7)}:" if before else "at the start:")
        alone = [shape.step for shape in shapes if isinstance(shape, Single)]
        if alone:
            each = f"  ({len(alone):,} steps, each by itself)" if len(alone) > 1 else ""
            text.append(f"    {_shortened(alone, columns - 4 - len(each))}{each}")
        for shape in shapes:
            if not isinstance(shape, Single):
                text += _nested(shape, "    ", columns)
    return "\n".join(text)


def mermaid(plan: Plan) -> str:
    """The graph as a Mermaid flowchart: solid arrows are carried by a canvas, dotted ones joined by the ledger."""
    number = {name: at for at, name in enumerate(plan.order.names)}
    lines = ["flowchart LR", *(f'    n{at}["{_mermaid_text(name)}"]' for name, at in number.items())]
    for name, at in number.items():
        arrow = "-.->" if plan.headed_by(name) else "-->"
        lines += [f"    n{number[before]} {arrow} n{at}" for before in plan.order.predecessors[name]]
    return "\n".join(lines)


def _mermaid_text(name: str) -> str:
    """Mermaid writes the characters that mean something to it as `#code;`."""
    return "".join(letter if letter.isalnum() or letter in " ._-:/" else f"#{ord(letter)};" for letter in name)


def _nested(shape: Shape, indent: str, columns: int) -> Iterator[str]:
    """On one line where that fits, else each part on a line of its own. Recurses no deeper than the plan's window."""
    whole = str(shape)
    if isinstance(shape, Single) or len(indent) + len(whole) <= columns:
        yield indent + whole
        return
    match shape:
        case Chain(parts):
            yield f"{indent}chain("
            yield from _parts(parts, indent, columns)
        case Group(parts):
            yield f"{indent}group("
            yield from _parts(parts, indent, columns)
        case Chord(parts, join):
            yield f"{indent}chord(["
            yield from _parts(parts, indent, columns)
            yield f"{indent}], {join})"
            return
    yield f"{indent})"


def _parts(parts: Sequence[Shape], indent: str, columns: int) -> Iterator[str]:
    for part in parts:
        *lines, last = _nested(part, f"{indent}    ", columns - 1)
        yield from lines
        yield f"{last},"


def _table(order: Graph, columns: int) -> Iterator[str]:
    """A line a layer; layers of one step each, one after another, share a line."""
    layers: list[list[str]] = []
    for name in order.order:
        while len(layers) <= order.level[name]:
            layers.append([])
        layers[order.level[name]].append(name)
    yield f"{'layer':>13}  {'steps':>6}"
    at = 0
    while at < len(layers):
        run = at
        while run < len(layers) and len(layers[run]) == 1:
            run += 1
        names = [layer[0] for layer in layers[at:run]] or layers[at]
        last = max(run - 1, at)
        label = f"{at + 1:,}" if last == at else f"{at + 1:,}–{last + 1:,}"
        joined = _shortened(names, columns - 23, " → " if last > at else ", ")
        yield f"{label:>13}  {len(names):>6,}  {joined}"
        at = last + 1


def _shortened(names: Sequence[str], columns: int, between: str = ", ") -> str:
    """All names where they fit, else the first ones and the last."""
    whole = between.join(names)
    if len(whole) <= columns or len(names) < 3:
        return whole
    shown = [names[0]]
    tail = f"{between}…{between}{names[-1]}"
    for name in names[1:-1]:
        if len(between.join([*shown, name])) + len(tail) > columns:
            break
        shown.append(name)
    return between.join(shown) + tail
