"""Arazzo documents (1.0, 1.1) with their OpenAPI → definitions, or what stands in the way, with its place.

In reading order:

- `notes`: what is said about a document: what was left out, and what there is to do;
- `document`: a document and its components, every field that nobody read named in the end;
- `openapi`: descriptions of APIs: an operation's method, URL and parameters;
- `expressions`: Arazzo's runtime expressions → JMESPath;
- `criteria`: its conditions → JMESPath;
- `requests`: parameters and request bodies → a step's request;
- `jumps`: actions on success and failure → conditions, retries, endings;
- `workflows`: all of it together, a definition for each workflow.

Arazzo 1.0.1 and 1.1.0: https://spec.openapis.org/arazzo/latest.html
"""

from orchestrator.arazzo.notes import Note
from orchestrator.arazzo.workflows import Imported, read_arazzo

__all__ = ["Imported", "Note", "read_arazzo"]
