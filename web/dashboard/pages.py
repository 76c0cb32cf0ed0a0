"""How each page is rendered: with headers that allow nothing but our own files, and problems as pages of their own."""

from http import HTTPStatus
from typing import cast

from flask import Blueprint, Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException, NotFound

from orchestrator.errors import OrchestratorError
from orchestrator.jsontype import Json
from web.problems import answer_to

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def page(template: str, status: int = 200, **values: Json) -> Response:
    """A page of `templates/dashboard`."""
    response = make_response(render_template(f"dashboard/{template}", **values), status)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def register(app: Flask, bp: Blueprint) -> None:
    """Show problems of the dashboard's own views as pages, and addresses that lead nowhere to who reads HTML."""
    bp.register_error_handler(HTTPException, _problem_page)
    bp.register_error_handler(OrchestratorError, _problem_page)
    app.register_error_handler(NotFound, _nowhere)


def _nowhere(error: HTTPException) -> Response:
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    if request.blueprints[-1:] == ["dashboard"] or (best == "text/html" and not request.path.startswith("/api/")):
        return _problem_page(error)
    return answer_to(error)


def _problem_page(error: Exception) -> Response:
    """What the API would answer, as a page."""
    answer = answer_to(error)
    told = cast(dict[str, Json], answer.get_json())
    if answer.status_code == HTTPStatus.NOT_FOUND and isinstance(error, HTTPException):
        told["detail"] = f"There is no page {request.path}."
    response = page("problem.html", answer.status_code, problem=told)
    for name in ("Retry-After", "Allow"):
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    return response
