"""A finished workflow → a script with the answers that it really had, to be tried on a changed definition.

The ledger keeps results, not answers: a step that has `result` in its definition is recorded with that. Sensitive
fields stay masked. What is expected is what the workflow's own definition makes of these answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from orchestrator.definition import Call, Definition
from orchestrator.jsontype import Json
from orchestrator.testkit.case import Case
from orchestrator.testkit.play import play, reads_of
from orchestrator.testkit.run import Run
from orchestrator.testkit.script import case_of
from orchestrator.workflow import UNDO, index_of, step_of

_ENDS = ("step.completed", "step.retrying", "step.failed", "step.lost")
_SILENCES = {
    "timeout": "timeout",
    "dropped": "drop",
    "refused": "refuse",
    "dns": "refuse",
    "connect": "refuse",
    "tls": "refuse",
}
_ORDERS = {
    "workflow.cancelRequested": "cancel",
    "workflow.paused": "pause",
    "workflow.resumed": "resume",
    "workflow.retried": "retry",
}
_WORTH_SAYING = 100
"""Milliseconds that a call must take for its delay to be recorded."""


def recorded(definition: Definition, view: Json, events: Sequence[Json], variables: Mapping[str, str]) -> Json:
    """The script, as JSON. `view` and `events` are what the API answers about the workflow."""
    written = {
        "context": view["context"],
        "vars": {name: variables[name] for name in sorted(reads_of(definition).vars) if name in variables},
        "answers": _answers(definition, view, events),
        "orders": list(_orders(view, events)),
    }
    written = {name: value for name, value in written.items() if value}
    run = play(definition, _case(written, definition))
    expect = expected_of(run)
    return {
        "definition": f"{definition.type}.yaml",
        "tests": {f"as workflow {view['workflowId']} went": {**written, "expect": expect}},
    }


def differs(script: Json, view: Json) -> list[str]:
    """Where the recorded case, played, does not end as the workflow did: what no script can say has happened to it."""
    [case] = script["tests"].values()
    expect = case["expect"]
    found = [] if expect["status"] == view["status"] else [f"the workflow: {view['status']}, not {expect['status']}"]
    for step in view["steps"]:
        if (played := expect["steps"].get(step["name"])) != step["status"]:
            found.append(f"{step['name']}: {step['status']}, not {played}")
    return found


def expected_of(run: Run) -> Json:
    """All that can be expected of a run, as a script says it."""
    expect: dict[str, Json] = {"status": run.status, "steps": dict(run.steps)}
    if run.compensation != "none":
        expect["compensation"] = run.compensation
    if run.output is not None:
        expect["output"] = run.output
    expect |= {"order": run.order, "undone": run.undone}
    expect["calls"] = {step: _calls(run, step) for step in run.steps}
    return expect


def _calls(run: Run, step: str) -> Json:
    calls = run.calls_of(step)
    if not calls:
        return 0
    told = {"count": len(calls), "method": calls[0].method, "url": calls[0].url}
    same = all(call.payload == calls[0].payload for call in calls)
    return told if calls[0].payload is None or not same else {**told, "payload": calls[0].payload}


def _case(written: Json, definition: Definition) -> Case:
    return case_of({**written, "expect": {}}, definition)


def _answers(definition: Definition, view: Json, events: Sequence[Json]) -> dict[str, Json]:
    results = {step["name"]: step["result"] for step in view["steps"]}
    answers: dict[str, list[Json]] = {}
    for event in events:
        # Without a URL no call was made: its time was over, or it could not be filled in.
        if event["type"] in _ENDS and (event["type"] == "step.lost" or "url" in event["details"]):
            answer = _answer(definition, event, _result_of(event["step"], results))
            answers.setdefault(event["step"], []).append(answer)
    return {step: made[0] if len(made) == 1 else made for step, made in answers.items()}


def _result_of(row: str, results: Mapping[str, Json]) -> Json:
    """The result of a step, or of an item of one; the ledger keeps none of an undo."""
    result = results.get(step_of(row)) if not row.endswith(UNDO) else None
    if step_of(row) == row or not isinstance(result, list):
        return result
    return result[index_of(row)] if index_of(row) < len(result) else None


def _answer(definition: Definition, event: Json, result: Json) -> Json:
    details = event["details"]
    delay = {"delay": f"{details['durationMs']}ms"} if details.get("durationMs", 0) >= _WORTH_SAYING else {}
    if event["type"] == "step.lost":
        return {"drop": True}
    if event["type"] == "step.completed":
        call = _call(definition, event["step"])
        name = "body" if call.result is None else "result"
        return {"status": details["status"], **({} if result is None else {name: result}), **delay}
    error = details["error"]
    if error["kind"] in _SILENCES:
        return {_SILENCES[error["kind"]]: True, **({} if error["kind"] == "timeout" else delay)}
    return {"status": error.get("status", 500), **delay}


def _call(definition: Definition, row: str) -> Call:
    step = definition.steps[step_of(row)]
    return step.compensate if row.endswith(UNDO) and step.compensate is not None else step.call


def _orders(view: Json, events: Sequence[Json]) -> Iterator[Json]:
    began = datetime.fromisoformat(view["createdAt"])
    for event in events:
        if event["type"] in _ORDERS:
            seconds = (datetime.fromisoformat(event["at"]) - began).total_seconds()
            yield {"at": max(seconds, 0.0), "order": _ORDERS[event["type"]]}
