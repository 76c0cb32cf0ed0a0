"""`orchestrator validate`, `plan`, `schema`: definitions, without a server."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from orchestrator.cli.exits import WRONG
from orchestrator.cli.known import complete_type, known_definition
from orchestrator.cli.plain import plain
from orchestrator.cli.workflows import as_json_option
from orchestrator.jsontype import Json
from orchestrator.settings import Settings

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check definition files, or folders of them; every fault is listed with its line.

    What is right and may not be meant is said too: a field of the context that a start may leave out, a variable or a
    secret that is not set here, an address that may not be called. That is no fault: the exit status stays 0.
    """
    from orchestrator.cli.printing import echo_json

    checked = [each for path in files for each in _checked(path)]
    if as_json:
        echo_json(checked)
    else:
        _tell(checked)
    if any(each["faults"] for each in checked):
        sys.exit(WRONG)


def _checked(path: Path) -> Iterator[Json]:
    from orchestrator.errors import DefinitionError
    from orchestrator.reading import read_file, read_folder
    from orchestrator.wants import doubts, told_of_addresses, unset_variables, withheld_addresses

    try:
        found = read_folder(path).values() if path.is_dir() else [read_file(path)]
    except DefinitionError as error:
        faults = [asdict(fault) | {"text": str(fault)} for fault in error.faults]
        yield {"file": str(path), "type": None, "steps": None, "faults": faults, "doubts": []}
        return
    settings = Settings.from_environment()
    for definition in found:
        told = doubts(definition)
        told += [f"{name} is not set here" for name in unset_variables([definition], settings)]
        told += [told_of_addresses(*each) for each in withheld_addresses([definition], settings).items()]
        shown = {"type": definition.type, "steps": len(definition.steps)}
        yield {"file": str(path), **shown, "faults": [], "doubts": told}


def _tell(checked: list[Json]) -> None:
    from orchestrator.cli.group import say_error
    from orchestrator.errors import DefinitionError, Fault

    for each in checked:
        if each["faults"]:
            say_error(DefinitionError(Fault("", fault["text"]) for fault in each["faults"]))
            continue
        click.echo(f"{each['type']}: {each['steps']} steps, no fault")
        for doubt in each["doubts"]:
            click.secho(plain(f"  {doubt}"), fg="yellow", err=True)


@click.command()
@click.argument("file_or_type", metavar="FILE|TYPE", shell_complete=complete_type)
@click.option("--mermaid", is_flag=True, help="Print the graph for Mermaid instead.")
def plan(file_or_type: str, mermaid: bool) -> None:
    """Print what a definition becomes: its graph, and the Celery canvases that carry it.

    A TYPE is one of the definitions in the folder ORCHESTRATOR_DEFINITIONS.
    """
    from orchestrator import drawing
    from orchestrator.reading import read_file

    file = Path(file_or_type)
    is_type = NAME.fullmatch(file_or_type) is not None and not file.exists()
    definition = known_definition(Settings.from_environment(), file_or_type) if is_type else read_file(file)
    if mermaid:
        return click.echo(drawing.mermaid(definition.plan))
    columns = shutil.get_terminal_size((100, 40)).columns
    click.secho(f"{definition.type}: {len(definition.steps)} steps", bold=True)
    click.echo(f"\n{drawing.picture(definition.plan, columns=columns)}\n")
    click.secho("as Celery canvases", bold=True)
    return click.echo(f"\n{drawing.canvases(definition.plan, columns=columns)}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of definitions, for editors."""
    from orchestrator.schema import definition_schema

    click.echo(json.dumps(definition_schema(), indent=2))
