"""YAML or JSON text → `Definition`, or every fault at once with its line and what would be right.

In reading order:

- `definitions`: the ways in, and the whole reading from above;
- `text`: text → plain values and their lines;
- `canonical`: the one form in which a document is stored and hashed;
- `fields`: every field and what it may hold, as one table, made of
- `kinds`, `expression_kinds`, `auth_kinds` and `input_schema`: the kinds of values;
- `edges`, `checks`: what must fit together across fields;
- `building`: typed fields → the values of `orchestrator.definition`;
- `place`: where a reader stands, and the faults so far.
"""

from orchestrator.reading.building import read_allowance
from orchestrator.reading.definitions import read_definition, read_document, read_file, read_folder

__all__ = ["read_allowance", "read_definition", "read_document", "read_file", "read_folder"]
