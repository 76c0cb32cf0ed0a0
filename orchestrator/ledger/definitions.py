"""Each version of a definition, kept for as long as a workflow uses it: a workflow ends with the one it began with."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orchestrator.definition import Definition
from orchestrator.errors import NotFound
from orchestrator.ledger.tables import definitions
from orchestrator.reading import read_document

MOST_KNOWN = 1_000
"""Definitions that one process has at hand."""


class Definitions:
    """The versions that this process has seen; a version never changes, so it is read once."""

    def __init__(self) -> None:
        self._known: dict[str, Definition] = {}

    def get(self, connection: Connection, version: str) -> Definition:
        """The definition of this version; NotFound where the ledger has none."""
        known = self._known.get(version)
        if known is None:
            document = connection.execute(
                select(definitions.c.document).where(definitions.c.version == version)
            ).scalar_one_or_none()
            if document is None:
                raise NotFound(f"the ledger has no definition of version {version}")
            known = read_document(document)
            self._keep(known)
        return known

    def keep(self, connection: Connection, definition: Definition, now: float) -> None:
        """Write the version unless it is there. Two starts at the same moment both may: the second changes nothing."""
        if definition.version in self._known:
            return
        upsert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
        connection.execute(
            upsert(definitions)
            .values(version=definition.version, type=definition.type, document=definition.document, created_at=now)
            .on_conflict_do_nothing()
        )

    def knows(self, definition: Definition) -> bool:
        """Whether the version is in the ledger already, as far as this process has seen."""
        return definition.version in self._known

    def remember(self, definition: Definition) -> None:
        """The version is in the ledger: the transaction that wrote it is committed."""
        self._keep(definition)

    def _keep(self, definition: Definition) -> None:
        # Inline definitions can be as many as starts: the longest known is forgotten, and read again when it is wanted.
        while len(self._known) >= MOST_KNOWN:
            self._known.pop(next(iter(self._known), definition.version), None)
        self._known[definition.version] = definition

    def forget(self, definition: Definition) -> None:
        """The version may not be in the ledger any more."""
        self._known.pop(definition.version, None)
