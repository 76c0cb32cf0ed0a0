"""The kinds of values that `webhooks` of a definition has."""

import re
from dataclasses import dataclass

from orchestrator.definition import ENDINGS
from orchestrator.jsontype import Json
from orchestrator.reading.kinds import Kind, shown
from orchestrator.reading.place import Place

_NAMED = r"\$\{ *secret\.([A-Za-z_][A-Za-z0-9_]*) *\}"


@dataclass(frozen=True)
class Several(Kind):
    """A list of values of one kind."""

    kind: Kind
    most: int

    def schema(self) -> Json:
        return {"type": "array", "items": self.kind.schema(), "maxItems": self.most}

    def settled(self, value: Json, at: Place) -> Json:
        if not isinstance(value, list):
            return value
        return [self.kind.settled(below, at / index) for index, below in enumerate(value)]

    def read(self, value: Json, at: Place) -> Json:
        if not isinstance(value, list) or len(value) > self.most:
            at.fault(f"must be a list of at most {self.most}, not {shown(value)}")
            return None
        read = [self.kind.read(below, at / index) for index, below in enumerate(value)]
        return tuple(one for one in read if one is not None)


@dataclass(frozen=True)
class Endings(Kind):
    """A list of the ways in which a workflow can end."""

    def schema(self) -> Json:
        return {"type": "array", "items": {"enum": list(ENDINGS)}, "minItems": 1, "uniqueItems": True}

    def read(self, value: Json, at: Place) -> Json:
        if isinstance(value, list) and value and all(one in ENDINGS for one in value):
            return frozenset(value)
        at.fault(f"must be a list of some of {', '.join(ENDINGS)}, not {shown(value)}")
        return None


@dataclass(frozen=True)
class SecretName(Kind):
    """One secret: its name. The secret itself would be kept in the ledger and shown with the definition."""

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^{_NAMED}$"}

    def read(self, value: Json, at: Place) -> Json:
        found = re.fullmatch(_NAMED, value) if isinstance(value, str) else None
        if found is not None:
            return found[1]
        at.fault("must be one secret by its name, such as ${secret.WEBHOOKS} for ORCHESTRATOR_SECRET_WEBHOOKS")
        return None
