"""A document's objects: fields are taken out one by one, and whatever nobody took is named."""

from collections.abc import Iterator, Mapping

from orchestrator.arazzo.notes import Notes
from orchestrator.jsontype import Json, kind_of
from orchestrator.reading.place import Place

_COMPONENTS = ("inputs", "parameters", "successActions", "failureActions")


class Thing:
    """One object of the document. `take` gives a field; `close` names the fields that were not taken."""

    def __init__(self, value: Json, at: Place, notes: Notes) -> None:
        self.at = at
        self.notes = notes
        self._value: Mapping[str, Json] = value if isinstance(value, dict) else {}
        self._left = dict.fromkeys(self._value)
        if not isinstance(value, dict):
            notes.leave_out(at, f"must be an object, not {kind_of(value)}")

    def take(self, name: str, default: Json = None) -> Json:
        """The field's value, `default` where it is not there."""
        self._left.pop(name, None)
        return self._value.get(name, default)

    def text(self, name: str) -> str | None:
        """A field that must be a text, where it is there."""
        value = self.take(name)
        if value is None or isinstance(value, str):
            return value
        self.notes.leave_out(self.at / name, f"must be a text, not {kind_of(value)}")
        return None

    def things(self, name: str) -> "Iterator[Thing]":
        """A field that is a list of objects."""
        value = self.take(name, [])
        if not isinstance(value, list):
            self.notes.leave_out(self.at / name, f"must be a list, not {kind_of(value)}")
            return
        for index, one in enumerate(value):
            yield Thing(one, self.at / name / index, self.notes)

    def named(self, name: str) -> Mapping[str, Json]:
        """A field that is an object whose keys the author chose."""
        value = self.take(name, {})
        if isinstance(value, dict):
            return value
        self.notes.leave_out(self.at / name, f"must be an object, not {kind_of(value)}")
        return {}

    def close(self) -> None:
        """Name what was not taken."""
        for name in self._left:
            if name.startswith("x-"):
                self.notes.tell(self.at / name, "an extension; it has no meaning here")
            else:
                self.notes.leave_out(self.at / name, "this field is not supported")


class Components:
    """What a document says once, to be used by reference."""

    def __init__(self, value: Json, at: Place, notes: Notes) -> None:
        self._at, self._notes = at, notes
        thing = Thing(value, at, notes)
        self._known = {kind: thing.named(kind) for kind in _COMPONENTS}
        thing.close()

    def resolved(self, thing: Thing, kind: str) -> Thing:
        """The object, or the one of the components that its `reference` names; its own fields come first."""
        reference = thing.text("reference")
        if reference is None:
            return thing
        name = reference.removeprefix(f"$components.{kind}.")
        found = self._known[kind].get(name)
        if name == reference or not isinstance(found, dict):
            self._notes.leave_out(thing.at / "reference", f"there is no {reference}")
            return Thing({}, thing.at, self._notes)
        own = {} if (value := thing.take("value")) is None else {"value": value}
        thing.close()
        return Thing({**found, **own}, self._at / kind / name, self._notes)

    def schema(self, value: Json) -> Json:
        """A JSON Schema with its references to `#/components/inputs/…` written out."""
        if isinstance(value, list):
            return [self.schema(one) for one in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/components/inputs/"):
            return self.schema(self._known["inputs"].get(reference.rpartition("/")[2], True))
        return {key: self.schema(one) for key, one in value.items()}
