"""Versions of a definition that the ledger keeps because workflows use them."""

from sqlalchemy import bindparam, select

from orchestrator.definition import Definition
from orchestrator.errors import NotFound
from orchestrator.ledger.book import Ledger
from orchestrator.ledger.tables import definitions
from orchestrator.reading import read_document

_KEPT = select(definitions.c.document).where(
    definitions.c.version == bindparam("version"), definitions.c.type == bindparam("type")
)


def kept_definition(ledger: Ledger, workflow_type: str, version: str) -> Definition:
    """The definition of that type and version (SHA-256, hexadecimal). Raises NotFound."""
    with ledger.database.reading() as connection:
        document = connection.execute(_KEPT, {"type": workflow_type, "version": version}).scalar_one_or_none()
    if document is None:
        raise NotFound(f"no workflow was started with version {version} of {workflow_type}")
    return read_document(document)


def definition_of(ledger: Ledger, version: str) -> Definition:
    """The definition of a version that a workflow uses; read once by each process. Raises NotFound."""
    with ledger.database.reading() as connection:
        return ledger.definitions.get(connection, version)
