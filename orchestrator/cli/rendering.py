"""Workflows, their steps and their events as one reads them on a terminal: the API's JSON → what is printed. Pure."""

import json
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.plain import plain
from orchestrator.cli.printing import brief, seconds, status, table
from orchestrator.durations import span
from orchestrator.jsontype import Json


def page_table(page: Json) -> RenderableType:
    """A page of workflows."""
    if not page["workflows"]:
        return Text("no workflows")
    rows = [
        (
            each["workflowId"],
            each["type"],
            _standing(each),
            _moment(each["createdAt"]),
            seconds(each["durationMs"]),
            brief(_error(each["error"]), 80),
        )
        for each in page["workflows"]
    ]
    return table(("WORKFLOW", "TYPE", "STATUS", "STARTED", "TOOK", "ERROR"), rows)


def summary(workflow: Json) -> Group:
    """A workflow as one reads it: its standing, its steps, what it put out or what went wrong."""
    heading = Text.assemble(
        (plain(workflow["type"]), "bold"), " ", plain(workflow["workflowId"]), "  ", _standing(workflow)
    )
    rows = [
        (
            step["name"],
            status(step["status"]),
            str(step["attempts"]),
            seconds(step["durationMs"]),
            _undo(step),
            _items(step["items"]) or brief(_error(step["error"]) if step["error"] else step["result"], 70),
        )
        for step in workflow["steps"]
    ]
    parts: list[RenderableType] = [
        heading,
        Text(f"started {_moment(workflow['createdAt'])}  {_length(workflow['durationMs'])}"),
    ]
    parts += [Text(), table(("STEP", "STATUS", "ATTEMPTS", "TOOK", "UNDONE", "RESULT OR ERROR"), rows)]
    if workflow["output"] is not None:
        parts += [Text(), Text(f"output  {brief(workflow['output'], 400)}")]
    if workflow["error"] is not None:
        parts += [Text(), Text(f"error   {brief(_error(workflow['error']), 400)}", style="red")]
    return Group(*parts)


def items_table(page: Json) -> RenderableType:
    """A page of the items of a step with `forEach`, below how many stand where."""
    rows = [
        (
            str(each["index"]),
            status(each["status"]),
            str(each["attempts"]),
            seconds(each["durationMs"]),
            _undo(each),
            brief(each["item"], 40),
            brief(_error(each["error"]) if each["error"] else each["result"], 70),
        )
        for each in page["items"]
    ]
    counts = Text(f"{page['step']}: {_items(page['counts'])}")
    return Group(counts, table(("ITEM", "STATUS", "ATTEMPTS", "TOOK", "UNDONE", "VALUE", "RESULT OR ERROR"), rows))


def with_timeline(workflow: Json, told: Sequence[Json]) -> Group:
    """The same, and below it when what was done."""
    from orchestrator.demo.timeline import timeline

    return Group(summary(workflow), Text(), timeline(workflow, told))


def events_lines(told: Json) -> Iterator[str]:
    """The audit log for other programs: a line each, nothing cut."""
    kinds = max((len(each["type"]) for each in told["events"]), default=0)
    steps = max((len(each["step"] or "") for each in told["events"]), default=0)
    for each in told["events"]:
        details = json.dumps(each["details"], ensure_ascii=False)
        yield plain(f"{_moment(each['at'])}  {each['type']:{kinds}}  {each['step'] or '':{steps}}  {details}")


def events_table(told: Json) -> Table:
    """The audit log, oldest first."""
    rows = [
        (_moment(each["at"]), each["type"], each["step"] or "", brief(each["details"], 100)) for each in told["events"]
    ]
    return table(("TIME", "EVENT", "STEP", "DETAILS"), rows)


