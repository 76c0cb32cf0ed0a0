"""A ledger as it looks after a month: workflows of some types that stand in many ways, spread over thirty days."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Table, TextClause, text

from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.starting import Start, start
from orchestrator.ledger.tables import events, steps, workflows
from orchestrator.moves.move import Claim, Control, Settle
from orchestrator.outcome import Completed, Failed, Outcome, Parked, StepError
from orchestrator.reading import read_document
from orchestrator.states import Effect, Waiting

AT_A_TIME = 20_000
DAYS = 30
REFUSED = Failed(StepError("http", "answered 402", 402), Effect.NONE, retryable=False)
BUSY = Failed(StepError("http", "answered 503", 503), Effect.NONE, retryable=True)
CONTEXT: Json = {"amount": 42.5, "address": "12 St James Square", "email": "ada@example.com"}


def order(name: str) -> Json:
    """A definition of three steps, of which the first can be undone."""
    url = "http://services.example"
    steps_ = {
        "payment": {
            "targetUrl": f"{url}/pay",
            "next": ["shipment"],
            "compensate": {"targetUrl": f"{url}/refund", "retries": 0},
        },
        "shipment": {"targetUrl": f"{url}/ship", "next": ["confirmation"]},
        "confirmation": {"targetUrl": f"{url}/confirm"},
    }
    return {"type": name, "steps": steps_}


Play = Callable[[Ledger, str], None]


@dataclass(frozen=True)
class Family:
    """Workflows of one kind: their share of all, their type, and what happened to them."""

    share: float
    type: str
    play: Play


def does(*steps_: tuple[str, Outcome]) -> Play:
    """Steps that were taken, and what came of each."""

    def play(ledger: Ledger, workflow_id: str) -> None:
        for step, outcome in steps_:
            ledger.make([Claim(workflow_id, step, "worker-1")])
            ledger.make([Settle(workflow_id, step, 1, outcome, 0.5)])

    return play


def orders(verb: str) -> Play:
    """Somebody ordered that."""
    return lambda ledger, workflow_id: void(ledger.make([Control(workflow_id, verb, "ada")]))


def void(_: object) -> None:
    """Nothing."""


PAID = ("payment", Completed({"orderId": "ORD-06A7BD0F", "transactionId": "tx-1"}, 200))
SHIPPED = ("shipment", Completed({"trackingId": "TRACK-CE589A09"}, 200))
LOST = ("shipment", REFUSED)
FAMILIES = (
    Family(0.80, "order-processing", does(PAID, SHIPPED, ("confirmation", Completed({"messageId": "m"}, 200)))),
    Family(0.12, "return", does(PAID, SHIPPED, ("confirmation", Completed({"messageId": "m"}, 200)))),
    Family(0.03, "order-processing", does(PAID, LOST, ("payment:undo", Completed({}, 200)))),
    Family(0.001, "order-processing", does(PAID, LOST, ("payment:undo", REFUSED))),
    Family(0.019, "seldom", does(("payment", REFUSED))),
    Family(0.005, "order-processing", orders("cancel")),
    Family(0.005, "order-processing", orders("pause")),
    Family(0.01, "order-processing", does(PAID, ("shipment", Parked(Waiting.CALLBACK, 30 * 86_400)))),
    Family(0.01, "order-processing", does(("payment", BUSY))),
)


def fill(ledger: Ledger, count: int) -> Mapping[str, str]:
    """Make so many workflows; an id of each family by its number."""
    database = ledger.database
    born = time.time() - DAYS * 86_400
    examples: dict[str, str] = {}
    for number, family in enumerate(FAMILIES):
        many = round(family.share * count)
        original = start(ledger, read_document(order(family.type)), Start(CONTEXT)).workflow_id
        family.play(ledger, original)
        apart = DAYS * 86_400_000 // max(many, 1)
        examples[str(number)] = original
        for first in range(0, many, AT_A_TIME):
            values = {
                "original": original,
                "first": first,
                "last": min(first + AT_A_TIME, many) - 1,
                "born": int(born * 1_000) + number,
                "apart": apart,
            }
            with database.transaction() as connection:
                for table in (workflows, steps, events):
                    connection.execute(_copies(table, number, postgresql=database.postgresql), values)
    statement = "VACUUM ANALYZE" if database.postgresql else "ANALYZE"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    return examples


def _copies(table: Table, family: int, *, postgresql: bool) -> TextClause:
    """Each copy under an id of its own time, as a UUIDv7 is made of one."""
    moment = "(CAST(:born AS bigint) + number * CAST(:apart AS bigint))"
    digits = f"lpad(to_hex({moment}), 12, '0')" if postgresql else f"printf('%012x', {moment})"
    low = "lpad(to_hex(number), 12, '0')" if postgresql else "printf('%012x', number)"
    fresh = f"substr({digits}, 1, 8) || '-' || substr({digits}, 9, 4) || '-7000-8{family:03x}-' || {low}"
    told: dict[str, str] = {"start_key": "NULL"}
    if table is workflows:
        told |= {
            "id": fresh,
            "created_at": f"{moment} / 1000.0",
            "completed_at": f"{moment} / 1000.0 + (completed_at - created_at)",
        }
    else:
        told["workflow_id"] = fresh
    names = [column.name for column in table.columns if not (table is events and column.name == "id")]
    key = "id" if table is workflows else "workflow_id"
    return text(
        f"INSERT INTO {table.name} ({', '.join(names)}) WITH RECURSIVE copy (number) AS "
        "(SELECT CAST(:first AS bigint) UNION ALL SELECT number + 1 FROM copy WHERE number < :last) "
        f"SELECT {', '.join(told.get(name, name) for name in names)} FROM {table.name}, copy WHERE {key} = :original"
    )
