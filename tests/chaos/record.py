"""What is known at the end of a run: the ledger, the services' books, what clients were told, when which fault was."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import events, steps, workflows
from tests.chaos.load import Start


@dataclass
class Call:
    """A request as its service saw it. `kind` is the service's (`keyed`, `once`, `careless`), or `undo`."""

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


@dataclass
class Record:
    """One run. `at` is when the ledger was read, `quiet_at` when the last fault was over."""

    workflows: dict[str, Told]
    calls: list[Call]
    starts: list[Start]
    episodes: list[Happened]
    quiet_at: float
    at: float
    of: dict[str, list[Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for call in self.calls:
            self.of.setdefault(call.workflow, []).append(call)


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


def read_books(file: Path) -> list[Call]:
    """The services' books, one entry a request."""
    return books_of(file.read_text().splitlines())


def books_of(lines: Sequence[str]) -> list[Call]:
    """The same from their lines."""
    calls: dict[int, Call] = {}
    for entry in _entries(lines):
        number, at = entry["number"], entry["at"]
        match entry["what"]:
            case "asked":
                calls[number] = Call(number, entry["workflow"], entry["step"], entry["kind"], entry["key"], at)
            case "acted":
                calls[number].acted_at = at
            case "answered":
                calls[number].answered_at = at
                calls[number].fate = entry["fate"]
    return list(calls.values())


def _entries(lines: Sequence[str]) -> Iterator[dict[str, Json]]:
    for line in lines:
        yield json.loads(line)
