"""What a person says of a limit: how many calls may pass, or that none may for a while."""

from sqlalchemy import delete, select, update

from orchestrator.errors import NotFound
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.slots import Gate
from orchestrator.ledger.tables import limits
from orchestrator.limits import Allowance, Circuit, closed, opened


def set_limit(ledger: Ledger, key: str, allowance: Allowance, actor: str) -> None:
    """From now on this holds for the key, whatever definitions say. Whose turn it is by that is woken."""
    with ledger.database.transaction() as connection:
        gate = Gate(connection, key, ledger.database.now(connection))
        gate.allow(allowance, set_by=actor)
        gate.next_turns()
        gate.close()


def unset_limit(ledger: Ledger, key: str) -> None:
    """Nothing is set for the key any more: what definitions say holds, or nothing. Raises NotFound.

    Who waits is woken within seconds: the row stays as long as it has slots (`limiting.Limiter.tidy`).
    """
    _known(ledger, key)
    with ledger.database.transaction() as connection:
        free = {"set_by": None, "concurrency": None, "rate": None, "circuit": None}
        connection.execute(update(limits).where(limits.c.key == key).values(**free))
        gate = Gate(connection, key, ledger.database.now(connection))
        gate.gauge = closed(gate.gauge)
        waits = gate.next_turns()
        gate.close()
        if not waits and not gate.has_slots():
            connection.execute(delete(limits).where(limits.c.key == key))


def open_circuit(ledger: Ledger, key: str, seconds: float) -> None:
    """No call is let in for so long; then one probes. Raises NotFound."""
    _known(ledger, key)
    with ledger.database.transaction() as connection:
        now = ledger.database.now(connection)
        gate = Gate(connection, key, now)
        gate.gauge = opened(closed(gate.gauge), Circuit(pause=seconds), now)
        gate.close()


def close_circuit(ledger: Ledger, key: str) -> None:
    """Calls are let in again, and what was before is forgotten. Raises NotFound."""
    _known(ledger, key)
    with ledger.database.transaction() as connection:
        gate = Gate(connection, key, ledger.database.now(connection))
        gate.gauge = closed(gate.gauge)
        gate.next_turns()
        gate.close()


def _known(ledger: Ledger, key: str) -> None:
    with ledger.database.reading() as connection:
        if connection.execute(select(limits.c.key).where(limits.c.key == key)).first() is None:
            raise NotFound(f"there is no limit {key!r}: set one, or see which there are")
