"""Starts of many threads in one transaction: the same rows, the same keys, none that takes the others with it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sqlalchemy import delete

from orchestrator.definition import Definition
from orchestrator.errors import StartKeyReused
from orchestrator.jsontype import Json
from orchestrator.ledger.starter import Starter, _Asked
from orchestrator.ledger.starting import Start, Started, start
from orchestrator.ledger.tables import definitions, events, steps, workflows
from orchestrator.priority import Priority
from orchestrator.reading import read_document
from orchestrator.workflow import Parent
from tests.integration.ledger.play import Play

DIAMOND = {
    "a": {"targetUrl": "http://s/a", "next": ["b", "c"]},
    "b": {"targetUrl": "http://s/b", "next": ["d"], "fallback": "other"},
    "c": {"targetUrl": "http://s/c", "next": ["d"]},
    "d": {"targetUrl": "http://s/d"},
    "other": {"targetUrl": "http://s/other"},
}
TIMES = ("created_at", "deadline_at", "wake_at", "sent_at", "at")


def definition_of(name: str, **top: Json) -> Definition:
    """Five steps."""
    return read_document({"type": name, "steps": DIAMOND, **top})


def start_of(number: int, key: str | None = None, body: str = "same") -> Start:
    """What nobody could mix up with another one's."""
    parent = Parent("0197a3c2-58a1-7d44-9f0e-2c7b61d0c5aa", "step", ("above",)) if number % 2 else None
    trace, context = f"00-trace-{number}", {"n": number, "text": "ä\\u1234 'x' %s", "big": 2**62, "real": 0.1}
    hashes = () if key is None else (body,)
    return Start(
        context,
        f"sealed {number}",
        key,
        hashes,
        trace,
        f"actor {number}",
        priority=Priority.HIGH if number == 2 else None,
        webhook_url="http://w",
        parent=parent,
    )


def told(play: Play, workflow_id: str) -> list[Any]:
    """All rows of a workflow, without its ids, and its times as seconds since its start."""
    [head] = play.rows(workflows, workflow_id)
    rows = [head, *sorted(play.rows(steps, workflow_id), key=lambda row: row["name"]), *play.rows(events, workflow_id)]
    return [
        {
            name: round(value - head["created_at"], 4) if name in TIMES and value is not None else value
            for name, value in row.items()
            if name not in ("id", "workflow_id")
        }
        for row in rows
    ]


def test_what_is_written_together_is_what_is_written_alone(play: Play) -> None:
    """Every column of workflow, steps and first event; and what is to be sent."""
    kinds = [definition_of("plain"), definition_of("timed", deadline="1h")]
    asked = [_Asked(kind, start_of(number, f"key {number}")) for number in range(3) for kind in kinds]
    alone = [start(play.ledger, one.definition, start_of(one.wanted.context["n"])) for one in asked]
    together = Starter(play.ledger)._write(asked)
    for new, old in zip(together, alone, strict=True):
        assert isinstance(new, Started)
        shown, known = told(play, new.workflow_id), told(play, old.workflow_id)
        assert shown[0].pop("start_key") is not None
        assert shown[0].pop("start_hash") == "same"
        assert known[0].pop("start_key") is known[0].pop("start_hash") is None
        assert shown == known
        assert new.publication == replace(old.publication, workflow_id=new.workflow_id)


def test_a_key_that_was_used_gives_what_it_gave(play: Play) -> None:
    """Before, in the same transaction, by another process; and refuses another body, alone."""
    kind, starter = definition_of("plain"), Starter(play.ledger)
    known = start(play.ledger, kind, start_of(1, "old")).workflow_id
    play.ledger.definitions.remember(kind)
    starts = [start_of(1, "old"), start_of(2, "new"), start_of(2, "new"), start_of(3, "old", "another"), start_of(4)]

    def one(wanted: Start) -> str | type[Exception]:
        try:
            return starter.start(kind, wanted).workflow_id
        except StartKeyReused as error:
            return type(error)

    with ThreadPoolExecutor(len(starts)) as pool:
        old, new, again, refused, keyless = pool.map(one, starts)
    assert (old, again, refused) == (known, new, StartKeyReused)
    assert {row["id"] for row in play.rows(workflows)} == {old, new, keyless}
    assert len(play.rows(steps, str(new))) == len(DIAMOND)
    assert len(play.rows(events, str(new))) == 1


def test_a_version_that_was_deleted_meanwhile_is_written_again(play: Play) -> None:
    """This process has seen it in the ledger; the retention of another one deleted it, long unused."""
    kind, starter = definition_of("plain"), Starter(play.ledger)
    play.ledger.definitions.remember(kind)
    with play.ledger.database.transaction() as connection:
        connection.execute(delete(definitions))
    assert play.rows(workflows, starter.start(kind, start_of(1)).workflow_id)
    assert [row["version"] for row in play.rows(definitions)] == [kind.version]
