"""The kinds of values that `schedule` of a definition has; the same group reads what the API is sent."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.jsontype import Json
from orchestrator.reading.kinds import Choice, Duration, Field, Group, Kind, shown
from orchestrator.reading.place import Place
from orchestrator.rhythm import CATCH_UPS, LONGEST, SHORTEST, fault_of_cron, fault_of_zone


@dataclass(frozen=True)
class Checked(Kind):
    """A text that a function looks at; it says what is wrong, or None."""

    fault: Callable[[object], str | None]

    def schema(self) -> Json:
        return {"type": "string", "minLength": 1}

    def read(self, value: Json, at: Place) -> Json:
        if (wrong := self.fault(value)) is None:
            return value
        at.fault(f"{wrong}, not {shown(value)}")
        return None


@dataclass(frozen=True)
class AnyObject(Kind):
    """An object that is taken as it is."""

    def schema(self) -> Json:
        return {"type": "object"}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, dict):
            return value
        at.fault(f"must be an object, not {shown(value)}")
        return None


_FIELDS = {
    "cron": Field("Minute, hour, day of the month, month, day of the week.", Checked(fault_of_cron)),
    "every": Field("From tick to tick, instead of cron.", Duration(int(LONGEST))),
    "timezone": Field("The zone in which cron is meant.", Checked(fault_of_zone), "UTC"),
    "catchUp": Field(
        "What is started of the ticks that were missed: none that is older than a minute, the last one, or all of the "
        "last hundred.",
        Choice(CATCH_UPS),
        "one",
    ),
    "context": Field("What each workflow is started with.", AnyObject()),
}


@dataclass(frozen=True)
class ScheduleKind(Kind):
    """A whole schedule, without its name."""

    group: Group = Group(_FIELDS)  # noqa: RUF009 - it is frozen

    def schema(self) -> Json:
        return {**self.group.schema(), "oneOf": [{"required": ["cron"]}, {"required": ["every"]}]}

    def settled(self, value: Json, at: Place) -> Json:
        return self.group.settled(value, at)

    def read(self, value: Json, at: Place) -> Json:
        fields = self.group.read(value, at)
        if not isinstance(value, dict):
            return None
        if ("cron" in value) == ("every" in value):
            at.fault("give either cron or every")
        if "every" in value and "timezone" in value:
            (at / "timezone").fault("says nothing beside every: an interval is the same everywhere")
        if fields.get("every") is not None and fields["every"] < SHORTEST:
            (at / "every").fault(f"must be at least {SHORTEST:g} s")
        return fields
