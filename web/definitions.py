"""The definitions that can be started, and a check for those that are still being written."""

import re

from flask import Blueprint, Response, jsonify, request

from orchestrator.definition import Definition, Step
from orchestrator.errors import NotFound
from orchestrator.jsontype import Json
from orchestrator.ledger.views import kept_definition
from orchestrator.reading import read_definition
from orchestrator.wants import doubts, unset_variables
from web.bodies import is_json, text
from web.parameters import DEFINITION, NONE, query
from web.parts import parts

bp = Blueprint("definitions", __name__, url_prefix="/api/definitions")


@bp.get("")
def listed() -> Response:
    """Every definition in brief."""
    query(NONE)
    return jsonify(definitions=[_brief(definition) for definition in parts().definitions.values()])


@bp.get("/<workflow_type>")
def one(workflow_type: str) -> Response:
    """One definition with its steps and its whole document."""
    version = query(DEFINITION).get("version")
    return jsonify(_whole(found(workflow_type, version)))


@bp.post("/validate")
def validated() -> Response:
    """Whether a definition (JSON, or YAML as any other text) is right; a 422 lists every fault with its line.

    What is right and may not be meant is told too. Variables are named, never shown.
    """
    query(NONE)
    definition = read_definition(text(), "definition.json" if is_json() else "definition.yaml")
    told = doubts(definition)
    told += [f"{name} is not set where the API runs" for name in unset_variables([definition], parts().settings)]
    return jsonify({"valid": True, **_brief(definition), "doubts": told})


def found(workflow_type: str, version: str | None) -> Definition:
    """The definition on disk, or the version that the ledger keeps. Raises NotFound."""
    known = parts().definitions.get(workflow_type)
    if known is not None and version in (None, known.version):
        return known
    if version is None:
        raise NotFound(
            f"there is no definition of type {workflow_type}; {request.script_root}/api/definitions lists them"
        )
    if re.fullmatch("[0-9a-f]{64}", version) is None or "\0" in workflow_type:
        raise NotFound("a version is a SHA-256 of 64 hexadecimal digits, as `definitionVersion` of a workflow shows it")
    return kept_definition(parts().ledger, workflow_type, version)


def _brief(definition: Definition) -> dict[str, Json]:
    return {
        "type": definition.type,
        "version": definition.version,
        "entry": definition.entry,
        "description": definition.description,
        "steps": list(definition.steps),
    }


def _whole(definition: Definition) -> Json:
    return {
        **_brief(definition),
        "steps": [_step(definition, step) for step in definition.steps.values()],
        "input": definition.input,
        "sensitive": definition.sensitive,
        "deadline": definition.deadline,
        "compensation": definition.compensation,
        "document": definition.document,
    }


def _step(definition: Definition, step: Step) -> Json:
    return {
        "name": step.name,
        "waitFor": step.after,
        "next": [] if step.name in definition.stands_in_for else definition.successors(step.name),
        "method": step.call.method,
        "targetUrl": step.call.target_url.source,
        "timeout": step.call.timeout,
        "retries": step.call.retry.retries,
        "optional": step.optional,
        "fallback": step.fallback,
        "fallbackOf": definition.stands_in_for.get(step.name),
        "compensated": step.compensate is not None,
    }
