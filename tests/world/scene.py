"""The same world for a test that tells a story: messages arrive and calls end when the test says so, by step's name."""

from collections.abc import Iterable

from orchestrator.definition import Definition
from orchestrator.moves.settling import Settled
from orchestrator.states import StepStatus
from tests.world.books import Behaviour
from tests.world.fate import calm
from tests.world.world import Flight, World


class Scene(World):
    """A workflow that has just been started. Services do what they are asked unless `behaves` said otherwise."""

    def __init__(self, definition: Definition, *, not_taken: Iterable[str] = (), careless: Iterable[str] = ()) -> None:
        self._moods: dict[str, list[Behaviour]] = {}
        super().__init__(definition, self._mood, not_taken=frozenset(not_taken), careless=frozenset(careless))
        self.start()

    def behaves(self, row: str, *moods: Behaviour) -> "Scene":
        """What the service of this row (`charge`, `charge:undo`) does with the next calls; from then on it is fine."""
        self._moods[row] = list(moods)
        return self

    def begin(self, *steps: str) -> None:
        """The messages of these steps arrive: each is claimed, and its service called."""
        for step in steps:
            message = next((one for one in self.broker.bag if one.step == step), None)
            assert message is not None, f"no message for {step} is on its way, only {self.broker.bag}"
            flight = self.deliver(message)
            assert flight is not None, f"{step} was not claimed: {self.refusals[-1][1]}"

    def end(self, *steps: str) -> Settled:
        """The calls of these steps end, and what came of them is recorded; the reply for the last of them."""
        for step in steps:
            reply = self.settle(self.in_flight(step))
        return reply

    def do(self, *steps: str) -> None:
        """Each of these steps is called and ends, one after the other."""
        for step in steps:
            self.begin(step)
            self.end(step)

    def in_flight(self, step: str) -> Flight:
        """The attempt of this step that is being made."""
        return next(flight for flight in self.flights if flight.step == step)

    def later(self, seconds: float) -> None:
        """Time passes, and the reconciler looks at what is due then."""
        self.now += seconds
        if due := self.due():
            self.look(due)

    def play(self) -> str:
        """Everything takes its course to the end; the status in which the workflow then is."""
        calm(self)
        return self.status

    @property
    def status(self) -> str:
        """The workflow's status, with how its undoing went where there was one."""
        head = self.rows.head
        undoing = "" if head.compensation == "none" else f", compensation {head.compensation}"
        return f"{head.status}{undoing}"

    @property
    def messages(self) -> set[str]:
        """The steps whose messages are on their way."""
        return {message.step for message in self.broker.bag}

    def status_of(self, step: str) -> StepStatus:
        """A step's status."""
        return self.rows.steps[step].status

    def statuses(self) -> dict[str, str]:
        """Every step's status."""
        return {step.name: step.status.value for step in self.rows.steps.values()}

    def events(self, kind: str) -> list[str | None]:
        """The steps that had an event of this type, in order."""
        return [event.step for _, event in self.rows.events if event.type == kind]

    def _mood(self, row: str) -> Behaviour:
        moods = self._moods.get(row)
        return moods.pop(0) if moods else Behaviour.OK
