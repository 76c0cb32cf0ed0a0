"""What people and programs read of the ledger: plain queries → the JSON of the API. Nothing is decided or changed here.

moments      times as the API writes them
snapshot     one state of the ledger for all queries of a view
workflow     one workflow with everything about it
summary      one workflow in brief, as clients poll it
listing      a page of workflows, newest first
history      the audit log of a workflow
reasons      why a workflow is not moving, as a pure function of its rows
why          the same, with the rows fetched
versions     a version of a definition that the ledger keeps

Sensitive fields are masked in what the ledger stores of a context: a view has nothing to hide and no key to open.
"""

from orchestrator.ledger.views.history import events_page
from orchestrator.ledger.views.listing import Filters, workflows_page
from orchestrator.ledger.views.summary import summary_view
from orchestrator.ledger.views.versions import kept_definition
from orchestrator.ledger.views.why import why
from orchestrator.ledger.views.workflow import workflow_view

__all__ = ["Filters", "events_page", "kept_definition", "summary_view", "why", "workflow_view", "workflows_page"]
