"""The kinds of values that `forEach` is made of: a list of items, how many may fail, and the short form of both."""

import re
from dataclasses import dataclass

from orchestrator.definition import ForEach, Tolerance
from orchestrator.expanding import MOST_ITEMS
from orchestrator.expressions import Template
from orchestrator.jsontype import Json
from orchestrator.reading.expression_kinds import AnyTemplate
from orchestrator.reading.kinds import Group, Kind, shown
from orchestrator.reading.place import Place

_SHARE = r"(100|[0-9]{1,2}(\.[0-9]+)?)%"
_FIELDS = {"items": "items", "maxParallel": "max_parallel", "tolerate": "tolerate"}


@dataclass(frozen=True)
class ItemList(AnyTemplate):
    """A list, with expressions anywhere in it, or one expression that gives a list."""

    def schema(self) -> Json:
        return {"oneOf": [{"type": "array", "maxItems": MOST_ITEMS}, {"type": "string", "pattern": r"\$\{"}]}

    def read(self, value: Json, at: Place) -> Json:
        """A template."""
        template = super().read(value, at)
        if not isinstance(template, Template):
            return None
        one_expression = isinstance(value, str) and not isinstance(template.rendered, str)
        if not isinstance(value, list) and not one_expression:
            at.fault(f"must be a list or an expression in ${{ }} that gives one, not {shown(value)}")
        elif isinstance(value, list) and len(value) > MOST_ITEMS:
            at.fault(f"must have at most {MOST_ITEMS} items, not {len(value)}")
        else:
            return template
        return None


@dataclass(frozen=True)
class Tolerated(Kind):
    """A whole number, or a share as a text such as `10%`."""

    def schema(self) -> Json:
        number = {"type": "integer", "minimum": 0, "maximum": MOST_ITEMS}
        return {"oneOf": [number, {"type": "string", "pattern": f"^{_SHARE}$"}]}

    def read(self, value: Json, at: Place) -> Json:
        """A `Tolerance`."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_ITEMS:
            return Tolerance(number=value)
        if isinstance(value, str) and re.fullmatch(_SHARE, value):
            return Tolerance(share=float(value.removesuffix("%")) / 100)
        at.fault(f"must be a whole number from 0 to {MOST_ITEMS} or a share such as 10%, not {shown(value)}")
        return None


@dataclass(frozen=True)
class EachItem(Kind):
    """`forEach`: an object with these fields, or the items alone."""

    group: Group

    def schema(self) -> Json:
        alone = self.group.fields["items"].kind.schema()["oneOf"]
        return {"oneOf": [*alone, self.group.schema()]}

    def settled(self, value: Json, at: Place) -> Json:
        return self.group.settled(value, at)

    def read(self, value: Json, at: Place) -> Json:
        """A `ForEach`."""
        if isinstance(value, dict):
            fields = self.group.read(value, at)
        else:
            fields = {"items": self.group.fields["items"].kind.read(value, at)}
        if not isinstance(fields.get("items"), Template):
            return None
        return ForEach(**{_FIELDS[name]: one for name, one in fields.items()})
