"""A text, a JSON value or a folder → definitions, or every fault at once."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.definition import Definition
from orchestrator.errors import DefinitionError, Fault
from orchestrator.fitting import faults_in
from orchestrator.jsontype import Json
from orchestrator.reading.awaiting import check_awaiting
from orchestrator.reading.building import build_definition
from orchestrator.reading.canonical import canonical, check_size
from orchestrator.reading.checks import (
    check_call,
    check_entry,
    check_items,
    check_kind,
    check_output,
    check_reads,
    check_results,
    check_tasks,
)
from orchestrator.reading.edges import ordered, read_edges, read_fallbacks
from orchestrator.reading.fields import DEFINITION
from orchestrator.reading.place import Faults, Place
from orchestrator.reading.text import MAX_TEXT, read_text

SUFFIXES = (".yaml", ".yml", ".json")

SCRIPT_MARK = ".tests"
"""What stands before the suffix where a file beside a definition holds its test cases: `order.tests.yaml`."""


def read_definition(text: str, source: str) -> Definition:
    """The definition in the text of a file; `source` names it in faults, and JSON is meant where it ends so.

    Raises DefinitionError with every fault.
    """
    value, faults = read_text(text, source)
    return _read(value, faults)


def read_file(path: Path) -> Definition:
    """The definition in one file, which faults name as `path` was given. Raises DefinitionError with every fault."""
    return read_definition(_text_of(path, str(path)), str(path))


def read_document(document: Json, source: str | None = None) -> Definition:
    """The definition in a JSON value: one that was posted, or `Definition.document` again.

    Raises DefinitionError with every fault.
    """
    return _read(document, Faults(source))


def read_folder(folder: Path) -> dict[str, Definition]:
    """The definitions in a folder's files (`*.yaml`, `*.yml`, `*.json`; test cases left out), by type.

    Raises DefinitionError with every fault of every file; two files with one type or one entry are faults too.
    """
    faults: list[Fault] = []
    read: dict[str, Definition] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if _holds_definition(path))
    except OSError as error:
        raise DefinitionError([Fault("", f"cannot be read: {error.strerror}", str(folder))]) from None
    for path in paths:
        try:
            read[path.name] = read_definition(_text_of(path, path.name), path.name)
        except DefinitionError as error:
            faults += error.faults
    faults += [*_repeated(read, "type"), *_repeated(read, "entry"), *_endless(read)]
    if faults:
        raise DefinitionError(faults)
    return {definition.type: definition for definition in read.values()}


def _read(value: Json, faults: Faults) -> Definition:
    at = Place(faults)
    document = canonical(DEFINITION.settled(value, at), at)
    check_size(document, at)
    fields = DEFINITION.read(document, at)
    drafts = fields.get("steps", {})
    steps = at / "steps"
    after = read_edges(drafts, steps)
    graph = ordered(after, read_fallbacks(drafts, after, steps), steps)  # empty where there is a circle
    check_reads(drafts, graph, steps)
    check_items(drafts, fields.get("sensitive", ()), steps)
    for name, draft in drafts.items():
        check_kind(fields.get("type"), document["steps"][name], steps / name)
        check_call(draft, steps / name)
        check_awaiting(draft, steps / name)
    check_results(drafts, fields.get("sensitive", ()), steps)
    check_tasks(drafts, fields.get("sensitive", ()), steps)
    if "output" in fields:
        check_output(fields["output"], fields.get("sensitive", ()), drafts, at / "output")
    if fields.get("schedule") is not None and fields.get("input") is not None:
        for fault in faults_in(fields["schedule"].get("context", {}), fields["input"]):
            (at / "schedule").fault(f"{fault.place} {fault.message}")
    if "entry" in fields:
        check_entry(fields["entry"], at / "entry")
    faults.raise_any()
    return build_definition(fields, document, after, graph)


def _holds_definition(path: Path) -> bool:
    is_script = path.stem.lower().endswith(SCRIPT_MARK)
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and not is_script


def _text_of(path: Path, source: str) -> str:
    try:
        if path.stat().st_size > 4 * MAX_TEXT:
            raise DefinitionError([Fault("", f"it is longer than {MAX_TEXT} characters", source)])
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DefinitionError([Fault("", "it is not UTF-8", source)]) from None
    except OSError as error:
        raise DefinitionError([Fault("", f"cannot be read: {error.strerror}", source)]) from None


def _endless(read: dict[str, Definition]) -> list[Fault]:
    """A fault for each step that starts a workflow which would, by way of others, start this one again."""
    of_type = {definition.type: definition for definition in read.values()}
    started = {
        type_: [step.child.type for step in definition.steps.values() if step.child is not None]
        for type_, definition in of_type.items()
    }
    faults: list[Fault] = []
    for source, definition in read.items():
        for name, step in definition.steps.items():
            if step.child is not None and definition.type in _all_started(started, step.child.type):
                message = f"starts {step.child.type}, which starts {definition.type} again, for ever"
                faults.append(Fault(f"steps.{name}.workflow", message, source))
    return faults


def _all_started(started: Mapping[str, list[str]], type_: str) -> set[str]:
    found: set[str] = set()
    waiting = [type_]
    while waiting:
        for following in started.get(waiting.pop(), ()):
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found


def _repeated(read: dict[str, Definition], field: str) -> list[Fault]:
    """A fault for each file that says the same as one before it, where every file must say something else."""
    first: dict[str, str] = {}
    faults: list[Fault] = []
    for name, definition in read.items():
        value = definition.type if field == "type" else definition.entry
        if value is not None and first.setdefault(value, name) != name:
            faults.append(Fault(field, f"'{value}' is the {field} of {first[value]} already", name))
    return faults
