"""What a user of this project writes: a definition. And how it is started: as the web process does it."""

from functools import cache

from benchmarks.shapes import Shape
from orchestrator.admission import Wish, admit
from orchestrator.definition import Definition
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.starter import Starter
from orchestrator.reading import read_document
from orchestrator.sealing import Sealer
from orchestrator.settings import Settings
from tasks import step
from tasks.dispatch import FEW, Dispatch


@cache
def _starter() -> Starter:
    return Starter(Ledger(Database(Settings.from_environment().database_url)))


@cache
def _dispatch() -> Dispatch:
    return Dispatch(step, at_once=FEW, by_pattern=True)


@cache
def _sealer() -> Sealer:
    return Sealer(Settings.from_environment().key().split(","))


@cache
def definition(base: str, shape: Shape) -> Definition:
    """The shape's steps, each of which is sent what every peer sends."""
    return read_document({"type": shape.name, "steps": {step: _step(base, shape, step) for step in shape.before}})


def _step(base: str, shape: Shape, step: str) -> Json:
    waited = shape.before[step]
    payload = {"workflowId": "${workflow.id}", "step": step, "previous": None}
    if waited:
        payload["previous"] = f"${{steps.{waited[0]}.result.id}}"
    return {"targetUrl": f"{base}/{step}", "payload": payload, "waitFor": list(waited)}


def start(base: str, shape: Shape) -> None:
    """Start one workflow."""
    drawn = definition(base, shape)
    _dispatch()(_starter().start(drawn, admit(drawn, Wish({}, "benchmark"), _sealer())).publication)
