"""Every field of a script of cases, its meaning and its kind: the one table behind the reader and the reference."""

import re
from dataclasses import dataclass

from orchestrator.jsontype import Json
from orchestrator.reading.kinds import NAME, Choice, Duration, Field, Flag, Group, Kind, StepNames, Text, Whole, shown
from orchestrator.reading.place import Place

DAY = 86_400
YEAR = 366 * DAY

ROW = rf"{NAME}(\[[0-9]+\])?(:undo)?"
"""A step, an item of one with `forEach`, or the undo of either."""


@dataclass(frozen=True)
class AnyJson(Kind):
    """Any value but null."""

    def schema(self) -> Json:
        return {}

    def read(self, value: Json, at: Place) -> Json:
        return value


@dataclass(frozen=True)
class Keyed(Kind):
    """An object whose keys the author chooses; all values are of one kind, and `meaning` says what a key is."""

    kind: Kind
    meaning: str = "a name"
    pattern: str = r"(?s:.{1,200})"

    def schema(self) -> Json:
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^{self.pattern}$"},
            "additionalProperties": self.kind.schema(),
        }

    def settled(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            return value
        return {name: self.kind.settled(below, at / name) for name, below in value.items()}

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, dict):
            at.fault(f"must be an object, not {shown(value)}")
            return {}
        for name in value:
            if not re.fullmatch(self.pattern, name):
                (at / name).fault(f"'{name[:70]}' is not {self.meaning}")
        return {name: self.kind.read(below, at / name) for name, below in value.items()}


@dataclass(frozen=True)
class Short(Kind):
    """A group of fields, for which a number alone may stand: it is the field `short`."""

    group: Group
    short: str

    def schema(self) -> Json:
        return {"oneOf": [self.group.fields[self.short].kind.schema(), self.group.schema()]}

    def settled(self, value: Json, at: Place) -> Json:
        return self.group.settled(value, at)

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, dict):
            return self.group.read(value, at)
        return {self.short: self.group.fields[self.short].kind.read(value, at)}


@dataclass(frozen=True)
class OneOrMore(Kind):
    """One value, or a list of them."""

    kind: Kind

    def schema(self) -> Json:
        one = self.kind.schema()
        return {"oneOf": [{"type": "array", "items": one, "minItems": 1}, one]}

    def settled(self, value: Json, at: Place) -> Json:
        if isinstance(value, list):
            return [self.kind.settled(one, at / index) for index, one in enumerate(value)]
        return self.kind.settled(value, at)

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, list):
            return (self.kind.read(value, at),)
        if not value:
            at.fault("must have at least one answer")
        return tuple(self.kind.read(one, at / index) for index, one in enumerate(value))


_TEXTS = Keyed(Text())

LATER = Group(
    {
        "after": Field("How long after the step was parked.", Duration(YEAR, True), 0),
        "result": Field("The service has done it: the body of its call back. Left out, and no error: null.", AnyJson()),
        "error": Field("The service says that it failed, and why.", AnyJson()),
        "effect": Field("What it did before it failed.", Choice(("none", "unknown", "done")), "none"),
        "retryable": Field("false: the service says that another attempt does not help.", Flag(), True),
        "approve": Field("A person approves (true) or rejects (false) the step.", Flag()),
        "comment": Field("What the person says of it.", Text()),
    }
)

ANSWER = Group(
    {
        "status": Field("The HTTP status.", Whole(100, 999), 200),
        "body": Field("The body, as JSON. Left out: none.", AnyJson()),
        "headers": Field("The answer's headers.", _TEXTS),
        "delay": Field("How long it takes. Longer than the step's time-out: it comes too late.", Duration(DAY, True)),
        "timeout": Field("true: no answer comes within the time-out; whether the service acted is unknown.", Flag()),
        "drop": Field("true: the connection is dropped after the request was sent.", Flag()),
        "refuse": Field("true: the connection is refused, nothing is sent.", Flag()),
        "result": Field(
            "The step's result itself, whatever `result` makes of an answer: what a record has.", AnyJson()
        ),
        "later": Field(
            "What is said once the step waits: by the service that accepted it (`callback`), or by a person "
            "(`approval`); a list where it is said more than once. Left out: nothing, until the time-out.",
            OneOrMore(LATER),
        ),
    }
)

ORDER = Group(
    {
        "at": Field("How long after the start.", Duration(YEAR, True)),
        "order": Field("What a person asks for.", Choice(("cancel", "pause", "resume", "retry"))),
    },
    required=("at", "order"),
)

CALLS = Group(
    {
        "count": Field("How many calls are made, repeated attempts counted; 0: none.", Whole(0, 100_000)),
        "method": Field("The method of each call.", Text()),
        "url": Field("The URL of each call, query included.", Text()),
        "payload": Field("Exactly what each call sends.", AnyJson()),
        "payloadHas": Field("What each call sends among other things.", AnyJson()),
        "headers": Field("Headers that each call has, among others.", _TEXTS),
    }
)

EXPECT = Group(
    {
        "status": Field(
            "The workflow's status in the end; refused: its context does not fit `input`.",
            Choice(("completed", "failed", "cancelled", "paused", "refused")),
        ),
        "compensation": Field("How the undoing went.", Choice(("none", "completed", "failed"))),
        "output": Field("Exactly what it puts out.", AnyJson()),
        "outputHas": Field("What it puts out, among other things.", AnyJson()),
        "error": Field("Why it failed, among other things: step, kind, message, status.", AnyJson()),
        "steps": Field(
            "The status of steps and undos in the end.",
            Keyed(Choice(("completed", "failed", "skipped", "pending", "waiting")), "a step", ROW),
        ),
        "calls": Field(
            "The calls of steps and undos; a number alone says how many.", Keyed(Short(CALLS, "count"), "a step", ROW)
        ),
        "order": Field("Steps of which each is first called before the next one.", StepNames()),
        "undone": Field("All steps that are undone, in the order in which that is asked for; []: none.", StepNames()),
        "within": Field("The longest time from start to end.", Duration(YEAR)),
    }
)

_SURROUNDINGS = {
    "context": Field("The context that the workflow is started with.", AnyJson()),
    "answers": Field(
        "What the services answer, by step (charge), undo (charge:undo) or item of a forEach (charge[0]): one answer "
        "or a list, whose last one is repeated; a number alone is a status. Each item begins with the first answer. A "
        "step that is not named is answered 200 and {}.",
        Keyed(OneOrMore(Short(ANSWER, "status")), "a step or an undo such as charge:undo", ROW),
    ),
    "vars": Field("What ${vars.X} reads. Left out: an address made of the name, such as http://x.test.", _TEXTS),
    "secrets": Field("What ${secret.X} reads. Left out: secret-X.", _TEXTS),
}

CASE = Group(
    {
        **_SURROUNDINGS,
        "orders": Field("What a person asks for on the way.", OneOrMore(ORDER)),
        "expect": Field("What must be true in the end.", EXPECT),
    },
    required=("expect",),
)

SCRIPT = Group(
    {
        "definition": Field(
            "The definition's file, seen from this one. Left out: order.yaml for order.tests.yaml.", Text()
        ),
        **_SURROUNDINGS,
        "tests": Field("The cases, by what they show. A case's own fields come before those above.", Keyed(CASE)),
    },
    required=("tests",),
)
