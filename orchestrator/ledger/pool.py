"""How many connections to the database are in use, told to who counts (`orchestrator.meters`)."""

from sqlalchemy import event

from orchestrator import meters
from orchestrator.ledger.engine import Database


def watch_pool(database: Database) -> None:
    """Tell of every connection that is taken from the pool or given back, from now on."""
    event.listen(database.engine, "checkout", _taken)
    event.listen(database.engine, "checkin", _given_back)


def _taken(*_: object) -> None:
    meters.connections(1)


def _given_back(*_: object) -> None:
    meters.connections(-1)
