"""What must fit together across the fields of a definition: reads and order, output and secrecy, pairs of fields."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.credentials import Auth
from orchestrator.definition import ForEach
from orchestrator.expressions import STEP_FIELDS, Expression, References, Template
from orchestrator.graph import Graph
from orchestrator.jsontype import Json
from orchestrator.reading.edges import Drafts
from orchestrator.reading.expression_kinds import OF_AN_ITEM, below
from orchestrator.reading.place import Place
from orchestrator.reading.step_kinds import BELONG, KINDS, KINDS_OF_UNDOS, REFUSED

# The first segments under /api/ that the program answers itself.
RESERVED_ENTRIES = frozenset(
    {"workflows", "orchestrator", "tasks", "webhooks", "schedules", "limits", "definitions", "openapi.json", "docs"}
)


def check_reads(drafts: Drafts, graph: Graph, at: Place) -> None:
    """A step may read only what comes before it; its compensation may read the step itself too."""
    for name, draft in drafts.items():
        for field, value in draft.items():
            for place, references in reads_in(value, at / name / field):
                _check_fields(references, drafts, place)
                if name in graph:
                    _check_order(name, references, graph, place, undoing=field == "compensate")


def check_output(output: Json, sensitive: tuple[str, ...], drafts: Drafts, at: Place) -> None:
    """The output may read every step, but nothing sensitive: it is shown to whoever asks for the workflow."""
    for place, references in reads_in(output, at):
        _check_fields(references, drafts, place)
        for path in sensitive:
            if references.touches(path):
                place.fault(
                    f"reads {path}, which is sensitive; the output is shown to everybody who may see the workflow"
                )


def check_results(drafts: Drafts, sensitive: tuple[str, ...], at: Place) -> None:
    """A step's result is kept and shown as it is, so nothing sensitive may be put into it."""
    for name, draft in drafts.items():
        for place, references in reads_in(draft.get("result"), at / name / "result"):
            for path in sensitive:
                if references.touches(path):
                    place.fault(f"reads {path}, which is sensitive; a result is kept as it is and shown")


def check_entry(entry: str, at: Place) -> None:
    """A path that the program answers itself cannot start a workflow."""
    if entry.split("/")[2] in RESERVED_ENTRIES:
        at.fault(f"{entry} is answered by the orchestrator itself; choose another path under /api/")


def check_call(draft: Mapping[str, Json], at: Place) -> None:
    """The pairs of fields of one call that must fit together."""
    retry = draft.get("retry", {})
    if "delay" in retry and "maxDelay" in retry and retry["delay"] > retry["maxDelay"]:
        (at / "retry" / "maxDelay").fault("must not be less than delay")
    if "budget" in retry and retry.get("delay", 0) >= retry["budget"]:
        (at / "retry" / "budget").fault("must be more than delay, or there would be no second attempt")
    payload = draft.get("payload")
    if draft.get("encoding") == "form" and payload is None and "compensate" not in at.path:
        (at / "encoding").fault("form needs a `payload` of plain fields: what is sent without one is nested")
    if draft.get("encoding") == "form" and isinstance(payload, Template):
        fits = isinstance(payload.source, dict) or (isinstance(payload.source, str) and payload.references.roots)
        if not fits:
            (at / "payload").fault("must be an object where encoding is form")
    if "limit" in draft and draft["limit"].keys() <= {"key"}:
        (at / "limit").fault("must say concurrency, rate or circuit")
    _check_presented(draft, at)
    if "compensate" in draft:
        check_call(draft["compensate"], at / "compensate")


def check_kind(workflow_type: str | None, step: Json, at: Place) -> None:
    """A step makes a request, starts a workflow, sends a task, asks a person or waits: one of them, with its fields."""
    draft: Mapping[str, Json] = step if isinstance(step, dict) else {}
    _check_one_kind(draft, KINDS, at)
    if isinstance(draft.get("compensate"), dict):
        _check_one_kind(draft["compensate"], KINDS_OF_UNDOS, at / "compensate")
    if workflow_type is not None and draft.get("workflow") == workflow_type:
        (at / "workflow").fault("is this workflow's own type: it would start itself for ever")


