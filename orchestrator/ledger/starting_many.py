"""Many workflows in one transaction: all of them are in the ledger, or none is."""

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from orchestrator.definition import Definition
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.starting import Start, Started, existing_among, log_started, write_starts

Wanted = tuple[Definition, Start]

MOST = 1_000
"""Workflows that one call may start."""


def start_many(ledger: Ledger, wanted: Sequence[Wanted]) -> list[Started]:
    """Write them all, in their order; those whose start key was used before are given as they are.

    Raises StartKeyReused where a key was used with another body; then nothing is written.
    """
    tries = 3
    while True:
        tries -= 1
        found = existing_among(ledger, wanted)
        new = [one for one, known in zip(wanted, found, strict=True) if known is None]
        try:
            with ledger.database.transaction() as connection:
                written = write_starts(connection, ledger.definitions, new)
        except IntegrityError:
            # Somebody used a key meanwhile; or a version, long unused, was deleted since this process saw it.
            for definition, _ in wanted:
                ledger.definitions.forget(definition)
            if not tries:
                raise
            continue
        for started, (definition, one) in zip(written, new, strict=True):
            ledger.definitions.remember(definition)
            log_started(started, definition, one)
        fresh = iter(written)
        return [next(fresh) if known is None else known for known in found]
