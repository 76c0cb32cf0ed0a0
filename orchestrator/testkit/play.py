"""One workflow from its start to its end, on a clock that is put forward to whatever comes next."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cryptography.fernet import Fernet

from orchestrator.admission import Wish, admit
from orchestrator.callbacks import Callbacks, Tokens
from orchestrator.definition import Definition
from orchestrator.errors import Conflict, ContextError
from orchestrator.expressions import References
from orchestrator.jsontype import Json
from orchestrator.ledger.materials import Gathering, Materials
from orchestrator.ledger.outputs import names_read, rendered
from orchestrator.ledger.scopes import ItemSeen, step_seen, steps_seen
from orchestrator.making import Delegate, outcome_of
from orchestrator.moves.answering import Answered
from orchestrator.moves.claiming import Claimed, Refusal
from orchestrator.moves.move import Claim, Control, Look, Move, Settle
from orchestrator.moves.settling import Settled
from orchestrator.outcome import Completed, Outcome
from orchestrator.request import Surroundings
from orchestrator.sealing import MASK, Sealer, split
from orchestrator.states import StepStatus, WorkflowStatus
from orchestrator.testkit.broker import Broker, Message
from orchestrator.testkit.case import UNSAID, Case, Scripted
from orchestrator.testkit.gates import ClaimTurn, Gates
from orchestrator.testkit.later import awaits_an_answer, said_of
from orchestrator.testkit.others import Others
from orchestrator.testkit.rows import Rows
from orchestrator.testkit.run import Run
from orchestrator.testkit.services import Services
from orchestrator.workflow import Event, Publication, Workflow, limited

MOST_TURNS = 1_000_000
"""Things that may happen before a workflow that does not end is said to go on for ever."""

BEGIN = 1_767_225_600.0
"""Every workflow begins at 2026-01-01T00:00:00Z."""

ID = "00000000-0000-7000-8000-000000000000"
"""Every workflow's id: keys and requests that are made of it are the same in every run."""

_GOES_ON = {Settled.COMPLETED, Settled.SKIPPED, Settled.TOLERATED, Refusal.PASSED}
_LONGEST = 1.0
"""The share of a retry delay that is waited: all of it, so that nothing is left to chance."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """An attempt whose call has been made; its outcome is recorded at `ends_at`, what is `said` so long after it."""

    message: Message
    attempt: int
    outcome: Outcome
    called: dict[str, Json]
    ends_at: float
    said: tuple[tuple[float, Move[Answered]], ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A step's row as expressions read it."""

    status: str
    result: Json
    error: Json
    attempts: int
    completed_at: float | None


def play(definition: Definition, case: Case) -> Run:
    """What becomes of the workflow. Its expectation is not looked at."""
    sealer = Sealer([Fernet.generate_key().decode()])
    try:
        admit(definition, Wish(case.context, actor="test"), sealer)
    except ContextError as error:
        # A recorded context has masks in the place of what is sensitive: they need not fit what it had to.
        if faults := [fault for fault in error.faults if _at(case.context, fault.place) != MASK]:
            return Run(definition, "refused", faults=faults)
    context, sensitive = split(case.context, definition.sensitive)
    stage = _Stage(definition, case, sealer)
    stage.publish(stage.rows.start(BEGIN, context, sealer.seal(sensitive)))
    stage.go_on()
    return stage.run()


def _at(context: Json, place: str) -> Json:
    for name in place.split(".")[1:]:
        context = context.get(name) if isinstance(context, dict) else None
    return context


