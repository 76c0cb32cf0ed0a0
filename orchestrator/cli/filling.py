"""A workflow on its way, as its graph that fills up: a sign for each step, in the colour of its status. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.cli.plain import plain
from orchestrator.cli.printing import STYLES, brief, seconds, status
from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.lanes import lanes

SIGNS = {
    "completed": "✓",
    "failed": "✗",
    "cancelled": "✗",
    "skipped": "–",
    "running": "▶",
    "waiting": "…",
    "paused": "…",
    "compensating": "↺",
    "pending": "·",
}
_AROUND = 5
"""Lines of the screen that the graph leaves free."""


def filling(definition: Definition, rows: int, columns: int) -> Callable[[Json], RenderableType]:
    """Draws looks at a workflow of this definition on a screen of so many rows and columns.

    Where the graph is larger than the screen: how many steps have which status, and those that something happens to.
    """
    drawn = list(lanes(definition.route, lambda _: "\0"))
    widest = max((len(lines) for lines, _ in drawn), default=0)
    fits = len(drawn) + _AROUND <= rows and widest <= columns // 2

    def draw(workflow: Json) -> RenderableType:
        steps = {step["name"]: step for step in workflow["steps"]}
        body = _graph(drawn, steps, columns) if fits else _counts(steps, rows, columns)
        fallbacks = [step for name, step in steps.items() if name in definition.stands_in_for and step["attempts"]]
        return Group(_heading(workflow), *body, *(_step(step, Text(""), columns) for step in fallbacks if fits))

    return draw


def _heading(workflow: Json) -> Text:
    settled = sum(step["status"] in ("completed", "failed", "skipped") for step in workflow["steps"])
    heading = Text.assemble((plain(workflow["type"]), "bold"), " ", plain(workflow["workflowId"]), "  ")
    return heading.append_text(status(workflow["status"])).append(
        f"  {settled} of {len(workflow['steps'])} steps", "dim"
    )


def _graph(drawn: list[tuple[str, str | None]], steps: dict[str, Json], columns: int) -> Iterator[Text]:
    widest = max(len(lines) for lines, _ in drawn)
    for lines, name in drawn:
        if name is None:
            yield Text(lines, "dim")
            continue
        step = steps[name]
        before, _, after = f"{lines:{widest}}".partition("\0")
        sign = Text.assemble((before, "dim"), (SIGNS[step["status"]], STYLES.get(step["status"], "")), (after, "dim"))
        yield _step(step, sign, columns)


def _step(step: Json, sign: Text, columns: int) -> Text:
    line = sign.append("  ").append(plain(step["name"]), "bold" if step["status"] == "running" else "")
    if step["status"] != "pending":
        line.append("  ").append_text(status(step["status"]))
    if step["items"] is not None:
        failed = f", {step['items']['failed']:,} failed" if step["items"]["failed"] else ""
        line.append(f"  {step['items']['completed']:,} of {step['items']['total']:,} items{failed}")
    elif step["waitingFor"] is not None:
        line.append(f" ({plain(step['waitingFor'])})", "dim")
    if step["attempts"] > 1:
        line.append(f"  attempt {step['attempts']}", "yellow")
    if step["durationMs"] is not None:
        line.append(f"  {seconds(step['durationMs'])}", "dim")
    if step["error"] is not None and step["status"] != "completed":
        line.append(f"  {brief(step['error'].get('message', ''), 80)}", "red" if step["status"] == "failed" else "dim")
    if (undo := step["compensation"]) is not None:
        line.append(f"  ↺ undo {undo['status']}", "magenta")
    line.truncate(columns, overflow="ellipsis")
    return line


def _counts(steps: dict[str, Json], rows: int, columns: int) -> Iterator[Text]:
    counted = Counter(step["status"] for step in steps.values())
    yield Text("   ").join(Text(f"{SIGNS[each]} {counted[each]} {each}", STYLES.get(each, "")) for each in counted)
    telling = [step for step in steps.values() if step["status"] in ("running", "waiting", "failed")]
    for step in telling[: max(1, rows - _AROUND - 1)]:
        yield _step(step, Text(SIGNS[step["status"]], STYLES.get(step["status"], "")), columns)
