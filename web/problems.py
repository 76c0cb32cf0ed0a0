"""Every error as `application/problem+json` (RFC 9457), every fault named with its place."""

from collections.abc import Iterable
from http import HTTPStatus

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed

from orchestrator.errors import (
    Conflict,
    ContextError,
    DefinitionError,
    Fault,
    FaultyInput,
    NotFound,
    OrchestratorError,
    StartKeyReused,
    Unavailable,
)
from orchestrator.jsontype import Json

RETRY_AFTER = "2"

# The first that fits counts. What is not here is no client's mistake.
_STATUS: tuple[tuple[type[OrchestratorError], int], ...] = (
    (ContextError, 422),
    (DefinitionError, 422),
    (FaultyInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (StartKeyReused, 422),
    (Unavailable, 503),
)


def register(app: Flask) -> None:
    """Answer errors of every kind."""
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(OrchestratorError, _of_ours)


def problem(status: int, detail: str, faults: Iterable[Fault] = ()) -> Response:
    """One problem. `faults` are listed beside the sentence that says what is wrong on the whole."""
    told: dict[str, Json] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if listed := [_fault(fault) for fault in faults]:
        told["faults"] = listed
    return Response(json.dumps(told), status, mimetype="application/problem+json")


def answer_to(error: Exception) -> Response:
    """The problem that an error is answered with. Raises the error itself where it is ours to mend."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, OrchestratorError):
        return _of_ours(error)
    raise error


def _of_ours(error: OrchestratorError) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
    if status is None:
        raise error  # ours to mend: logged, and a 500 without detail
    if isinstance(error, FaultyInput):
        return problem(status, _counted(len(error.faults)), error.faults)
    if isinstance(error, Unavailable):
        # What the database's driver said names hosts and users.
        response = problem(status, "the ledger cannot be reached just now; nothing was changed, try again")
        response.headers["Retry-After"] = RETRY_AFTER
        return response
    return problem(status, str(error))


def _of_http(error: HTTPException) -> Response:
    response = problem(error.code or 500, _detail(error))
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _detail(error: HTTPException) -> str:
    if isinstance(error, InternalServerError):
        return "the orchestrator failed to answer; its log says why"
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} is not for {request.path}; allowed: {', '.join(sorted(error.valid_methods or ()))}"
    if error.code == 404:
        return f"there is no {request.path}; /api/docs lists what there is"
    return error.description or ""


def _counted(faults: int) -> str:
    return "one fault" if faults == 1 else f"{faults} faults"


def _fault(fault: Fault) -> Json:
    told: dict[str, Json] = {"place": fault.place, "message": fault.message}
    if fault.line is not None:
        told["line"] = fault.line
    return told