def deliveries_table(page: Json) -> RenderableType:
    """A page of the delivery log."""
    if not page["deliveries"]:
        return Text("no deliveries")
    rows = [
        (
            each["deliveryId"],
            each["event"],
            status({"delivered": "completed"}.get(each["status"], each["status"])),
            str(each["attempts"]),
            _moment(each["nextAt"]),
            brief(each["url"], 60),
            brief(each["error"], 60),
        )
        for each in page["deliveries"]
    ]
    return table(("DELIVERY", "EVENT", "STATUS", "TRIES", "NEXT", "TO", "ERROR"), rows)


def schedules_table(told: Json) -> RenderableType:
    """Every schedule."""
    if not told["schedules"]:
        return Text("no schedules")
    rows = [
        (
            each["scheduleId"],
            each["type"],
            _rhythm(each),
            "paused" if each["paused"] else _moment(each["nextAt"]),
            _moment(each["lastAt"]),
            brief(each["fault"], 60),
        )
        for each in told["schedules"]
    ]
    return table(("SCHEDULE", "TYPE", "WHEN", "NEXT", "LAST", "FAULT"), rows)


def schedule_text(told: Json) -> Text:
    """One schedule with its next runs."""
    text = Text.assemble((plain(told["scheduleId"]), "bold"), f" starts {plain(told['type'])} {_rhythm(told)}")
    if told["paused"]:
        text.append("\n  it is paused")
    for at in told["nextRuns"]:
        text.append(f"\n  {_moment(at)}")
    if told["fault"]:
        text.append(f"\n  {plain(told['fault'])}", style="red")
    return text


def _rhythm(told: Json) -> str:
    return f"every {span(told['every'])}" if told["cron"] is None else f"{told['cron']} ({told['timezone']})"


def reasons_text(found: Json) -> Text:
    """What a workflow waits for, until when, and what would change that."""
    text = Text.assemble((plain(found["type"]), "bold"), " is ", status(found["status"]))
    for reason in found["reasons"]:
        who = f"{reason['step']} waits for" if reason["step"] else "it waits for"
        until = f", until {_moment(reason['until'])}" if reason["until"] else ""
        text.append(f"\n  {who} {plain(reason['waitsFor'])}{until}")
        text.append(f"\n    what would change that: {plain(reason['whatWouldChangeThat'])}", style="dim")
    return text


def findings_text(findings: Sequence[Json]) -> Text:
    """What the doctor found, what is wrong last, where one looks first."""
    marks = {"well": ("✓", "green"), "doubtful": ("?", "yellow"), "wrong": ("✗", "bold red")}
    lines = []
    for finding in sorted(findings, key=lambda finding: list(marks).index(finding["verdict"])):
        mark, style = marks[finding["verdict"]]
        line = Text.assemble((mark, style), f" {finding['about']}: {plain(finding['seen'])}")
        if finding["mend"]:
            line.append(f"\n    to mend it: {plain(finding['mend'])}", style="dim")
        lines.append(line)
    return Text("\n").join(lines)


def _length(milliseconds: float | None) -> str:
    return "not over yet" if milliseconds is None else f"took {seconds(milliseconds)}"


def _standing(workflow: Json) -> Text:
    shown = status(workflow["status"])
    if workflow["compensation"] != "none":
        shown.append(f", undone: {workflow['compensation']}", style="")
    return shown


def _undo(step: Json) -> str | Text:
    undo = step["compensation"]
    return "" if undo is None else status(undo["status"])


def _items(counts: Json) -> str:
    """How far a step with `forEach` is; nothing for any other."""
    if counts is None:
        return ""
    told = [f"{counts['completed']:,} of {counts['total']:,} items completed"]
    told += [
        f"{counts[name]:,} {said}" for name, said in (("failed", "failed"), ("running", "under way")) if counts[name]
    ]
    return ", ".join(told)


def _error(error: Json) -> str:
    if not isinstance(error, dict):
        return "" if error is None else str(error)
    where = f"{error['step']}: " if error.get("step") else ""
    return f"{where}{error.get('message') or error.get('kind', '')}"


def _moment(iso: str | None) -> str:
    return "" if iso is None else iso.replace("T", " ").replace("Z", "")
