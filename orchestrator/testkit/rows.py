"""Rows in memory that moves are applied to exactly as `orchestrator.ledger.book` applies them to tables.

The moves get copies, by name; only what a move says it changed or added is written back, and the workflow's own row
only where it changed. So a move that changes a step without `Workflow.change` loses its write here as there.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from orchestrator.definition import Call, Definition
from orchestrator.jsontype import Json
from orchestrator.ledger.collecting import collected
from orchestrator.moves.move import Move
from orchestrator.moves.starting import first_steps
from orchestrator.workflow import (
    OF_ITEMS,
    UNCHANGED,
    Event,
    Head,
    Kind,
    Limited,
    Loader,
    Publication,
    StepState,
    Workflow,
    step_of,
)

Reply = TypeVar("Reply")

WORKFLOW = "w"
"""The one workflow's id, where nobody says another."""


class Rows:
    """The ledger of one workflow. `results`, `errors` and `items` hold what the moves write and never read."""

    def __init__(self, definition: Definition, workflow_id: str = WORKFLOW) -> None:
        self.definition = definition
        self.workflow_id = workflow_id
        self.head: Head
        self.steps: dict[str, StepState] = {}
        self.results: dict[str, Json] = {}
        self.errors: dict[str, Json] = {}
        self.items: dict[str, Json] = {}
        self.events: list[tuple[float, Event]] = []
        self.limited: Limited = _alone

    def start(self, now: float, context: Json = None, sealed: str | None = None) -> Publication:
        """Write the workflow as `orchestrator.ledger.starting` does. `context` has its sensitive fields masked."""
        steps, publication = first_steps(self.workflow_id, self.definition, now)
        deadline = None if self.definition.deadline is None else now + self.definition.deadline
        self.head = Head(self.workflow_id, self.definition.type, self.definition.version, now, unsettled=len(steps))
        self.head.context, self.head.sealed = context, sealed
        self.head.deadline_at = self.head.wake_at = deadline
        self.steps = {step.name: _stored(step) for step in steps}
        return publication

    def make(self, moves: Sequence[Move[Reply]], now: float) -> list[tuple[Reply, Publication]]:
        """Apply the moves in one transaction; an exception leaves everything as it was."""
        workflow = self.opened(moves)
        made = [(move.make(workflow, now), workflow.take_publication()) for move in moves]
        self.write(workflow, now)
        return made

    def opened(self, moves: Sequence[Move[Reply]]) -> Workflow:
        """The workflow as it stands, with the steps that the moves will touch."""
        workflow = Workflow(replace(self.head), self.definition, self._loader(), self.limited)
        names = {name for move in moves for name in move.touches(self.definition)}
        if names:
            workflow.have(self._loader()(names))
        return workflow

    def write(self, workflow: Workflow, now: float) -> None:
        """Keep what the moves changed, added and recorded."""
        self.write_steps(workflow)
        self.write_rest(workflow, now)

    def write_rest(self, workflow: Workflow, now: float) -> None:
        """The workflow's own row and the events: after the steps, which an output reads."""
        if workflow.head_changed:
            self.head = replace(workflow.head)
        self.events.extend((now, event) for event in workflow.events)

    def write_steps(self, workflow: Workflow) -> None:
        """The steps that were changed or added."""
        # Who collects the results of items comes last.
        for name, step in sorted(workflow.changed.items(), key=lambda one: one[1].result is OF_ITEMS):
            assert name in self.steps, f"{name} is changed, but has no row"
            self._keep(name, step)
        for name, step in workflow.added.items():
            assert name not in self.steps, f"{name} is added, but has a row already"
            self._keep(name, step)

    def _loader(self) -> Loader:
        def load(names: Collection[str] | None) -> Iterable[StepState]:
            wanted = list(self.steps) if names is None else [name for name in names if name in self.steps]
            return [_stored(self.steps[name]) for name in wanted]

        return load

    def _keep(self, name: str, step: StepState) -> None:
        self.steps[name] = _stored(step)
        if step.result is OF_ITEMS:
            rows = [row for row in self.steps.values() if row.kind is Kind.ITEM and step_of(row.name) == name]
            step.result, step.error = collected((row.name, row.status, self.results.get(row.name)) for row in rows)
        for kept, written in ((self.results, step.result), (self.errors, step.error), (self.items, step.item)):
            if written is not UNCHANGED:
                kept[name] = written


def _alone(_: Call) -> bool:
    """Nobody else calls: limits bind nothing."""
    return False


def _stored(step: StepState) -> StepState:
    """A row as it comes back from a table: a copy, without what is written but never loaded."""
    following: Json = None if step.following is None else json.loads(json.dumps(step.following))
    return replace(step, following=following, item=UNCHANGED, result=UNCHANGED, error=UNCHANGED)
