"""What a step is, and which of its fields go together: said once, for the reader and for the JSON Schema."""

from collections.abc import Mapping, Sequence

from orchestrator.jsontype import Json

KINDS = ("targetUrl", "workflow", "task", "approval", "wait")
"""A step makes a request, starts a workflow, sends a task, asks a person or waits: exactly one of them."""

KINDS_OF_UNDOS = ("targetUrl", "task")
"""What undoes a step."""

_OF_REQUESTS = frozenset(
    "method headers query auth payload encoding success result idempotencyKey limit retry retries timeout "
    "idempotent".split()
)
_OF_TASKS = frozenset({"retry", "retries", "timeout", "idempotent"})

REFUSED: Mapping[str, frozenset[str]] = {
    "workflow": _OF_REQUESTS,
    "task": _OF_REQUESTS - _OF_TASKS,
    "approval": _OF_REQUESTS | {"forEach"},
    "wait": _OF_REQUESTS | {"forEach"},
}
"""Fields that do not go with a kind."""

BELONG: Mapping[str, str] = {"context": "workflow", "args": "task", "kwargs": "task", "queue": "task"}
"""Fields that go with one kind only."""

_NOTHING_TO_UNDO = dict.fromkeys(("approval", "wait"), frozenset({"compensate"}))
_ABOUT_ANSWERS = ("callback", "poll")
_BESIDE: Mapping[str, frozenset[str]] = {
    **_NOTHING_TO_UNDO,
    "callback": frozenset({"poll"}),
    "poll": frozenset({"success"}),
}


def schema_of_fields_together(kinds: Sequence[str]) -> dict[str, Json]:
    """What the JSON Schema says of pairs of fields, of a step or of what undoes one; it is one of these `kinds`."""
    refused = {name: REFUSED.get(name, frozenset()) | _BESIDE.get(name, frozenset()) for name in {*REFUSED, *_BESIDE}}
    wanted = {**BELONG, **dict.fromkeys(_ABOUT_ANSWERS, "targetUrl")}
    dependent: dict[str, Json] = {
        name: {"properties": dict.fromkeys(sorted(others), False)}
        for name, others in sorted(refused.items())
        if name in kinds or name in _ABOUT_ANSWERS
    }
    if "workflow" in kinds:
        # The context of an item's workflow is its item, as a rule; nothing says so by itself.
        dependent["workflow"] |= {"if": {"required": ["forEach"]}, "then": {"required": ["context"]}}
    return {
        "oneOf": [{"required": [kind]} for kind in kinds],
        "dependentRequired": {name: [owner] for name, owner in wanted.items() if owner in kinds},
        "dependentSchemas": dependent,
    }
