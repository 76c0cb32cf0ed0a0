"""Following a workflow to its end: a picture that moves on a terminal, a line for each change anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from orchestrator.cli.plain import plain
from orchestrator.cli.printing import seconds, status
from orchestrator.jsontype import Json
from orchestrator.states import FINAL

SOONEST = 0.1
"""Seconds between two looks. A look that takes long is followed by a longer pause: a follower must not be a load."""

_FINAL = {each.value for each in FINAL}


def follow(look: Callable[[], Json], show: Callable[[Json], None]) -> Json:
    """Look at the workflow, and show it, until it is over; gives back its last look."""
    while True:
        began = time.monotonic()
        workflow = look()
        show(workflow)
        if workflow["status"] in _FINAL:
            return workflow
        time.sleep(max(SOONEST, 5 * (time.monotonic() - began)))


@contextmanager
def moving(
    out: Console, draw: Callable[[Json], RenderableType], *, quiet: bool = False
) -> Iterator[Callable[[Json], None]]:
    """What to show looks with: drawn over each other where `out` is a terminal, else as lines (`quiet`: not at all)."""
    if not out.is_terminal or out.is_dumb_terminal:
        yield _nothing if quiet else Lines(out)
        return
    with Live(console=out, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False) as live:
        yield lambda workflow: live.update(draw(workflow), refresh=True)


def _nothing(workflow: Json) -> None:
    """Where only the end is wanted."""


class Lines:
    """Prints what changed between two looks, a line for each step."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._seen: dict[str, tuple[str, int]] = {}

    def __call__(self, workflow: Json) -> None:
        """Print what is new."""
        for step in workflow["steps"]:
            self._say(step["name"], step)
            if step["compensation"] is not None:
                self._say(f"undo of {step['name']}", step["compensation"])

    def _say(self, name: str, step: Json) -> None:
        now = (step["status"], step["attempts"])
        if self._seen.get(name, ("pending", 0)) == now:
            return
        self._seen[name] = now
        words = [status(step["status"])]
        if step["attempts"] > 1:
            words.append(Text(f"attempt {step['attempts']}"))
        if step["durationMs"] is not None:
            words.append(Text(f"after {seconds(step['durationMs'])}"))
        if step["error"] is not None and step["status"] != "completed":
            words.append(Text(plain(step["error"].get("message", ""))))
        self._out.print(Text("  ").join([Text(f"  {plain(name)}"), *words]))