class _Stage:
    """The workflow's rows, its messages, its services, and the clock."""

    def __init__(self, definition: Definition, case: Case, sealer: Sealer) -> None:
        self.definition = definition
        self.rows = Rows(definition, ID)
        self.caller = Services(case.answers)
        reads = reads_of(definition)
        self.delegates: tuple[Delegate, ...] = (Others(self.caller),)
        self.around = Surroundings(
            {**{name: stand_in(name) for name in reads.vars}, **case.variables},
            {**{name: f"secret-{name}" for name in reads.secrets}, **case.secrets},
            sealer,
            Callbacks(stand_in("ORCHESTRATOR"), Tokens((Fernet.generate_key().decode(),))),
        )
        self._orders = sorted(case.orders, key=lambda order: order.at)
        self._broker = Broker()
        self._gates = Gates(self.around)
        self.rows.limited = limited
        self._flights: list[_Flight] = []
        self._said: list[tuple[float, Move[Answered]]] = []
        self._output: Json = None
        self._now = BEGIN

    def publish(self, publication: Publication) -> None:
        """Messages on their way."""
        self._broker.publish(publication)

    def go_on(self) -> None:
        """Until nothing can happen any more."""
        for _ in range(MOST_TURNS):
            if self._broker.bag:
                self._deliver(self._broker.bag.pop(0))
            elif (following := self._following()) is not None:
                at, happen = following
                self._now = max(self._now, at)
                happen()
            else:
                return
        raise RuntimeError(f"the workflow goes on for ever: {self.rows.head}")

    def run(self) -> Run:
        """All that there is to say in the end."""
        head = self.rows.head
        return Run(
            self.definition,
            head.status.value,
            compensation=head.compensation.value,
            output=self._output,
            error=head.error,
            steps={name: step.status.value for name, step in self.rows.steps.items()},
            calls=tuple(self.caller.calls),
            events=tuple((round(at - BEGIN, 3), event) for at, event in self.rows.events),
            took=round((head.completed_at or self._now) - BEGIN, 3),
        )

    def _following(self) -> tuple[float, Callable[[], None]] | None:
        """What comes next, and when. At the same moment an order comes first, then answers, then the reconciler."""
        possible: list[tuple[float, int, Callable[[], None]]] = []
        if self._orders:
            possible.append((BEGIN + self._orders[0].at, 0, self._order))
        if self._flights:
            flight = min(self._flights, key=lambda flight: flight.ends_at)
            possible.append((flight.ends_at, 1, lambda: self._settle(flight)))
        if self._said:
            said = min(self._said, key=lambda one: one[0])
            possible.append((said[0], 2, lambda: self._say(said)))
        wakes = [step.wake_at for step in self.rows.steps.values()] + [self.rows.head.wake_at]
        if (wakes_at := min((wake for wake in wakes if wake is not None), default=None)) is not None:
            possible.append((wakes_at, 3, self._look))
        if not possible:
            return None
        at, _, happen = min(possible, key=lambda one: one[:2])
        return at, happen

    def _deliver(self, message: Message) -> None:
        reply, workflow = self._make(Claim(ID, message.step, "test"))
        if reply is Refusal.LIMITED:
            step = workflow.step(message.step)
            asking = Gathering(workflow, Claimed(step, step.attempts + 1, self._now, 0.0)).with_steps(self)
            reply, workflow = self._make(ClaimTurn(ID, asking, self._gates, self.rows.steps))
        if isinstance(reply, Claimed):
            materials = Gathering(workflow, reply).with_steps(self)
            self._flights.append(self._called(message, materials))
        elif reply in _GOES_ON:
            self._broker.returned(message)

    def _called(self, message: Message, materials: Materials) -> _Flight:
        calls = len(self.caller.calls)
        self.caller.now = round(self._now - BEGIN, 3)
        outcome, called = outcome_of(materials, self, lambda: True)
        made = self.caller.calls[calls:]
        if made and made[0].answered.result is not UNSAID:
            outcome = Completed(made[0].answered.result, made[0].answered.status)
        took = made[0].took if made else 0.0
        said = self._later(materials, outcome, made[0].answered if made else None)
        return _Flight(message, materials.attempt, outcome, dict(called), self._now + took, said)

    def _later(
        self, materials: Materials, outcome: Outcome, answered: Scripted | None
    ) -> tuple[tuple[float, Move[Answered]], ...]:
        if not awaits_an_answer(outcome):
            return ()
        scripted = answered or self.caller.decided(materials.step.name)
        return tuple((later.after, said_of(materials, later, self.around, _LONGEST)) for later in scripted.later)

    def _say(self, said: tuple[float, Move[Answered]]) -> None:
        self._said.remove(said)
        self._make(said[1])

    def _settle(self, flight: _Flight) -> None:
        self._flights.remove(flight)
        move = Settle(ID, flight.message.step, flight.attempt, flight.outcome, _LONGEST, flight.called)
        reply, _ = self._make(move)
        self._said += [(self._now + after, move) for after, move in flight.said]
        for step, at in self._gates.ended(flight.message.step, flight.outcome, self._now).items():
            if self.rows.steps[step].status is StepStatus.WAITING:
                self.rows.steps[step].wake_at = at
        if reply in _GOES_ON:
            self._broker.returned(flight.message)

    def _look(self) -> None:
        due = [name for name, step in self.rows.steps.items() if step.wake_at is not None and step.wake_at <= self._now]
        for name in due:
            self._make(Look(ID, name))
        if self.rows.head.wake_at is not None and self.rows.head.wake_at <= self._now:
            self._make(Look(ID, None))

    def _order(self) -> None:
        order = self._orders.pop(0)
        try:
            self._make(Control(ID, order.verb, "test"))
        except Conflict as conflict:
            self.rows.events.append((self._now, Event("order.refused", details={"reason": str(conflict)})))

    def _make(self, move: Move[object]) -> tuple[object, Workflow]:
        """Apply the move, and send what it wants sent."""
        workflow = self.rows.opened([move])
        before = self.rows.head.status
        reply = move.make(workflow, self._now)
        self.rows.write_steps(workflow)
        if workflow.head.status is WorkflowStatus.COMPLETED and before is not WorkflowStatus.COMPLETED:
            self._output = self._rendered(workflow)
        self.rows.write_rest(workflow, self._now)
        self.publish(workflow.take_publication())
        return reply, workflow

    def _rendered(self, workflow: Workflow) -> Json:
        template = self.definition.output
        if template is None:
            return None
        steps = self.scope(ID, self.definition, names_read(self.definition, template))
        known = {"context": self.rows.head.context, "steps": steps, "vars": self.around.variables}
        return rendered(workflow, template, known)

    def scope(
        self, workflow_id: str, definition: Definition, names: Collection[str], before: float | None = None
    ) -> dict[str, Json]:
        """The named steps as expressions read them (`orchestrator.ledger.scopes.StepsRead`)."""
        return steps_seen(self._row, definition, names, before)

    def item(self, workflow_id: str, name: str) -> ItemSeen:
        """An item of a `forEach` (`orchestrator.ledger.scopes.StepsRead`)."""
        row = self._row(name)
        assert row is not None, f"there is no item {name}"
        return ItemSeen(self.rows.items.get(name), step_seen(row))

    def _row(self, name: str) -> _Seen | None:
        step = self.rows.steps.get(name)
        if step is None:
            return None
        result, error = self.rows.results.get(name), self.rows.errors.get(name)
        return _Seen(step.status, result, error, step.attempts, step.completed_at)


def stand_in(variable: str) -> str:
    """What `${vars.SERVICES_URL}` reads where a case does not say: `http://services-url.test`."""
    return f"http://{variable.lower().replace('_', '-')}.test"


def reads_of(definition: Definition) -> References:
    """Everything that its expressions read."""
    parts = [] if definition.output is None else [definition.output.references]
    for step in definition.steps.values():
        parts += [call.references for call in (step.call, step.compensate) if call is not None]
        parts += [] if step.when is None else [step.when.references]
    return References.union(parts)
