"""What there is to say about a document that is imported."""

from dataclasses import dataclass, field

from orchestrator.errors import Fault
from orchestrator.reading.place import Faults, Place


@dataclass(frozen=True, slots=True)
class Note:
    """`left_out`: the definition does not do what the document says there. Otherwise: something to know or to do."""

    fault: Fault
    left_out: bool

    def __str__(self) -> str:
        return f"{self.fault}{' (left out)' if self.left_out else ''}"


@dataclass(slots=True)
class Notes:
    """All notes of one document, each once; `faults` knows on which line a path stands."""

    faults: Faults
    found: dict[Note, None] = field(default_factory=dict)

    def leave_out(self, at: Place, message: str) -> None:
        """What stands there cannot be said by a definition."""
        self._add(at, message, left_out=True)

    def tell(self, at: Place, message: str) -> None:
        """What stands there was understood, and there is something to know."""
        self._add(at, message, left_out=False)

    def _add(self, at: Place, message: str, *, left_out: bool) -> None:
        scratch = Faults(self.faults.source, self.faults.lines)
        Place(scratch, at.path).fault(message)
        [fault] = scratch.all()
        self.found[Note(fault, left_out)] = None
