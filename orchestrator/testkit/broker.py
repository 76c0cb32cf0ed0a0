"""Messages, and what Celery makes of a canvas: a chain goes on and a chord counts when a task returns, never otherwise.

As measured with Celery 5.7 on Redis: a chord counts each branch once, however often its last task returns; a task
before a chord that runs twice runs the chord twice; a task that raises or ignores ends its line.
"""

from dataclasses import dataclass, field

from orchestrator.shape import Chain, Chord, Group, Shape, Single
from orchestrator.workflow import Publication


@dataclass(eq=False)
class Count:
    """A chord's counter in Redis: which branches have ended, and what starts when all have."""

    size: int
    join: "Message"
    ended: set[int] = field(default_factory=set)
    fired: bool = False


@dataclass(frozen=True, eq=False)
class Message:
    """One task on its way: `then` follows it in its chain, `branch` is its place in a chord that counts it."""

    step: str
    then: tuple[Shape, ...] = ()
    branch: "tuple[Count, int] | None" = None

    def __repr__(self) -> str:
        return f"{self.step}{' …' if self.then or self.branch else ''}"


class Broker:
    """All messages that are on their way, in the order in which they were sent."""

    def __init__(self) -> None:
        self.bag: list[Message] = []
        self._flushed: set[int] = set()
        self._counts: list[Count] = []

    def publish(self, publication: Publication) -> None:
        """What a worker sends after a commit."""
        for fragment in publication.fragments:
            self._send(fragment.shape, (), None)
        self.bag += [Message(step) for step in publication.steps]

    def returned(self, message: Message) -> None:
        """The message's task returned normally: its chain goes on, its chord counts it."""
        if message.then:
            self._send(message.then[0], message.then[1:], message.branch)
        elif message.branch is not None:
            count, at = message.branch
            if id(count) in self._flushed or count.fired:
                return
            count.ended.add(at)
            if len(count.ended) == count.size:
                count.fired = True
                self.bag.append(count.join)

    def flush(self) -> None:
        """FLUSHALL: messages and counters are gone."""
        self.bag.clear()
        self._flushed.update(id(count) for count in self._counts)

    def _send(self, shape: Shape, then: tuple[Shape, ...], branch: tuple[Count, int] | None) -> None:
        match shape:
            case Single(step):
                self.bag.append(Message(step, then, branch))
            case Chain(parts):
                self._send(parts[0], (*parts[1:], *then), branch)
            case Group(branches):
                assert not then, "Celery cannot carry what follows a group but as a chord"
                assert branch is None, "a branch of a chord must end in one step"
                for one in branches:
                    self._send(one, (), None)
            case Chord(branches, join):
                count = Count(len(branches), Message(join, then, branch))
                self._counts.append(count)
                for at, one in enumerate(branches):
                    self._send(one, (), (count, at))