def _check_one_kind(draft: Mapping[str, Json], kinds: Sequence[str], at: Place) -> None:
    given = [name for name in kinds if name in draft]
    if not given:
        at.fault(f"the field 'targetUrl' is missing (or {', '.join(kinds[1:])})")
    elif len(given) > 1:
        (at / given[1]).fault(f"does not go with {given[0]}; keep one of them")
    else:
        for name in draft:
            if name in REFUSED.get(given[0], ()):
                (at / name).fault(f"does not go with {given[0]}")
    for name, owner in BELONG.items():
        if name in draft and owner not in draft:
            (at / name).fault(f"goes with {owner} only")


def check_tasks(drafts: Drafts, sensitive: tuple[str, ...], at: Place) -> None:
    """The arguments of a Celery task travel through Redis: nothing sensitive may be among them."""
    for name, draft in drafts.items():
        undo = draft.get("compensate", {})
        parts = [(draft.get(field), at / name / field) for field in ("args", "kwargs")]
        parts += [(undo.get(field), at / name / "compensate" / field) for field in ("args", "kwargs")]
        for part, here in parts:
            for place, references in reads_in(part, here):
                for path in sensitive:
                    if references.touches(path):
                        place.fault(f"reads {path}, which is sensitive; arguments of a task pass through Redis")


def _check_presented(draft: Mapping[str, Json], at: Place) -> None:
    """What `auth` sends must not be given a second time."""
    auth = draft.get("auth")
    carried = auth.carried_in if isinstance(auth, Auth) else None
    for name in draft.get("headers", {}):
        if carried is not None and name.lower() == carried:
            (at / "headers" / name).fault("auth sends this header; keep one of them")


def check_items(drafts: Drafts, sensitive: tuple[str, ...], at: Place) -> None:
    """Who may read `item`, and what a list of items may read."""
    for name, draft in drafts.items():
        own = draft.get("forEach")
        if own is None:
            _check_no_items(draft, at / name)
            continue
        if "workflow" in draft and "context" not in draft:
            (at / name / "workflow").fault("needs a context beside forEach, such as `context: ${item}`")
        for path in sensitive:
            if own.items.references.touches(path):
                (at / name / "forEach").fault(
                    f"reads {path}, which is sensitive; items are kept as they are: list what names them instead"
                )
        for call, here in ((draft, at / name), (draft.get("compensate", {}), at / name / "compensate")):
            key = call.get("idempotencyKey")
            if key is not None and not key.references.roots.intersection(OF_AN_ITEM):
                (here / "idempotencyKey").fault("must read item or index, or all items would be sent with one key")


def _check_no_items(draft: Mapping[str, Json], at: Place) -> None:
    for place, references in reads_in(draft, at):
        for root in sorted(references.roots.intersection(OF_AN_ITEM)):
            place.fault(f"reads {root}, but this step has no forEach")


def reads_in(value: Json, at: Place) -> Iterator[tuple[Place, References]]:
    """Everything that the expressions in a typed value read, each with its place."""
    if isinstance(value, ForEach):
        yield from reads_in(value.items, at)
    elif isinstance(value, Expression):
        yield at, value.references
    elif isinstance(value, Template):
        for place, expression in value.expressions():
            yield below(at, place), expression.references
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from reads_in(part, at / key)
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from reads_in(part, at / index)


def _check_fields(references: References, drafts: Drafts, at: Place) -> None:
    """Steps and their fields must exist."""
    for step in sorted(references.steps.difference(drafts)):
        at.fault(f"reads steps.{step[:70]}, which is no step{at.faults.suggestion(step, drafts)}")
    for step, field in sorted(references.step_fields):
        if field not in (*STEP_FIELDS, "*"):
            hint = at.faults.suggestion(field, STEP_FIELDS) or f"; there are {', '.join(STEP_FIELDS)}"
            at.fault(f"reads steps.{step[:70]}.{field[:70]}, but a step has no '{field[:70]}'{hint}")


def _check_order(name: str, references: References, graph: Graph, at: Place, *, undoing: bool) -> None:
    for step in sorted(references.steps):
        if step not in graph or (step == name and undoing) or (step != name and graph.precedes(step, name)):
            continue
        if step == name:
            at.fault(f"step '{name}' reads its own result; in success and result, read response")
        elif graph.precedes(name, step):
            at.fault(f"step '{name}' reads steps.{step}, which runs after it")
        else:
            at.fault(
                f"step '{name}' reads steps.{step}, which need not have run before it; add '{step}' to its waitFor"
            )
