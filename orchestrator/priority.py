"""How urgent a workflow is. The lower the number, the sooner its steps go, here, in SQL and in Redis."""

from enum import IntEnum

from orchestrator.errors import Fault
from orchestrator.jsontype import Json


class Priority(IntEnum):
    """What waits for a worker, or for a limit's slot, is taken in this order; what is equal, by who came first."""

    HIGH = -1
    NORMAL = 0
    LOW = 1

    @property
    def word(self) -> str:
        """As definitions and clients write it."""
        return self.name.lower()


WORDS = tuple(each.word for each in Priority)


def named(word: str) -> Priority:
    """The priority of that word; a KeyError where it is none."""
    return Priority[word.upper()]


def read_priority(given: dict[str, Json], faults: list[Fault]) -> Priority | None:
    """The priority that a start asks for, None where it leaves that to its definition; else a fault is added."""
    word = given.get("priority")
    if "priority" not in given or word in WORDS:
        return None if word is None else named(word)
    faults.append(Fault("priority", f"must be one of {', '.join(WORDS)}"))
    return None
