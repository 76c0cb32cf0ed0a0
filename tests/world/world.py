"""One workflow, its ledger, broker, services and workers, and everything that can happen to them, as methods.

Every change of the ledger goes through `_make`, which has the invariants checked; every call goes through `deliver`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from orchestrator.accepting import accepted_callback, accepted_poll, asked
from orchestrator.definition import Definition, Step
from orchestrator.errors import Conflict
from orchestrator.judging import judge
from orchestrator.moves.answering import Answer, Answered, Heartbeat
from orchestrator.moves.claiming import Claimed, Refusal, claim
from orchestrator.moves.limiting import hold_back, send_aside
from orchestrator.moves.move import Control, Look, Move, Proceed, Proceeded, Settle
from orchestrator.moves.settling import Settled
from orchestrator.outcome import Answer as BookAnswer
from orchestrator.outcome import (
    Completed,
    Ending,
    Expanded,
    Failed,
    NoAnswer,
    Outcome,
    Parked,
    Question,
    Skipped,
    StepError,
)
from orchestrator.states import Effect, StepStatus, Waiting
from orchestrator.testkit.broker import Broker, Message
from orchestrator.testkit.rows import WORKFLOW, Rows
from orchestrator.workflow import Kind, Publication, StepState, Workflow, step_of, undone_by
from tests.world.books import Behaviour, Books
from tests.world.children import Children
from tests.world.invariants import Invariants, check

Weather = Callable[[str], Behaviour]
"""How the service behaves that is called for a row of this name (`charge`, `charge:undo`)."""

NOT_DONE = StepError("callback", "the service could not do it")
REJECTED = StepError("rejected", "a person said no")

_GOES_ON = {Settled.COMPLETED, Settled.SKIPPED, Settled.TOLERATED, Refusal.PASSED}
"""What `tasks.step` returns normally for; anything else raises or ignores, and ends its line of the canvas."""


@dataclass(eq=False)
class Flight:
    """An attempt in the hands of a worker: the service was called, the outcome is not yet recorded."""

    message: Message
    step: str
    attempt: int
    worker: str
    outcome: Outcome
    ends_at: float


@dataclass(eq=False)
class Promise:
    """An answer that somebody may give: the service to one attempt, or a person.

    `acts`: it is done only then, `until` that time: for so long the attempt is to be waited for.
    """

    step: str
    source: Waiting
    outcome: Ending
    attempt: int | None = None
    key_round: int | None = None
    acts: bool = False
    until: float = 0.0


def sunny(row: str) -> Behaviour:
    """Every service does what it is asked."""
    return Behaviour.OK


SHARED = 0.5
"""Seconds for which a step is held back for its host's share of a worker, not for a limit."""


@dataclass(frozen=True)
class ClaimSlot:
    """What `orchestrator.ledger.limiting` does, with a limit that holds a step back for so many seconds (None: not)."""

    step: str
    worker: str
    held_back: Callable[[str], float | None]
    workflow_id: str = WORKFLOW

    def touches(self, definition: Definition) -> Collection[str]:
        """The step itself."""
        return (self.step,)

    def make(self, workflow: Workflow, now: float) -> Claimed | Refusal:
        """Take it with a slot, or park it."""
        reply = claim(workflow, self.step, self.worker, now)
        if reply is not Refusal.LIMITED:
            return reply
        seconds = self.held_back(self.step)
        if seconds is None:
            return claim(workflow, self.step, self.worker, now, slot=True)
        step = workflow.step(self.step)
        if seconds == SHARED:
            send_aside(workflow, step, "any", self.worker, now + seconds)
        else:
            hold_back(workflow, step, "any", now + seconds, circuit=False)
        return Refusal.PARKED


