"""The demo's runs: each started over HTTP, watched to its end, drawn as a timeline, and compared with its story."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.text import Text

from orchestrator.cli.asking import ask
from orchestrator.cli.following import follow, moving
from orchestrator.demo.examples import examples
from orchestrator.demo.pages import balance, books_table, curl
from orchestrator.demo.stories import STORIES, Story
from orchestrator.demo.timeline import timeline
from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json
from orchestrator.states import Waiting

LONGEST_RUN = 60.0
"""Seconds after which a run counts as stuck; the slowest takes about six."""


TOLD_LATE = 10.0
"""Seconds that the books may lag behind the end of a workflow: a webhook is sent once that is over."""


def tell_stories(out: Console, web: str, services: str, took: float, *, more: bool = False) -> bool:
    """Run and show all of them, then the services' books; gives back whether all ended as they must.

    With `more` the examples as well.
    """
    began = time.monotonic()
    out.print(Text(f"Redis, a web process, two workers and example services are up after {took:.1f} s.", "dim"))
    numbers: dict[str, int] = {}
    surprises: list[str] = []
    for number, story in enumerate(_stories(services, more=more), 1):
        workflow = _tell(out, number, story, web, services)
        children = [step["childId"] for step in workflow["steps"] if step["childId"] is not None]
        numbers |= dict.fromkeys([workflow["workflowId"], *children], number)
        surprises += [f"{number}: {each}" for each in _surprises(story, workflow, services)]
    _show_books(out, ask(f"{services}/books"), numbers)
    if surprises:
        out.print(Text("\nThis is not what had to come:", "bold red"))
        for surprise in surprises:
            out.print(Text(f"  {surprise}", "red"))
        return False
    out.print(Text(f"\nAll {number} ended as they must, in {time.monotonic() - began:.1f} s.", "bold green"))
    return True


def _stories(services: str, *, more: bool) -> Iterator[Story]:
    """Made one after another: times in them are counted from when it is their turn."""
    yield from STORIES
    if more:
        yield from examples(datetime.now(UTC), services)


def _surprises(story: Story, workflow: Json, services: str) -> list[str]:
    give_up_at = time.monotonic() + TOLD_LATE
    while (found := story.surprises(workflow, ask(f"{services}/books"))) and time.monotonic() < give_up_at:
        time.sleep(0.2)
    return found


def _tell(out: Console, number: int, story: Story, web: str, services: str) -> Json:
    out.print()
    out.print(Text(f"{number}  {story.title}", "bold"))
    out.print(Text(f"   {story.lesson}"))
    out.print(Text(f"   $ {curl(web + story.entry, story.context)}", "dim"), soft_wrap=True)
    ask(f"{services}/faults", method="DELETE")
    ask(f"{services}/faults", story.faults, method="PUT")
    started = ask(web + story.entry, story.context, method="POST")
    url = f"{web}/api/workflows/{started['workflowId']}"
    give_up_at = time.monotonic() + LONGEST_RUN

    def look() -> Json:
        if time.monotonic() > give_up_at:
            raise Unavailable(f"{url} is not over after {LONGEST_RUN:g} s")
        workflow = {**ask(url), "events": ask(f"{url}/events")["events"]}
        if story.approve is not None and _waits_for_approval(workflow, story.approve):
            ask(f"{url}/steps/{story.approve}/approve", {"comment": "by the demo"})
        return workflow

    out.print()
    with moving(out, _drawn, quiet=True) as show:
        workflow = follow(look, show)
    out.print(_drawn(workflow))
    return workflow


def _waits_for_approval(workflow: Json, name: str) -> bool:
    return any(step["name"] == name and step.get("waitingFor") == Waiting.APPROVAL for step in workflow["steps"])


def _drawn(workflow: Json) -> Group:
    return Group(timeline(workflow, workflow["events"]))


def _show_books(out: Console, books: Mapping[str, list[Json]], numbers: Mapping[str, int]) -> None:
    out.print()
    out.print(Text("What the services' own books say", "bold"))
    out.print(
        Text("   Whatever failed or was lost: each step was done once, because all its attempts carry one key.\n")
    )
    out.print(books_table(books, numbers))
    out.print(Text(f"\n   {balance(books)}."))


def invite(out: Console, web: str, services: str) -> None:
    """What can be tried while everything is left up."""
    story = STORIES[0]
    lines = (
        ("see all of it", f"{web}/"),
        ("start an order", curl(web + story.entry, story.context)),
        ("start an example", curl(f"{web}/api/workflows", {"type": "invoices", "context": {"month": "2026-01"}})),
        ("what else can be started", f"{web}/definitions"),
        ("look at all", f"curl {web}/api/workflows"),
        ("read the services' books", f"curl {services}/books"),
        ("let shipping fail", f"""curl -X PUT {services}/faults -d '{{"create-shipment": {{"fail": 2}}}}'"""),
        ("the API", f"{web}/api/docs"),
    )
    out.print(Text("\nEverything is left up. To try by hand:\n", "bold"))
    for what, how in lines:
        out.print(Text.assemble((f"   {what:<26}", "dim"), how), soft_wrap=True)
    out.print(Text("\n   Ctrl-C stops it all.\n", "dim"))
