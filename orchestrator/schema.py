"""The JSON Schema (2020-12) of definitions: editors complete and check workflow files with it.

It is made from the reader's own table of fields, so the two know the same keys. What no schema can say (edges, circles,
what an expression may read) the reader says.
"""

from orchestrator.jsontype import Json
from orchestrator.reading.fields import DEFINITION


def definition_schema() -> Json:
    """The schema of one definition file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow definition",
        "description": "A workflow of HTTP calls: named steps and what follows what.",
        **DEFINITION.schema(),
    }
