"""An Arazzo document → a definition for each of its workflows."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from orchestrator.arazzo.criteria import condition
from orchestrator.arazzo.document import Components, Thing
from orchestrator.arazzo.expressions import Names, Unsupported, member, selected, template
from orchestrator.arazzo.jumps import Actions, After, Jump
from orchestrator.arazzo.notes import Note, Notes
from orchestrator.arazzo.openapi import Description, Operation, read_description, variable_of
from orchestrator.arazzo.requests import Request
from orchestrator.errors import DefinitionError, Fault
from orchestrator.jsontype import Json
from orchestrator.reading.place import Place
from orchestrator.reading.text import read_text

_POINTER = re.compile(r"\{\$sourceDescriptions\.([^.}]+)\.url\}#/paths/([^/]+)/(\w+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Imported:
    """The definitions, as documents, and what there is to say."""

    documents: Sequence[Json]
    notes: Sequence[Note]


def read_arazzo(path: Path, given: Mapping[str, Path]) -> Imported:
    """The workflows of the document in a file. `given` are descriptions that lie elsewhere than their `url` says.

    Raises DefinitionError where the document or a description cannot be read at all.
    """
    try:
        value, faults = read_text(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        message = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DefinitionError([Fault("", f"cannot be read: {message}", str(path))]) from None
    faults.raise_any()
    if not isinstance(value, dict) or not re.match(r"1\.[01]\.", str(value.get("arazzo", ""))):
        raise DefinitionError([Fault("arazzo", "is no Arazzo document of version 1.0 or 1.1", str(path))])
    notes = Notes(faults)
    document = Thing(value, Place(faults), notes)
    for known in ("arazzo", "info", "$self"):
        document.take(known)
    apis = _Apis(document.things("sourceDescriptions"), path.parent, given, notes)
    components = Components(document.take("components", {}), document.at / "components", notes)
    made = [_Workflow(thing, apis, components, notes).document() for thing in document.things("workflows")]
    document.close()
    apis.tell()
    return Imported(made, tuple(notes.found))


class _Apis:
    """The described APIs, and which of their servers are called."""

    def __init__(self, sources: Iterable[Thing], folder: Path, given: Mapping[str, Path], notes: Notes) -> None:
        self._notes = notes
        self._known: dict[str, Description] = {}
        self._used: dict[str, Place] = {}
        for thing in sources:
            name, url, kind = thing.text("name") or "", thing.text("url") or "", thing.text("type") or "openapi"
            thing.close()
            if kind != "openapi":
                notes.leave_out(thing.at, f"a description of type {kind}; only openapi is supported")
            elif name in given or "://" not in url:
                self._known[name] = read_description(name, given.get(name, folder / url))
            else:
                notes.leave_out(thing.at / "url", f"nothing is fetched; say where it lies: --openapi {name}=FILE")

    def by_id(self, reference: str, at: Place) -> Operation:
        """The operation that an `operationId` names, with its description's name or without."""
        prefixed = re.fullmatch(r"\$sourceDescriptions\.([^.]+)\.(.+)", reference)
        wanted = prefixed[2] if prefixed else reference
        found = [
            operation
            for name, description in self._known.items()
            if prefixed is None or prefixed[1] == name
            for own, operation in description.operations()
            if own == wanted
        ]
        return self._one(found, f"operation '{reference}'", at)

    def by_path(self, reference: str, at: Place) -> Operation:
        """The operation at an `operationPath`."""
        pointer = _POINTER.fullmatch(reference)
        if pointer is None:
            raise Unsupported("must be such as {$sourceDescriptions.shop.url}#/paths/~1orders/post")
        source, path, method = pointer[1], pointer[2].replace("~1", "/").replace("~0", "~"), pointer[3].upper()
        described = self._known[source].operations() if source in self._known else ()
        found = [operation for _, operation in described if (operation.path, operation.method) == (path, method)]
        return self._one(found, f"{method} {path} in '{source}'", at)

    def tell(self) -> None:
        """Which variables say where the servers are."""
        for name, at in self._used.items():
            server = self._known[name].server
            told = f"={server}" if server else ", the address of its server"
            self._notes.tell(at, f"its server is read from ${{vars.{variable_of(name)}}}: set ORCHESTRATOR_VAR_"
                                 f"{variable_of(name)}{told}")  # fmt: skip

    def _one(self, found: list[Operation], what: str, at: Place) -> Operation:
        if len(found) != 1:
            raise Unsupported(f"there is no {what}" if not found else f"{what} is in several descriptions; say which")
        self._used.setdefault(found[0].source, at)
        if found[0].secured:
            self._notes.tell(at, "the operation asks for credentials: say them with `auth`")
        return found[0]


