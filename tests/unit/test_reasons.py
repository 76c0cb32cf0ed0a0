"""Why a workflow is not moving, from its rows alone."""

from orchestrator.ledger.views.reasons import Standing, reasons
from orchestrator.states import Compensation, StepStatus, WorkflowStatus
from orchestrator.workflow import StepState


def test_steps_that_failed_beside_the_one_that_failed_the_workflow_are_named() -> None:
    """One that was cut short says so, and the undone workflow's own reason stays the first."""
    failed = [StepState(name=name, status=StepStatus.FAILED) for name in ("a", "b")]
    cut = {"kind": "http", "message": "answered 503; not tried again: the workflow began to fail (at a)"}
    standing = Standing(
        status=WorkflowStatus.FAILED,
        ending=WorkflowStatus.FAILED,
        compensation=Compensation.NONE,
        error={"step": "a", "kind": "http", "message": "answered 404"},
        deadline_at=None,
        now=0.0,
        steps=failed,
        errors={"a": {"kind": "http", "message": "answered 404"}, "b": cut},
    )
    workflow, beside = reasons(standing)
    assert workflow.waits_for == "nothing: it is failed (a: answered 404)"
    assert (beside.step, beside.waits_for) == ("b", f"nothing: it failed too ({cut['message']})")