class World:
    """`not_taken` are the steps whose condition does not hold, `careless` those whose service honours no key.

    `strict` has every invariant checked on the way; without it only the auditor judges, in the end.
    """

    def __init__(
        self,
        definition: Definition,
        weather: Weather = sunny,
        *,
        not_taken: frozenset[str] = frozenset(),
        careless: frozenset[str] = frozenset(),
        rows: Callable[[Definition], Rows] = Rows,
        strict: bool = True,
    ) -> None:
        self.definition = definition
        self.weather = weather
        self.not_taken = not_taken
        self.rows = rows(definition)
        self.broker = Broker()
        self.books = Books(careless)
        self.now = 1000.0
        self.flights: list[Flight] = []
        self.promises: list[Promise] = []
        self.children = Children(self.books)
        self.calls: list[str] = []
        self.story: list[str] = []
        self.refusals: list[tuple[str, Refusal]] = []
        self.strict = strict
        self.invariants = Invariants(definition, self.rows, self.books)
        self.held_back: Callable[[str], float | None] = lambda _: None
        self._workers = 0

    def start(self) -> None:
        """A client starts the workflow."""
        self.broker.publish(self.rows.start(self.now))
        self.tell("start")
        if self.strict:
            self.invariants.hold()

    def deliver(self, message: Message, *, keep: bool = False, lasting: float = 0.0) -> Flight | None:
        """A worker takes the message and calls the service, if the ledger lets it. `keep`: the message comes again."""
        if not keep:
            self.broker.bag.remove(message)
        self._workers += 1
        worker = f"worker-{self._workers}"
        before = self.rows.head, dict(self.rows.steps)
        move = ClaimSlot(message.step, worker, self.held_back)
        reply, publication = self._make([move], f"deliver {message}")
        self.broker.publish(publication)
        if isinstance(reply, Claimed):
            was = before[1][message.step].status
            self._check(was is StepStatus.PENDING, f"(4) {message.step} is called although it is {was}")
            outcome = self._ask(reply.step) if before[1][message.step].under_way else self._call(reply.step)
            flight = Flight(message, message.step, reply.attempt, worker, outcome, self.now + lasting)
            self.flights.append(flight)
            return flight
        assert isinstance(reply, Refusal)
        self.tell(f"  {reply}")
        self.refusals.append((message.step, reply))
        same = before == (self.rows.head, self.rows.steps)
        changes = reply in (Refusal.OVERDUE, Refusal.PARKED)
        self._check(same is not changes, "a claim that is refused for no deadline and no limit changes nothing")
        if reply in _GOES_ON:
            self.broker.returned(message)
        return None

    def settle(self, flight: Flight, *, publish: bool = True, again: bool = False) -> Settled:
        """The worker records the outcome. `publish` false: it dies before it sends what follows. `again`: twice."""
        self.flights.remove(flight)
        reply = self._settle(flight, publish=publish)
        if again:
            self._settle(flight, publish=publish)
            self.repeat(flight, reply)
        return reply

    def proceed(
        self, flight: Flight, *, room: int = 16, again: bool = False, lasting: Callable[[], float] = lambda: 0.0
    ) -> None:
        """The worker records the outcome and keeps what follows, where it may leave the canvas and has the room.

        `again`: the answer to that commit was lost, and it is made once more. `lasting`: seconds that each call takes.
        """
        if flight.message.branch is not None or not room:
            self.settle(flight)
            return
        self.flights.remove(flight)
        settle = Settle(WORKFLOW, flight.step, flight.attempt, flight.outcome, 0.5)
        move = Proceed(settle, flight.worker, room)
        what = f"proceed from {flight.step} #{flight.attempt}"
        reply, publication = self._make([move], what)
        assert isinstance(reply, Proceeded)
        if again:
            first = {one.step.name for one in reply.kept}
            held = frozenset(other.step for other in self.flights if other.worker == flight.worker)
            move = replace(move, settle=replace(settle, again=True), held=held)
            reply, publication = self._make([move], f"{what} again")
            assert isinstance(reply, Proceeded)
            second = [one.step.name for one in reply.kept]
            self._check(first <= set(second), f"of {first}, kept by a commit whose answer was lost, some are lost")
            self._check(not held & set(second), f"of {second} some are in another thread's hands")
        self.tell(f"  {reply.settled}, kept: {', '.join(one.step.name for one in reply.kept) or 'nothing'}")
        self.broker.publish(publication)
        for kept in reply.kept:
            name, outcome = kept.step.name, self._call(kept.step)
            ends_at = self.now + lasting()
            self.flights.append(Flight(Message(name), name, kept.attempt, flight.worker, outcome, ends_at))
        if not reply.kept and reply.settled in _GOES_ON:
            self.broker.returned(flight.message)

    def repeat(self, flight: Flight, first: Settled) -> None:
        """The answer to its commit was lost: the worker records the outcome once more, and says so."""
        before = {name: step.status for name, step in self.rows.steps.items()}
        move = Settle(WORKFLOW, flight.step, flight.attempt, flight.outcome, 0.5, again=True)
        reply, publication = self._make([move], f"settle {flight.step} #{flight.attempt} again")
        self.tell(f"  {reply}")
        told = {Settled.TOLERATED: Settled.FAILED}.get(first, first)
        fits = reply in {told, Settled.LATE} | ({Settled.FAILED} if first is Settled.LATE else set())
        # What was accepted may have been answered before that was recorded: then the step is what the answer made it.
        fits = fits or (isinstance(flight.outcome, Parked) and reply in {Settled.PARKED, Settled.FAILED})
        self._check(fits, f"what was {first} is not {reply} when it is said again")
        self._check(before == {name: step.status for name, step in self.rows.steps.items()}, "and nothing changes")
        self.broker.publish(publication)

    def _settle(self, flight: Flight, *, publish: bool) -> Settled:
        before = self.rows.head, dict(self.rows.steps)
        move = Settle(WORKFLOW, flight.step, flight.attempt, flight.outcome, 0.5)
        was = before[1][flight.step]
        over = was.settled or was.status is StepStatus.WAITING
        answered = isinstance(flight.outcome, Parked) and was.attempts == flight.attempt and over
        stale = not answered and (was.status is not StepStatus.RUNNING or was.attempts != flight.attempt)
        reply, publication = self._make([move], f"settle {flight.step} #{flight.attempt} {_brief(flight.outcome)}")
        assert isinstance(reply, Settled)
        self.tell(f"  {reply}")
        self._check(stale == (reply is Settled.LATE), "an answer is late exactly where its attempt is over")
        if stale or answered:
            self._check(before == (self.rows.head, self.rows.steps), "a late answer changes nothing but the audit log")
        if publish:
            self.broker.publish(publication)
            if reply in _GOES_ON:
                self.broker.returned(flight.message)
        return reply

    def answer(self, promise: Promise, *, keep: bool = False) -> Answered:
        """Somebody says what became of the attempt. `keep`: they say it again some time."""
        if not keep:
            self.promises.remove(promise)
        if promise.source is Waiting.CHILD:
            return self._child_ends(promise)
        step = self.rows.steps[promise.step]
        if promise.acts and self._is_at_work(promise, step):
            self.books.charge(promise.step, f"{promise.step}/{promise.key_round}", Behaviour.OK)
            promise.acts = False
        elif promise.acts and not self.books.charges_of(promise.step):
            return Answered.LATE  # the service acts while it is waited for, or never, and says nothing then
        before = self.rows.head, dict(self.rows.steps)
        answer = Answer(
            WORKFLOW, promise.step, promise.source, promise.outcome, promise.attempt, promise.key_round, share=0.5
        )
        reply, publication = self._make([answer], f"answer {promise.step} #{promise.attempt} {_brief(promise.outcome)}")
        assert isinstance(reply, Answered)
        self.tell(f"  {reply}")
        if reply is not Answered.RECORDED:
            self._check(before == (self.rows.head, self.rows.steps), "an answer that does not count changes nothing")
        self.broker.publish(publication)
        return reply

    def _is_at_work(self, promise: Promise, step: StepState) -> bool:
        """Whether the service may act just now: as long as it is to be waited for, whatever became of the worker."""
        waited_for = step.under_way or (promise.attempt == step.attempts and self.now < promise.until)
        return waited_for and promise.key_round == step.key_round

    def beat(self, promise: Promise) -> None:
        """The service says that it is still at work."""
        if promise.attempt is not None and promise.key_round is not None:
            beat = Heartbeat(WORKFLOW, promise.step, promise.attempt, promise.key_round)
            reply, _ = self._make([beat], f"heartbeat {promise.step} #{promise.attempt}")
            if reply is Answered.RECORDED and self.rows.steps[promise.step].status is StepStatus.WAITING:
                own = self.definition.steps[promise.step]
                assert own.callback is not None, "only to who calls back a heartbeat counts"
                promise.until = self._waited_for_until(self.rows.steps[promise.step], own.callback.timeout)

    def _waited_for_until(self, step: StepState, timeout: float) -> float:
        own = self.definition.steps[step.name]
        until = self.now + timeout
        return until if own.deadline is None else min(until, (step.trying_since or self.now) + own.deadline)

    def crash(self, flight: Flight, *, again: bool, noticed: bool = True) -> None:
        """The worker is killed during the call. `again`: its message comes back. `noticed`: soon, not by its lease."""
        self.flights.remove(flight)
        self.tell(f"crash {flight.step} #{flight.attempt}")
        if again:
            self.broker.bag.append(flight.message)
        if noticed:
            self.bury(flight)

    def bury(self, flight: Flight) -> None:
        """The worker has been silent: its steps are due at once (`orchestrator.ledger.presence`), dead or only slow."""
        step = self.rows.steps[flight.step]
        if step.status is StepStatus.RUNNING and step.worker == flight.worker and step.wake_at is not None:
            self.tell(f"bury {flight.step}")
            self.rows.steps[flight.step] = replace(step, wake_at=self.now)

    def due(self) -> list[str | None]:
        """The rows that the reconciler would find now (None: the workflow's own)."""
        steps = self.rows.steps.values()
        found: list[str | None] = [step.name for step in steps if step.wake_at is not None and step.wake_at <= self.now]
        wake_at = self.rows.head.wake_at
        return [*found, None] if wake_at is not None and wake_at <= self.now else found

    def look(self, names: Sequence[str | None], *, publish: bool = True) -> None:
        """The reconciler looks at these rows, in one transaction."""
        looks = [Look(WORKFLOW, name) for name in names]
        replies = self._transact(looks, f"look {', '.join(map(str, names))}")
        for _, publication in replies:
            if publish:
                self.broker.publish(publication)
        self._check(not set(names) & set(self.due()), f"what was looked at ({names}) is not due any more")

    def order(self, verb: str, *, compensate: bool = True) -> Conflict | None:
        """A person asks for `cancel`, `pause`, `resume` or `retry`; the conflict, where it is refused."""
        before = self.rows.head, dict(self.rows.steps)
        self.invariants.retrying = verb == "retry"
        try:
            _, publication = self._make([Control(WORKFLOW, verb, "ada", compensate)], f"{verb} {compensate or 'only'}")
        except Conflict as conflict:
            self.tell(f"  {conflict}")
            self._check(before == (self.rows.head, self.rows.steps), "a refused order changes nothing")
            return conflict
        finally:
            self.invariants.retrying = False
        self.broker.publish(publication)
        return None

    def flush(self) -> None:
        """FLUSHALL."""
        self.tell("flush")
        self.broker.flush()

    def next_due(self) -> float | None:
        """When the reconciler has something to look at next."""
        wakes = [step.wake_at for step in self.rows.steps.values()] + [self.rows.head.wake_at]
        return min((wake for wake in wakes if wake is not None), default=None)

    def tell(self, line: str) -> None:
        """A line of what happened, for whoever has to understand a failure."""
        self.story.append(f"{self.now:9.2f} {line}")

    def _check(self, holds: bool, invariant: str) -> None:
        check(holds or not self.strict, invariant)

    def _call(self, step: StepState) -> Outcome:
        key = f"{step.name}/{step.key_round}"
        if self._expands(step) and step.name not in self.not_taken:
            return self._expanded(step)
        if step.kind.undoes:
            return self._undo(step, key)
        if self.strict:
            self.invariants.call_starts(step)
        if step.name in self.not_taken:
            return Skipped("its condition did not hold")
        self.calls.append(step.name)
        return self._made(step, self.definition.steps[step_of(step.name)], key)

    def _undo(self, step: StepState, key: str) -> Outcome:
        own = self.definition.steps[step_of(step.name)]
        if self.strict:
            self.invariants.undo_starts(step)
        self.calls.append(step.name)
        if own.child is not None:
            return self._child_undone(step)
        assert own.compensate is not None, "only what can be undone is"
        answer = self.books.refund(undone_by(step.name), key, self.weather(step.name))
        return judge(answer, success=None, result=None, idempotent=own.compensate.idempotent, now=self.now)

    def _made(self, step: StepState, own: Step, key: str) -> Outcome:
        match own.awaits:
            case Waiting.TIMER:
                return Parked(Waiting.TIMER, seconds=own.wait.seconds if own.wait else None)
            case Waiting.APPROVAL:
                return self._asked(step, own)
            case Waiting.CALLBACK | Waiting.POLL:
                return self._accepted(step, own, key)
            case Waiting.TASK:
                return self._sent(step, own)
            case Waiting.CHILD:
                return self._child_stands(step)
        answer = self.books.charge(step.name, key, self.weather(step.name))
        return judge(answer, success=None, result=None, idempotent=own.call.idempotent, now=self.now)

    def _expands(self, step: StepState) -> bool:
        return not step.kind.of_item and self.definition.steps[step_of(step.name)].for_each is not None

    def _expanded(self, step: StepState) -> Outcome:
        """No service is called for it; its list may be none at all."""
        if self.strict:
            starts = self.invariants.undo_starts if step.kind is Kind.UNDO else self.invariants.call_starts
            starts(step)
        own = self.definition.steps[step_of(step.name)].for_each
        assert own is not None
        if step.kind is Kind.UNDO or step.items is not None:
            return Expanded()
        if self.weather(step.name) is Behaviour.REFUSES:
            return Failed(StepError("expression", "no list"), Effect.NONE, retryable=False)
        return Expanded(own.items.source)

    def _asked(self, step: StepState, own: Step) -> Outcome:
        assert own.approval is not None
        no = Failed(REJECTED, Effect.NONE, retryable=False)
        fine = self.weather(step.name) is Behaviour.OK
        self.promises.append(Promise(step.name, Waiting.APPROVAL, Completed(None) if fine else no))
        return Parked(Waiting.APPROVAL, seconds=own.approval.timeout)

    def _accepted(self, step: StepState, own: Step, key: str) -> Outcome:
        """What the service says at once, and, where it has the order, what it will say later."""
        first = self.weather(step.name)
        outcome = self._taken(first.answer(), own)
        if first.acts:
            self.books.unanswered.add(step.name)
            later = self.weather(step.name)
            if later.acts and first is not Behaviour.OK:
                self.books.charge(step.name, key, Behaviour.OK)
            if own.callback is not None:
                self._promise(step, own, later, at_once=first is not Behaviour.OK)
        elif isinstance(outcome, Failed) and outcome.effect is not Effect.NONE:
            self.books.unanswered.add(step.name)
        return outcome

    def _sent(self, step: StepState, own: Step) -> Outcome:
        """A task, which is begun while it is waited for or never; it may be lost, and it may raise whatever it did."""
        self.books.unanswered.add(step.name)
        if self.weather(step.name) is Behaviour.UNREACHABLE:
            return Failed(StepError("connect", "it could not be sent"), Effect.NONE, retryable=True)
        later = self.weather(step.name)
        raised = Failed(StepError("task", "it raised"), Effect.UNKNOWN, retryable=own.call.idempotent)
        if later.acts or later in (Behaviour.REFUSES, Behaviour.ERROR_BEFORE):
            outcome: Ending = Completed(None) if later is Behaviour.OK else raised
            told = Promise(step.name, Waiting.TASK, outcome, step.attempts, step.key_round, later.acts)
            told.until = self._waited_for_until(step, own.call.timeout)
            self.promises.append(told)
        return Parked(Waiting.TASK, seconds=own.call.timeout)

    def _child_stands(self, step: StepState) -> Outcome:
        key = f"{step.name}/{step.key_round}"
        fresh = key not in self.children.known
        outcome = self.children.stands(step.name, key, failing=self.rows.head.ending is not None)
        if fresh and key in self.children.known:
            self.promises.append(Promise(step.name, Waiting.CHILD, Completed(None), key_round=step.key_round))
        return outcome

    def _child_undone(self, undo: StepState) -> Outcome:
        step = self.rows.steps[undone_by(undo.name)]
        return self.children.undone(f"{step.name}/{step.key_round}", self.weather(undo.name))

    def _child_ends(self, promise: Promise) -> Answered:
        """The transaction that ends it has its parent look at once."""
        step = self.rows.steps[promise.step]
        self.tell(f"the child of {promise.step} ends")
        if not self.children.end(f"{promise.step}/{promise.key_round}", self.weather(promise.step)):
            return Answered.LATE
        if step.status is StepStatus.WAITING and step.waiting_for == Waiting.CHILD:
            self.rows.steps[promise.step] = replace(step, wake_at=self.now)
        return Answered.RECORDED

    def _ask(self, step: StepState) -> Outcome:
        """How an attempt stands whose outcome comes later."""
        own = self.definition.steps[step_of(step.name)]
        if own.child is not None:
            return self._child_undone(step) if step.kind.undoes else self._child_stands(step)
        if own.task is None:
            return self._poll(step)
        return Failed(StepError("timeout", "nothing was heard of it"), Effect.UNKNOWN, retryable=own.call.idempotent)

    def _taken(self, answer: BookAnswer | NoAnswer, own: Step) -> Outcome:
        if own.callback is not None:
            return accepted_callback(answer, own, now=self.now, scope={})
        outcome, _ = accepted_poll(answer, own, "http://services.example/step", now=self.now, scope={})
        return replace(outcome, memo={"asked": 0, "errors": 0}) if isinstance(outcome, Parked) else outcome

    def _promise(self, step: StepState, own: Step, later: Behaviour, *, at_once: bool) -> None:
        assert own.callback is not None, "only who calls back promises to"
        if later.acts:
            done = Promise(step.name, Waiting.CALLBACK, Completed(None), step.attempts, step.key_round, not at_once)
            done.until = self._waited_for_until(step, own.callback.timeout)
            self.promises.append(done)
        elif later in (Behaviour.REFUSES, Behaviour.ERROR_BEFORE):
            no = Failed(NOT_DONE, Effect.NONE, retryable=later is Behaviour.ERROR_BEFORE)
            self.promises.append(Promise(step.name, Waiting.CALLBACK, no, step.attempts, step.key_round))

    def _poll(self, step: StepState) -> Outcome:
        """The service is asked how it stands: it is not done at first, and may fail to say so."""
        times = (step.memo or {"asked": 0})["asked"] + 1
        behaviour = self.weather(step.name)
        answer = behaviour.answer()
        done = behaviour is Behaviour.OK and times > 2
        if isinstance(answer, BookAnswer):
            gone_wrong = behaviour is Behaviour.REFUSES and not self.books.charges_of(step.name)
            answer = replace(
                answer, status=200 if gone_wrong else answer.status, body={"done": done, "not": gone_wrong}
            )
        if done:
            self.books.charge(step.name, f"{step.name}/{step.key_round}", Behaviour.OK)
        question = Question("http://services.example/job", ours=True, errors=(step.memo or {"errors": 0})["errors"])
        own = self.definition.steps[step.name]
        outcome, question = asked(answer, own, question, now=self.now, share=0.5, scope={})
        memo = {"asked": times, "errors": question.errors}
        return replace(outcome, memo=memo) if isinstance(outcome, Parked) else outcome

    def _make(self, moves: Sequence[Move[object]], what: str) -> tuple[object, Publication]:
        [made] = self._transact(moves, what)
        return made

    def _transact(self, moves: Sequence[Move[object]], what: str) -> list[tuple[object, Publication]]:
        self.tell(what)
        head, steps, said = self.rows.head, dict(self.rows.steps), len(self.rows.events)
        made = self.rows.make(moves, self.now)
        for _, event in self.rows.events[said:]:
            self.tell(f"    {event.type} {event.step or ''}")
            if event.type == "step.lost" and event.step is not None:
                self.books.unanswered.add(event.step)
        if self.strict:
            self.invariants.moved(head, steps, [event for _, event in self.rows.events[said:]])
        return made


def _brief(outcome: Outcome) -> str:
    if isinstance(outcome, Failed):
        return f"{outcome.error.kind} {outcome.error.status or ''} {outcome.effect}"
    return type(outcome).__name__
