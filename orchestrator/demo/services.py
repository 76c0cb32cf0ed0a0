"""The example services as one small Flask app: payment, shipping, e-mail, accounts, reports, a bank, a journal.

They are other people's services, played for the demo; that is why Flask is used here, outside `web`. Each endpoint is
`POST /api/steps/<name>`. `GET /books` shows what was done, `PUT /faults` makes endpoints fail, and webhooks may be sent
to `/hooks/<name>`.

Run them with `python -m orchestrator.demo.services --port 9000`.
"""

import sys
import time
from contextlib import suppress

import click
from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from orchestrator.demo.books import Booking, Books, Caller, KeyReused
from orchestrator.demo.faults import Faults, Misbehaviour
from orchestrator.demo.guarded import LIFE, Tokens
from orchestrator.demo.later import Reports, tell_later
from orchestrator.demo.steps import ENDPOINTS, Endpoint, Order, Refused
from orchestrator.errors import FaultyInput, Unavailable
from orchestrator.jsontype import Json
from orchestrator.supervisor import check_port

HOOKS = "shop"
"""Whose book the webhooks are noted in."""

_SERVICES = (*dict.fromkeys(endpoint.service for endpoint in ENDPOINTS.values()), HOOKS)


def create_app(pace: float = 1.0) -> Flask:
    """The app with books of its own. `pace` multiplies the usual delays; 0 answers at once."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    books, faults, reports, tokens = Books(), Faults(ENDPOINTS), Reports(pace), Tokens()

    @app.post("/api/steps/<name>")
    def step(name: str) -> tuple[Response, int]:
        endpoint = ENDPOINTS.get(name)
        if endpoint is None:
            return _error(404, f"no such endpoint: {name}; there are {', '.join(ENDPOINTS)}")
        if endpoint.guard is not None and not tokens.let_in(endpoint.guard, request.headers):
            return _error(401, f"{name} does not know who you are: a {endpoint.guard} is wanted")
        answered, status = _serve(name, endpoint, books, faults.take(name), pace)
        if status == 200 and endpoint.later is not None:
            status = 202
            _promise(endpoint.later, answered, reports, pace)
        return answered, status

    @app.get("/")
    def index() -> Response:
        return jsonify({"endpoints": [f"/api/steps/{name}" for name in ENDPOINTS], "see": ["/books", "/faults"]})

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[Response, int]:
        return _error(error.code or 500, error.description or error.name)

    app.register_blueprint(_book_pages(books))
    app.register_blueprint(_fault_pages(faults))
    app.register_blueprint(_other_pages(books, reports, tokens))
    return app


def _promise(later: str, answered: Response, reports: Reports, pace: float) -> None:
    """Say where to ask for what was begun, or tell the caller by oneself."""
    given = answered.get_json()
    if later == "asked":
        answered.headers["Location"] = f"/reports/{given['reportId']}"
        reports.begin(given["reportId"])
    elif url := request.headers.get("X-Callback-Url"):
        payload = {"workflowId": request.headers.get("X-Workflow-Id"), "step": request.headers.get("X-Step")}
        told = {"payload": payload, "result": given}
        tell_later(url, request.headers.get("X-Callback-Token", ""), told, seconds=pace)


def _other_pages(books: Books, reports: Reports, tokens: Tokens) -> Blueprint:
    bp = Blueprint("others", __name__)

    @bp.get("/reports/<report>")
    def how_a_report_stands(report: str) -> Response | tuple[Response, int]:
        found = reports.state(report)
        return _error(404, f"no such report: {report}") if found is None else jsonify(found)

    @bp.post("/oauth/token")
    def granted() -> Response | tuple[Response, int]:
        token = tokens.grant(request.authorization, request.form)
        if token is None:
            return jsonify({"error": "invalid_client"}), 401
        return jsonify({"access_token": token, "token_type": "Bearer", "expires_in": LIFE})

    @bp.post("/hooks/<name>")
    def told(name: str) -> tuple[str, int]:
        said = request.get_json(force=True, silent=True)
        about = said.get("data") if isinstance(said, dict) else None
        workflow_id = about.get("workflowId") if isinstance(about, dict) else None
        caller = Caller(HOOKS, f"hook-{name}", workflow_id, request.headers.get("webhook-id"))
        books.once(caller, said, lambda: Booking(None))
        return "", 204

    return bp


def _book_pages(books: Books) -> Blueprint:
    bp = Blueprint("books", __name__)

    @bp.get("/books")
    def all_books() -> Response:
        return jsonify({service: books.entries(service) for service in _SERVICES})

    @bp.get("/books/<service>")
    def one_book(service: str) -> Response | tuple[Response, int]:
        if service not in _SERVICES:
            return _error(404, f"no such service: {service}")
        return jsonify(books.entries(service))

    @bp.delete("/books")
    def forget() -> tuple[str, int]:
        books.clear()
        return "", 204

    return bp


def _fault_pages(faults: Faults) -> Blueprint:
    bp = Blueprint("faults", __name__)

    @bp.get("/faults")
    def shown() -> Response:
        return jsonify(faults.as_json())

    @bp.put("/faults")
    def told() -> Response | tuple[Response, int]:
        try:
            faults.set(request.get_json(force=True, silent=True))
        except FaultyInput as refused:
            return _error(422, str(refused))
        return jsonify(faults.as_json())

    @bp.delete("/faults")
    def forgiven() -> tuple[str, int]:
        faults.clear()
        return "", 204

    return bp


def _serve(name: str, endpoint: Endpoint, books: Books, fault: Misbehaviour, pace: float) -> tuple[Response, int]:
    """One call: wait, fail where told to, else book once for each key and answer."""
    payload = request.get_json(force=True, silent=True)
    workflow_id = _workflow_id(payload)
    caller = Caller(endpoint.service, name, workflow_id, request.headers.get("Idempotency-Key"))
    time.sleep(endpoint.takes * pace + fault.delay)
    if fault.fail and not fault.after:
        return _fail(books, caller, fault)
    if not isinstance(payload, dict):
        return _refuse(books, caller, Refused(422, "the body must be a JSON object"))
    try:
        answer, replayed = books.once(caller, payload, lambda: endpoint.perform(Order(payload, workflow_id, books)))
    except KeyReused:
        return _refuse(books, caller, Refused(422, "this Idempotency-Key came before with another body"))
    except Refused as refused:
        return _refuse(books, caller, refused)
    if fault.fail:
        return _fail(books, caller, fault)
    response = jsonify(answer)
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response, 200


def _workflow_id(payload: Json) -> str | None:
    named = payload.get("workflowId") if isinstance(payload, dict) else None
    return named if isinstance(named, str) else request.headers.get("X-Workflow-Id")


def _fail(books: Books, caller: Caller, fault: Misbehaviour) -> tuple[Response, int]:
    books.note(caller, "failed", status=fault.status)
    response, status = _error(fault.status, f"{caller.service} is not well just now")
    if fault.retryAfter is not None:
        response.headers["Retry-After"] = f"{fault.retryAfter:g}"
    return response, status


def _refuse(books: Books, caller: Caller, refused: Refused) -> tuple[Response, int]:
    books.note(caller, "refused", status=refused.status, reason=str(refused))
    return _error(refused.status, str(refused))


def _error(status: int, message: str) -> tuple[Response, int]:
    return jsonify({"error": message}), status


class _Quiet(WSGIRequestHandler):
    """The books are the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write no line for a request."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--pace", default=1.0, show_default=True, type=click.FloatRange(0, 100), help="Multiplies all delays.")
def main(host: str, port: int, pace: float) -> None:
    """Run the example services until a signal ends them."""
    try:
        check_port(host, port)
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    server = make_server(host, port, create_app(pace), threaded=True, request_handler=_Quiet)
    click.echo(f"example services on http://{host}:{port}")
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
