"""What people and programs read of the ledger: plain queries → the JSON of the API. Nothing is decided or changed here.

moments      times as the API writes them
snapshot     one state of the ledger for all queries of a view
workflow     one workflow with everything about it
summary      one workflow in brief, as clients poll it
items        the items of a step with `forEach`, a page at a time
listing      a page of workflows, newest first
searching    the same, of those with a value in a field of their context
decisions    the steps that wait for a person's approval
counting     how many workflows stand where
history      the audit log of a workflow
reasons      why a workflow is not moving, as a pure function of its rows
awaited      what is known of the children and limits that its steps wait for
why          the same, with the rows fetched
versions     versions of a definition that the ledger keeps
pulse        whether anything about a workflow has changed
statistics   how a type's last workflows and their steps went
limits       how many calls may go where, and how that stands
attendance   the workers, and what waits for them

Sensitive fields are masked in what the ledger stores of a context: a view has nothing to hide and no key to open.
"""

from orchestrator.ledger.views.attendance import attendance
from orchestrator.ledger.views.counting import counts
from orchestrator.ledger.views.decisions import decisions
from orchestrator.ledger.views.history import events_page
from orchestrator.ledger.views.items import items_page
from orchestrator.ledger.views.limits import limit_view, limits_view
from orchestrator.ledger.views.listing import Filters, workflows_page
from orchestrator.ledger.views.pulse import Pulse, pulse
from orchestrator.ledger.views.searching import found_page
from orchestrator.ledger.views.statistics import statistics
from orchestrator.ledger.views.summary import summary_view
from orchestrator.ledger.views.versions import definition_of, kept_definition
from orchestrator.ledger.views.why import why
from orchestrator.ledger.views.workflow import workflow_view

__all__ = [
    "Filters",
    "Pulse",
    "attendance",
    "counts",
    "decisions",
    "definition_of",
    "events_page",
    "found_page",
    "items_page",
    "kept_definition",
    "limit_view",
    "limits_view",
    "pulse",
    "statistics",
    "summary_view",
    "why",
    "workflow_view",
    "workflows_page",
]