class _Workflow:
    """One workflow on its way to a definition."""

    def __init__(self, thing: Thing, apis: _Apis, components: Components, notes: Notes) -> None:
        self._thing, self._apis, self._components, self._notes = thing, apis, components, notes
        self._steps = list(thing.things("steps"))
        ids = [step.text("stepId") or f"step{at}" for at, step in enumerate(self._steps, 1)]
        self._called = {own: _name(own) for own in ids}
        self._ids = ids
        self._outputs = {own: step.named("outputs") for own, step in zip(ids, self._steps, strict=True)}
        self._names = Names(self._called, {own: frozenset(outputs) for own, outputs in self._outputs.items()})
        self._order = self._ordered()
        self._parameters = list(thing.things("parameters"))
        self._actions = [list(thing.things(field)) for field in ("successActions", "failureActions")]

    def document(self) -> Json:
        """The definition's document."""
        thing = self._thing
        own = thing.text("workflowId") or "workflow"
        if _name(own) != own:
            self._notes.tell(thing.at / "workflowId", f"its type is {_name(own)}")
        described = " ".join(filter(None, (thing.text("summary"), thing.text("description"))))
        made: dict[str, Json] = {"type": _name(own), **({"description": described} if described else {})}
        if (schema := thing.take("inputs")) is not None:
            made["input"] = self._components.schema(schema)
            made |= self._sensitive(made["input"])
        if thing.take("dependsOn"):
            self._notes.leave_out(thing.at / "dependsOn", "waiting for other workflows; start this one when they ended")
        afters: dict[str, After] = {}
        drafts = {self._called[own]: self._step(own, afters) for own in self._order}
        self._connect(drafts, [jump for after in afters.values() for jump in after.jumps])
        made["steps"] = drafts
        if output := self._output():
            made["output"] = output
        thing.close()
        return made

    def _sensitive(self, schema: Json) -> dict[str, Json]:
        """Passwords, as their format says: masked, and sent only to steps that name them."""
        properties = schema.get("properties") if isinstance(schema, dict) else None
        passwords = [
            f"context.{name}"
            for name, one in (properties or {}).items()
            if isinstance(one, dict) and one.get("format") == "password" and _PLAIN.fullmatch(name)
        ]
        if passwords:
            self._notes.tell(self._thing.at / "inputs", f"{', '.join(passwords)}: encrypted and masked (`sensitive`)")
        return {"sensitive": passwords} if passwords else {}

    def _ordered(self) -> list[str]:
        """As they are written, but for steps whose `dependsOn` (1.1) names a later one: that goes first."""
        needs: dict[str, list[str]] = {}
        for own, step in zip(self._ids, self._steps, strict=True):
            references = step.take("dependsOn", [])
            wanted = [str(one).removeprefix("$steps.") for one in references if isinstance(one, str)]
            needs[own] = [one for one in wanted if one in self._called]
            for one in set(wanted) - set(needs[own]):
                self._notes.leave_out(step.at / "dependsOn", f"'{one}' is no step of this workflow")
        ordered: list[str] = []
        while rest := [own for own in self._ids if own not in ordered]:
            ready = next((own for own in rest if set(needs[own]) <= set(ordered)), None)
            if ready is None:
                self._notes.leave_out(self._thing.at / "steps", f"{', '.join(rest)} depend on each other")
                return ordered + rest
            ordered.append(ready)
        return ordered

    def _step(self, own: str, afters: dict[str, After]) -> dict[str, Json]:
        thing = self._steps[self._ids.index(own)]
        thing.take("description")  # a definition's steps have names, and no more words
        operation = self._operation(thing)
        fields: dict[str, Json] = {"targetUrl": "https://example.invalid/"}
        own_parameters = list(thing.things("parameters"))
        body = thing.take("requestBody")
        if operation is not None:
            request = Request(operation, self._names, self._notes, thing.at)
            request.parameters([*own_parameters, *self._parameters], self._components)
            request.body(None if body is None else Thing(body, thing.at / "requestBody", self._notes))
            fields = request.fields()
        if success := self._said(lambda: condition(thing.things("successCriteria"), self._names), thing.at):
            fields["success"] = f"${{{success}}}"
        afters[own] = after = self._after(own, thing)
        if result := self._result(own, thing, after):
            fields["result"] = f"${{{result}}}"
        thing.close()
        return {**fields, **after.fields}

    def _operation(self, thing: Thing) -> Operation | None:
        by_id, by_path = thing.text("operationId"), thing.text("operationPath")
        for field in ("workflowId", "channelPath", "action", "correlationId", "timeout"):
            if thing.take(field) is not None:
                told = "running another workflow" if field == "workflowId" else f"the field '{field}'"
                self._notes.leave_out(thing.at / field, f"{told} is not supported")
        try:
            if by_id is not None:
                return self._apis.by_id(by_id, thing.at)
            if by_path is not None:
                return self._apis.by_path(by_path, thing.at)
        except Unsupported as reason:
            self._notes.leave_out(thing.at, str(reason))
            return None
        self._notes.leave_out(thing.at, "a step without operationId or operationPath")
        return None

    def _after(self, own: str, thing: Thing) -> After:
        later = [self._called[one] for one in self._order[self._order.index(own) + 1 :]]
        lists = []
        for field, of_all in zip(("onSuccess", "onFailure"), self._actions, strict=True):
            actions = list(thing.things(field))
            lists.append([*actions, *of_all])
        return Actions(self._names, self._components).read(self._called[own], later, *lists)

    def _result(self, own: str, thing: Thing, after: After) -> str | None:
        parts = dict(after.flags)
        for name, value in self._outputs[own].items():
            at = thing.at / "outputs" / name
            if (read := self._said(partial(selected, value, self._names), at)) is not None:
                parts[name] = read
        if not parts:
            return None
        return "{" + ", ".join(f"{member(name)}: {read}" for name, read in parts.items()) + "}"

    def _connect(self, drafts: dict[str, dict[str, Json]], jumps: list[Jump]) -> None:
        """Each step after the one before it; what a jump passes over has its condition, and its target waits for it."""
        names = list(drafts)
        for before, name in pairwise(names):
            drafts[name]["waitFor"] = [before]
        for jump in jumps:
            start = names.index(jump.origin)
            end = len(names) if jump.target is None else names.index(jump.target)
            for name in names[start + 1 : end]:
                known = drafts[name].get("when")
                drafts[name]["when"] = jump.not_taken() if known is None else f"{known} && {jump.not_taken()}"
            if jump.target is not None and jump.origin not in drafts[jump.target]["waitFor"]:
                drafts[jump.target]["waitFor"].append(jump.origin)

    def _output(self) -> dict[str, Json]:
        made = {}
        for name, value in self._thing.named("outputs").items():
            at = self._thing.at / "outputs" / name
            read = self._said(partial(template, value, self._names), at)
            if read is not None:
                made[name] = read
        return made

    def _said(self, read: Callable[[], Json], at: Place) -> Json:
        try:
            return read()
        except Unsupported as reason:
            self._notes.leave_out(at, str(reason))
            return None


def _name(own: str) -> str:
    """A name that a definition may use: a letter first, then letters, digits, _ and -."""
    made = _NAME.sub("-", own).strip("-")[:64]
    return made if made[:1].isalpha() else f"w-{made}"[:64]
