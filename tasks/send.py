"""The other task: sends the many first messages of a wide workflow, so that the client who started it need not wait."""

from orchestrator.ledger.ready import ready
from tasks.app import app
from tasks.bench import held


@app.task(name="orchestrator.send", ignore_result=True, shared=False)
def send(workflow_id: str) -> None:
    """Send the messages of the workflow's ready steps. Twice does no harm: a copy of a message has no effect."""
    held().bench.publish(ready(held().ledger, workflow_id))
