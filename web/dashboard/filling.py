"""The board's filters: from what the form sends to what the ledger is asked. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from orchestrator.errors import Fault
from orchestrator.ledger.views import Filters
from orchestrator.states import Compensation, WorkflowStatus
from orchestrator.storable import NotStorable, check_text

FIELDS = ("status", "type", "compensation", "after", "before", "field", "value")
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, with what cannot be understood (that part of the form is left out)."""

    filters: Filters
    path: tuple[str, ...]
    value: str
    faults: tuple[Fault, ...]


def wanted(form: Mapping[str, str]) -> Wanted:
    """Read the form; empty fields were not given. `context.<field>=<value>` is another way to write two of them."""
    given = {name: form.get(name, "").strip()[:_LONGEST] for name in FIELDS}
    for name in form:
        if name.startswith("context.") and not given["field"]:
            given |= {"field": name.removeprefix("context."), "value": form[name]}
    faults = _Faults()
    after, before = faults.moment("after", given["after"]), faults.moment("before", given["before"])
    field = faults.text("field", given["field"]).removeprefix("context.").removeprefix(".")
    filters = Filters(
        status=faults.word(WorkflowStatus, "status", given["status"]),
        type=faults.text("type", given["type"]) or None,
        compensation=faults.word(Compensation, "compensation", given["compensation"]),
        created_after=after,
        created_before=before,
    )
    path = tuple(field.split(".")) if field else ()
    return Wanted(filters, path, faults.text("value", given["value"]), tuple(faults.found))


Word = TypeVar("Word", WorkflowStatus, Compensation)


class _Faults:
    """Reading that goes on after a fault."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def text(self, name: str, text: str) -> str:
        try:
            check_text(text)
        except (NotStorable, ValueError) as error:
            self.found.append(Fault(name, str(error)))
            return ""
        return text

    def word(self, words: type[Word], name: str, text: str) -> Word | None:
        if not text or text in tuple(words):
            return words(text) if text else None
        self.found.append(Fault(name, f"must be one of {', '.join(words)}"))
        return None

    def moment(self, name: str, text: str) -> float | None:
        """A time without a zone is UTC, as all times on the pages are."""
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            self.found.append(Fault(name, "must be a time such as 2026-01-31T12:00, in UTC"))
            return None
