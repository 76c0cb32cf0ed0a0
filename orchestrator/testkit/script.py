"""A file of cases → values, or every fault of it with its line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.definition import Definition
from orchestrator.errors import DefinitionError, Fault
from orchestrator.jsontype import Json
from orchestrator.reading import read_file
from orchestrator.reading.definitions import SCRIPT_MARK, SUFFIXES
from orchestrator.reading.place import Faults, Place
from orchestrator.reading.text import read_text
from orchestrator.states import Effect
from orchestrator.testkit.case import UNSAID, Calls, Case, Expectation, Later, Order, Scripted, Silence
from orchestrator.testkit.fields import CASE, SCRIPT
from orchestrator.testkit.services import without_index
from orchestrator.workflow import undo_of

_SILENCES: tuple[Silence, ...] = ("timeout", "drop", "refuse")
_SURROUNDINGS = ("context", "answers", "vars", "secrets")


@dataclass(frozen=True, slots=True)
class Script:
    """A definition, and the cases of a file about it."""

    path: Path
    definition: Definition
    cases: tuple[Case, ...]


def is_script(path: Path) -> bool:
    """Whether a file's name says that it holds cases."""
    return path.stem.lower().endswith(SCRIPT_MARK)


def scripts_in(folder: Path) -> list[Path]:
    """The scripts in a folder, by name. Raises DefinitionError where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and is_script(path))
    except OSError as error:
        raise DefinitionError([Fault("", f"cannot be read: {error.strerror}", str(folder))]) from None


def read_script(path: Path, against: Path | None = None) -> Script:
    """The script in a file, or beside the definition in it. `against`: another definition than the one it names.

    Raises DefinitionError with every fault of the script, or of the definition.
    """
    if not is_script(path):
        path, against = _beside(path), against or path
    fields, faults = _fields(path)
    definition = read_file(against or _named(path, fields))
    _check_names(fields, definition, Place(faults))
    faults.raise_any()
    shared = {name: fields[name] for name in _SURROUNDINGS if name in fields}
    cases = tuple(
        _case(name, _with(shared, case), faults.line_of(("tests", name))) for name, case in fields["tests"].items()
    )
    return Script(path, definition, cases)


def case_of(written: Json, definition: Definition) -> Case:
    """A case of the definition, written as in a script but for its name. Raises DefinitionError with every fault."""
    at = Place(Faults())
    fields = CASE.read(CASE.settled(written, at), at)
    _check_case(fields, definition, at)
    at.faults.raise_any()
    return _case("", fields, None)


def _beside(definition: Path) -> Path:
    for suffix in (definition.suffix, ".yaml", ".yml", ".json"):
        path = definition.with_name(f"{definition.stem}{SCRIPT_MARK}{suffix}")
        if path.exists():
            return path
    path = definition.with_name(f"{definition.stem}{SCRIPT_MARK}{definition.suffix}")
    raise DefinitionError([Fault("", f"has no cases: {path.name} is not there", str(definition))])


def _named(path: Path, fields: Mapping[str, Json]) -> Path:
    if "definition" in fields:
        return path.parent / str(fields["definition"])
    return path.with_name(path.stem.removesuffix(SCRIPT_MARK) + path.suffix)


def _fields(path: Path) -> tuple[Mapping[str, Json], Faults]:
    try:
        value, faults = read_text(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise DefinitionError([Fault("", "it is not UTF-8", str(path))]) from None
    except OSError as error:
        raise DefinitionError([Fault("", f"cannot be read: {error.strerror}", str(path))]) from None
    at = Place(faults)
    fields = SCRIPT.read(SCRIPT.settled(value, at), at)
    faults.raise_any()
    return fields, faults


def _check_names(fields: Mapping[str, Json], definition: Definition, at: Place) -> None:
    """Every step that is spoken of is one; so is every undo."""
    _check(fields.get("answers", {}), _rows(definition), at / "answers")
    for name, case in fields["tests"].items():
        _check_case(case, definition, at / "tests" / name)


def _check_case(case: Mapping[str, Json], definition: Definition, at: Place) -> None:
    rows, steps = _rows(definition), list(definition.steps)
    expect = case.get("expect", {})
    _check(case.get("answers", {}), rows, at / "answers")
    for field, known in (("steps", rows), ("calls", rows), ("order", steps), ("undone", steps)):
        _check(expect.get(field, ()), known, at / "expect" / field)


def _rows(definition: Definition) -> list[str]:
    undone = [undo_of(name) for name, step in definition.steps.items() if step.compensate is not None]
    return [*definition.steps, *undone]


def _check(names: Mapping[str, Json] | tuple[str, ...], known: list[str], at: Place) -> None:
    for index, name in enumerate(names):
        if without_index(name) not in known:
            hint = at.faults.suggestion(name, known) or f"; there are {', '.join(known[:20])}"
            (at / (name if isinstance(names, Mapping) else index)).fault(f"there is no step '{name}'{hint}")


def _with(shared: Mapping[str, Json], case: Mapping[str, Json]) -> Mapping[str, Json]:
    """The case, with what is said for all cases where it says nothing itself."""
    made = {**shared, **case}
    for name in _SURROUNDINGS:
        if isinstance(shared.get(name), dict) and isinstance(case.get(name), dict):
            made[name] = {**shared[name], **case[name]}
    return made


def _case(name: str, fields: Mapping[str, Json], line: int | None) -> Case:
    answers = fields.get("answers", {})
    return Case(
        name=name,
        context=fields.get("context", {}),
        answers={step: tuple(_scripted(one) for one in answers) for step, answers in answers.items()},
        variables=fields.get("vars", {}),
        secrets=fields.get("secrets", {}),
        orders=tuple(Order(order["at"], order["order"]) for order in fields.get("orders", ())),
        expect=_expectation(fields["expect"]),
        line=line,
    )


def _scripted(fields: Mapping[str, Json]) -> Scripted:
    return Scripted(
        status=fields.get("status", 200),
        body=fields.get("body"),
        headers=fields.get("headers", {}),
        delay=fields.get("delay", 0.0),
        silence=next((word for word in _SILENCES if fields.get(word)), None),
        result=fields.get("result", UNSAID),
        later=tuple(_later(one) for one in fields.get("later", ())),
    )


def _later(fields: Mapping[str, Json]) -> Later:
    return Later(
        after=fields.get("after", 0.0),
        body=fields.get("result"),
        error=fields.get("error", UNSAID),
        effect=Effect(fields.get("effect", Effect.NONE)),
        retryable=fields.get("retryable", True),
        approve=fields.get("approve"),
        comment=fields.get("comment"),
    )


def _expectation(fields: Mapping[str, Json]) -> Expectation:
    return Expectation(
        status=fields.get("status"),
        compensation=fields.get("compensation"),
        output=fields.get("output", UNSAID),
        output_has=fields.get("outputHas", UNSAID),
        error=fields.get("error", UNSAID),
        steps=fields.get("steps", {}),
        calls={step: _calls(calls) for step, calls in fields.get("calls", {}).items()},
        order=fields.get("order"),
        undone=fields.get("undone"),
        within=fields.get("within"),
    )


def _calls(fields: Mapping[str, Json]) -> Calls:
    return Calls(
        count=fields.get("count"),
        method=fields.get("method"),
        url=fields.get("url"),
        payload=fields.get("payload", UNSAID),
        payload_has=fields.get("payloadHas", UNSAID),
        headers=fields.get("headers", {}),
    )
