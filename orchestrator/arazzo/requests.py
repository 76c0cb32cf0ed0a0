"""Parameters and request bodies → the fields of a step's request."""

import copy
import json
import re
from collections.abc import Iterable

from orchestrator.arazzo.document import Components, Thing
from orchestrator.arazzo.expressions import Names, Unsupported, literal, template
from orchestrator.arazzo.notes import Notes
from orchestrator.arazzo.openapi import Operation
from orchestrator.jsontype import Json
from orchestrator.reading.place import Place

_FORM = "application/x-www-form-urlencoded"
_WITHOUT_BODY = ("GET", "HEAD")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Request:
    """The request of one step, as it is put together."""

    def __init__(self, operation: Operation, names: Names, notes: Notes, at: Place) -> None:
        self._operation, self._names, self._notes, self._at = operation, names, notes, at
        self._path = literal(operation.path)
        self._fields: dict[str, Json] = {"query": {}, "headers": {}}
        self._cookies: list[str] = []

    def parameters(self, things: Iterable[Thing], components: Components) -> None:
        """Take in parameters; of two with one name and place the first one counts: the step's own."""
        seen: set[tuple[str, str]] = set()
        for one in things:
            thing = components.resolved(one, "parameters")
            name, value = thing.text("name") or "", thing.take("value")
            where = thing.text("in") or self._operation.places.get(name, "")
            thing.close()
            if (name, where) in seen:
                continue
            seen.add((name, where))
            try:
                self._place(name, where, template(value, self._names), one.at)
            except Unsupported as reason:
                self._notes.leave_out(one.at, f"parameter '{name}': {reason}")

    def body(self, thing: Thing | None) -> None:
        """Take in the request body; None where there is none."""
        if thing is None:
            if self._operation.method not in _WITHOUT_BODY:
                self._fields["payload"] = {}
                self._notes.tell(self._at, "has no request body: {} is sent")
            return
        media = (thing.text("contentType") or "application/json").partition(";")[0].strip().lower()
        try:
            payload = self._payload(thing)
            thing.close()
            self._fields["payload"] = template(payload, self._names)
        except Unsupported as reason:
            self._notes.leave_out(thing.at, f"request body: {reason}")
        if media == _FORM:
            self._fields["encoding"] = "form"
        elif media != "application/json" and not media.endswith("+json"):
            self._notes.leave_out(thing.at / "contentType", f"only JSON and forms can be sent, not {media}")

    def fields(self) -> dict[str, Json]:
        """The step's fields."""
        if self._operation.method not in _METHODS:
            self._notes.leave_out(self._at, f"the method {self._operation.method} cannot be called")
        for left in re.findall(r"\{(\w+)\}", re.sub(r"\$\{[^}]*\}", "", self._path)):
            self._notes.leave_out(self._at, f"nothing is said for {{{left}}} in {self._operation.path}")
        if self._cookies:
            self._fields["headers"]["Cookie"] = "; ".join(self._cookies)
        request = {"method": self._operation.method, **{key: one for key, one in self._fields.items() if one != {}}}
        if self._fields.get("payload") == {}:
            request["payload"] = {}
        return {"targetUrl": f"${{vars.{self._operation.variable}}}{self._path}", **request}

    def _place(self, name: str, where: str, value: Json, at: Place) -> None:
        match where:
            case "path":
                if f"{{{name}}}" not in self._path:
                    raise Unsupported(f"{self._operation.path} has no {{{name}}}")
                self._path = self._path.replace(f"{{{name}}}", _text(value))
                if "${" in _text(value):
                    self._notes.tell(at, f"'{name}' is put into the path as it is: it must need no percent-encoding")
            case "query":
                self._fields["query"][name] = value if not isinstance(value, list | dict) else _text(value)
            case "header" if name.lower() == "idempotency-key":
                self._fields["idempotencyKey"] = _text(value)
            case "header":
                self._fields["headers"][name] = _text(value)
            case "cookie":
                self._cookies.append(f"{name}={_text(value)}")
            case _:
                raise Unsupported(f"'{where or 'nothing'}' is no place for it; say path, query, header or cookie")

    def _payload(self, thing: Thing) -> Json:
        payload = thing.take("payload")
        if isinstance(payload, str) and not payload.startswith("$"):
            try:
                payload = json.loads(payload)
            except ValueError:
                raise Unsupported("a payload as a text must be JSON, with every expression within quotes") from None
        payload = copy.deepcopy({} if payload is None else payload)
        for replacement in thing.things("replacements"):
            target, value = replacement.text("target") or "", replacement.take("value")
            replacement.close()
            if not _replace(payload, target, value):
                raise Unsupported(f"the payload has nothing at '{target}' (a JSON Pointer) that could be replaced")
        return payload


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise Unsupported("must be a text, a number or a boolean")


def _replace(payload: Json, pointer: str, value: Json) -> bool:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parts[:-1]:
        payload = _below(payload, part)
    if not parts or not isinstance(payload, dict | list):
        return False
    if isinstance(payload, dict):
        payload[parts[-1]] = value
        return True
    if parts[-1].isdigit() and int(parts[-1]) < len(payload):
        payload[int(parts[-1])] = value
        return True
    return False


def _below(payload: Json, part: str) -> Json:
    if isinstance(payload, dict):
        return payload.get(part)
    if isinstance(payload, list) and part.isdigit() and int(part) < len(payload):
        return payload[int(part)]
    return None
