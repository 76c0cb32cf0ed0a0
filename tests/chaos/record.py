"""What is known at the end of a run: the ledger, the services' books, what clients were told, when which fault was."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from orchestrator.definition import NO_REQUEST, Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import deliveries, events, steps, workflows
from orchestrator.workflow import step_of
from tests.chaos.hooks import Heard
from tests.chaos.load import Start
from tests.chaos.person import Decision

UNDO = ":undo"


@dataclass
class Call:
    """A request as its service saw it. `kind` is the service's (`keyed`, `once`, `careless`), or `undo`.

    `step` is the step that it is for, or that it undoes; with its index where that is an item (`send[3]`).
    """

    number: int
    workflow: str
    step: str
    kind: str
    key: str
    asked_at: float
    acted_at: float | None = None
    answered_at: float | None = None
    fate: str = ""


@dataclass(frozen=True)
class Said:
    """What was said later of an order: `word` (`done`, `failed`, `unsure`), and what that was answered with.

    `forged`: by somebody without the order's token. `status` is None where nobody could be told.
    """

    workflow: str
    step: str
    word: str
    forged: bool
    status: int | None
    answer: str | None


@dataclass(frozen=True)
class Happened:
    """An episode: its faults, from when to when. `takes_over`: see `Fault`. `met` is false where nothing happened."""

    faults: tuple[str, ...]
    begin: float
    end: float
    takes_over: bool = True
    met: bool = True

    @property
    def name(self) -> str:
        """The faults, as the table names them."""
        return " + ".join(self.faults)


Row = Mapping[str, Json]


@dataclass
class Told:
    """One workflow as the ledger tells it."""

    row: Row
    steps: dict[str, Row]
    events: list[Row]
    definition: Definition

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.row["id"])

    @property
    def parent(self) -> tuple[str, str] | None:
        """The workflow and the step that started it."""
        above = self.row["parent"]
        return None if above is None else (above["workflow_id"], above["step"])

    def limit_of(self, row: str) -> int | None:
        """How many calls may be under way at once under the limit of this row's call; None where it has none."""
        own = self.definition.steps.get(step_of(row))
        return None if own is None or own.call.limit is None else own.call.limit.allowance.concurrency

    def rows_of(self, step: str) -> list[str]:
        """The rows that call a service for this step: its own, those of its items, or none."""
        own = self.definition.steps[step]
        if own.for_each is not None:
            return [name for name in self.steps if name.startswith(f"{step}[") and not name.endswith(UNDO)]
        return [step] if own.task is not None or own.call.target_url is not NO_REQUEST else []


@dataclass
class Record:
    """One run. `at` is when the ledger was read, `quiet_at` when the last fault was over.

    `said` is what services said later of their orders, `decisions` what a person decided, `heard` what webhooks were
    told, `deliveries` what the ledger says of that. The schedule was paused at `paused_at`. `bound` is how many seconds
    work may be held up after a fault's end; `loads` are the machine's load averages meanwhile.
    """

    workflows: dict[str, Told]
    calls: list[Call]
    starts: list[Start]
    episodes: list[Happened]
    quiet_at: float
    at: float
    said: list[Said] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    paused_at: float | None = None
    bound: float = 15.0
    loads: list[float] = field(default_factory=list)
    of: dict[str, list[Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for call in self.calls:
            self.of.setdefault(call.workflow, []).append(call)

    def children(self) -> dict[tuple[str, str], list[Told]]:
        """The workflows that each step has started, by workflow and step."""
        found: dict[tuple[str, str], list[Told]] = {}
        for told in self.workflows.values():
            if told.parent is not None:
                found.setdefault(told.parent, []).append(told)
        return found


def read_deliveries(url: str) -> list[Row]:
    """What is to be delivered to webhooks, and what was."""
    database = Database(url, pool_size=1)
    try:
        with database.reading() as connection:
            return [dict(row) for row in connection.execute(select(deliveries)).mappings()]
    finally:
        database.close()


def read_ledger(url: str, definitions: Mapping[str, Definition]) -> dict[str, Told]:
    """Every workflow with its steps and its audit log in the order in which it was written."""
    database = Database(url, pool_size=1)
    try:
        with database.reading() as connection:
            told = {
                row["id"]: Told(dict(row), {}, [], definitions[row["type"]])
                for row in connection.execute(select(workflows)).mappings()
            }
            for row in connection.execute(select(steps)).mappings():
                told[row["workflow_id"]].steps[row["name"]] = dict(row)
            for row in connection.execute(select(events).order_by(events.c.id)).mappings():
                told[row["workflow_id"]].events.append(dict(row))
            return told
    finally:
        database.close()


@dataclass(frozen=True)
class Books:
    """The services' books: an entry a request, what was said later of those that were orders, what webhooks heard."""

    calls: list[Call]
    said: list[Said]
    heard: list[Heard]


def read_books(*files: Path) -> Books:
    """The services' books, and those of a team's worker."""
    return books_of([line for file in files if file.exists() for line in file.read_text().splitlines()])


def books_of(lines: Sequence[str]) -> Books:
    """The same from their lines."""
    calls: dict[int, Call] = {}
    said: list[Said] = []
    heard: list[Heard] = []
    for entry in _entries(lines):
        number, at = entry.pop("number", 0), entry.pop("at")
        match entry["what"]:
            case "asked":
                calls[number] = Call(number, entry["workflow"], entry["step"], entry["kind"], entry["key"], at)
            case "acted":
                calls[number].acted_at = at
            case "answered":
                calls[number].answered_at = at
                calls[number].fate = entry["fate"]
            case "said":
                words = (entry[name] for name in ("word", "forged", "status", "answer"))
                said.append(Said(calls[number].workflow, calls[number].step, *words))
            case "heard":
                heard.append(Heard(**{name: value for name, value in entry.items() if name != "what"}))
    return Books(list(calls.values()), said, heard)


def _entries(lines: Sequence[str]) -> Iterator[dict[str, Json]]:
    for line in lines:
        yield json.loads(line)
