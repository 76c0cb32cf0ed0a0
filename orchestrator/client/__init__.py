"""For programs that start workflows: within their own database transaction, or over HTTP.

- `start_workflow`: the workflow is there when the caller's SQLAlchemy transaction is committed, and only then;
- `orchestrator.client.http.Client`: everything else, from any program, by the API.

Neither needs Flask, Celery or Redis in the program.
"""

from orchestrator.client.transaction import Starter, start_workflow

__all__ = ["Starter", "start_workflow"]
