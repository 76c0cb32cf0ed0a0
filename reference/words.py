"""Statuses, events and the functions of expressions, from where the code says them."""

import ast
import inspect
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import ModuleType

from jmespath.functions import Functions

import orchestrator
from orchestrator import outcome, states
from orchestrator.expressions import functions, limits
from orchestrator.expressions.functions import PureFunctions
from orchestrator.states import Compensation, Effect, StepStatus, WorkflowStatus
from reference.tables import table

MEANINGS = {
    "step.started": "A worker has claimed it and makes an attempt.",
    "step.completed": "Its call was a success; its result is kept.",
    "step.retrying": "An attempt failed and another one is made: after `delayMs`.",
    "step.failed": "It failed for good.",
    "step.expanded": "Its list is there: a row for each item.",
    "step.skipped": "It is not called: `reason` says why.",
    "step.late": "An answer came for an attempt that was over: it changes nothing.",
    "step.lost": "Its worker died or was cut off; it is called again with the same key, where that is safe.",
    "step.outwaited": "Its worker is silent; the step is left to it until `until`.",
    "step.waiting": "It is parked: for what and until when.",
    "step.heldBack": "It may not be called yet: `waitingFor` says for what it waits, `key` for which limit or host.",
    "step.resent": "Its message was lost and is sent again.",
    "step.takenOver": "A fresh copy of the workflow keeps what the original had done.",
    "workflow.started": "It was accepted.",
    "workflow.rerun": "A fresh copy of it was started.",
    "workflow.begun": "It was put off, and its time has come.",
    "workflow.completed": "It is over: everything is settled.",
    "workflow.failed": "It is over; `compensation` says how the undoing went.",
    "workflow.cancelled": "It is over, as a person or a step wanted.",
    "workflow.failing": "A step failed for good, or the deadline passed: nothing more is started.",
    "workflow.ending": "A step ended it as completed: nothing more is started.",
    "workflow.compensating": "What took effect is being undone: `steps`.",
    "workflow.cancelRequested": "A person wants it cancelled.",
    "workflow.paused": "A person paused it: nothing is started.",
    "workflow.resumed": "It goes on.",
    "workflow.undoRequested": "Its parent failed: what it did is to be undone, though it had completed.",
    "workflow.retried": "A person had the failed steps run again.",
    "workflow.stuck": "It waits for nothing, and nothing has happened to it for long: ops are told.",
    "workflow.outputFailed": "Its `output` could not be filled in; it is completed all the same.",
}


def statuses_page() -> str:
    """Every status with its moves, and the kinds of errors."""
    parts = ["# Statuses\n", "```text", (inspect.getdoc(states) or "").replace("::", ""), "```", ""]
    for title, words in (
        ("Workflow", WorkflowStatus),
        ("Step, or compensation", StepStatus),
        ("How the undoing went", Compensation),
        ("What a step's calls did in the world", Effect),
    ):
        parts += [f"## {title}", "", _listed(words), ""]
    parts += ["## Kinds of errors", "", _after_first_paragraph(outcome.StepError), ""]
    return "\n".join(parts)


def events_page() -> str:
    """Every type of event in the audit log."""
    rows = [(f"`{kind}`", MEANINGS.get(kind, ""), ", ".join(f"`{one}`" for one in sorted(details)))
            for kind, details in sorted(recorded().items())]  # fmt: skip
    return (
        "# Events\n\nThe audit log of a workflow (`orchestrator events ID`, `GET /api/workflows/<id>/events`), "
        "appended in the transaction of the change itself. No event has a body or a secret in it.\n\n"
        + table(("type", "means", "details"), rows)
    )


def expressions_page() -> str:
    """What may be read, and every function."""
    own = _table_in(functions)
    builtin = sorted(set(PureFunctions.FUNCTION_TABLE) & set(Functions.FUNCTION_TABLE))
    bounds = [(f"`{name}`", f"{value:,}") for name, value in sorted(vars(limits).items()) if name.startswith("MAX_")]
    return "\n".join(
        [
            _EXPRESSIONS,
            "## Our functions\n",
            own,
            (inspect.getdoc(functions) or "").rpartition("|\n")[2].strip(),
            "\n## JMESPath's functions\n",
            ", ".join(f"`{name}`" for name in builtin)
            + ": see [jmespath.org](https://jmespath.org/specification.html).\n",
            "## Limits\n",
            table(("limit", "value"), bounds),
        ]
    )


def recorded() -> dict[str, set[str]]:
    """Every event's type that is recorded anywhere in the package → the names of its details, where they are plain."""
    found: dict[str, set[str]] = {}
    for path in sorted(Path(orchestrator.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and call.args and _records(call.func):
                for kind in _kinds(call.args[0]):
                    details = {word.arg for word in call.keywords if word.arg not in (None, "details", "step")}
                    found.setdefault(kind, set()).update(filter(None, details))
    return found


def _records(function: ast.expr) -> bool:
    named = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return named in ("record", "Event")


def _kinds(kind: ast.expr) -> Iterator[str]:
    match kind:
        case ast.Constant(value=str(text)) if text.startswith(("step.", "workflow.")):
            yield text
        case ast.JoinedStr():  # how a workflow ends
            yield from ("workflow.failed", "workflow.cancelled")
        case ast.Name(id="STUCK"):
            yield "workflow.stuck"


def _listed(words: type[StrEnum]) -> str:
    return f"{', '.join(f'`{word.value}`' for word in words)}. {inspect.getdoc(words) or ''}"


def _after_first_paragraph(thing: type) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[2]


def _table_in(module: ModuleType) -> str:
    lines = [line for line in (inspect.getdoc(module) or "").splitlines() if line.startswith("|")]
    return "\n".join(lines) + "\n"


_EXPRESSIONS = """# Expressions

What stands in `${ … }` is [JMESPath](https://jmespath.org). A text that is one expression keeps its JSON type; within a
longer text the value is written out. A name that is not there is null, never an error. `$${` writes `${` itself.

| reads | what |
|---|---|
| `context` | the JSON object that the workflow was started with |
| `steps.<name>.result`, `.status`, `.error`, `.attempts` | an earlier step, or its fallback where that served |
| `workflow.id`, `.type`, `.createdAt` | the workflow |
| `vars.NAME` | `ORCHESTRATOR_VAR_NAME` |
| `secret.NAME` | `ORCHESTRATOR_SECRET_NAME`: in URLs, headers, query, payloads and `auth` only |
| `response.status`, `.headers`, `.body` | the answer: in `success`, `result` and `retry.on` only |
| `error.kind`, `.message`, `.status` | the failure: in `retry.on` only |

A literal stands in backticks: `` `100` ``, `` `true` ``; a text in single quotes: `'gold'`.
"""
