"""A client of the API and, behind the desk, somebody who plays the workers: no Celery, no services, the real ledger."""

from collections.abc import Mapping
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from orchestrator.api_keys import api_key
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from orchestrator.ledger.presence import beat
from orchestrator.ledger.tables import workflows
from orchestrator.moves.move import Claim, Settle
from orchestrator.moves.settling import Settled
from orchestrator.outcome import Completed, Failed, Outcome, StepError
from orchestrator.reading import read_document, read_folder
from orchestrator.sealing import Sealer
from orchestrator.setting_texts import login_header as read_login_header
from orchestrator.setting_texts import networks, rate
from orchestrator.settings import Settings
from orchestrator.states import Effect
from orchestrator.workflow import Publication
from web import create_app

WORKFLOWS = Path(__file__).parents[3] / "workflows"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ORDER = {"amount": 42.5, "card": "4242-4242", "address": "12 St James's Square", "email": "ada@example.com"}
REFUSED = Failed(StepError("http", "answered 402", 402), Effect.NONE, retryable=False)
BUSY = Failed(StepError("http", "answered 503", 503), Effect.NONE, retryable=True)

# What the two bundled workflows do not have: an entry of its own shape, references in `input`, fields below fields.
ODD = {
    "type": "odd",
    "entry": "/api/odd/one.2",
    "input": {
        "type": "object",
        "required": ["who"],
        "properties": {"who": {"$ref": "#/$defs/name"}, "plan": {"enum": ["a", "b"]}, "secret": {"type": "object"}},
        "additionalProperties": False,
        "$defs": {"name": {"anyOf": [{"type": "string", "pattern": "^[a-z]+$"}, {"type": "integer", "minimum": 1}]}},
    },
    "sensitive": ["context.secret.pin"],
    "steps": {"only": {"targetUrl": "http://services/only", "compensate": {"targetUrl": "http://services/undo"}}},
    "output": "${steps.only.result}",
}


class Desk:
    """The app over a database, its client, and what the app wanted sent."""

    def __init__(
        self,
        database_url: str,
        folder: Path,
        api_keys: tuple[str, ...] = (),
        start_rate: str | None = None,
        login_header: str | None = None,
    ) -> None:
        settings = Settings(
            database_url=database_url,
            redis_url="redis://127.0.0.1:1/0",
            definitions=WORKFLOWS,
            data=folder,
            encryption_key=KEY,
            api_keys=tuple(api_key(key) for key in api_keys),
            login_header=None if login_header is None else read_login_header(login_header),
            login_proxies=networks("10.0.0.5, 10.1.0.0/16"),
            start_rate=None if start_rate is None else rate(start_rate),
        )
        odd = read_document(ODD)
        self.sent: list[Publication] = []
        self.database = Database(database_url)
        migrate(self.database)
        self.ledger = Ledger(self.database)
        self.app: Flask = create_app(
            settings,
            ledger=self.ledger,
            definitions={**read_folder(WORKFLOWS), odd.type: odd},
            publish=self.sent.append,
        )
        self.client: FlaskClient = self.app.test_client()

    def post(self, path: str, body: Json = None, **headers: str) -> TestResponse:
        """POST JSON (nothing where there is no body); `Idempotency_Key="k"` sends that header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, headers=named, **({} if body is None else {"json": body}))

    def get(self, path: str, **query: str) -> Json:
        """What a GET answers, which must be a success."""
        answer = self.client.get(path, query_string=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json

    def start(self, context: Mapping[str, Json] = ORDER, entry: str = "/api/process-order", **headers: str) -> str:
        """Start a workflow; gives back its id."""
        answer = self.post(entry, dict(context), **headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json["workflowId"])

    def show(self, workflow_id: str, **query: str) -> Json:
        """The workflow."""
        return self.get(f"/api/workflows/{workflow_id}", **query)

    def step(self, workflow_id: str, name: str) -> Json:
        """One of its steps."""
        return next(step for step in self.show(workflow_id)["steps"] if step["name"] == name)

    def order(self, workflow_id: str, verb: str, **query: str) -> TestResponse:
        """What a person orders."""
        return self.client.post(f"/api/workflows/{workflow_id}/{verb}", query_string=query or None)

    def claim(self, workflow_id: str, step: str) -> None:
        """A living worker takes the step."""
        beat(self.ledger, "worker-1", "here", 1)
        self.ledger.make([Claim(workflow_id, step, "worker-1")])

    def make(self, workflow_id: str, step: str, outcome: Outcome) -> Settled | None:
        """A worker takes the step, and this comes of it."""
        self.claim(workflow_id, step)
        attempts = self._attempts(workflow_id, step)
        [made] = self.ledger.make([Settle(workflow_id, step, attempts, outcome, 0.5)])
        return made.reply

    def complete(self, workflow_id: str, **results: Json) -> None:
        """These steps complete, one after the other."""
        for step, result in results.items():
            self.make(workflow_id, step, Completed(result, 200))

    def sealed(self, workflow_id: str) -> Json:
        """The sensitive fields, as the holder of the key reads them."""
        with self.database.reading() as connection:
            query = select(workflows.c.sealed).where(workflows.c.id == workflow_id)
            return Sealer([KEY]).open(connection.execute(query).scalar_one())

    def _attempts(self, workflow_id: str, step: str) -> int:
        name, _, undo = step.partition(":")
        shown = self.step(workflow_id, name)
        return int(shown["compensation"]["attempts"] if undo else shown["attempts"])

    def close(self) -> None:
        """Give the database back."""
        self.database.close()
