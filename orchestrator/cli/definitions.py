"""`orchestrator validate`, `plan`, `schema`: definitions, without a server."""

import json
import re
import shutil
import sys
from pathlib import Path

import click

from orchestrator.cli.exits import WRONG
from orchestrator.cli.known import complete_type, known_definition
from orchestrator.settings import Settings

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> None:
    """Check definition files, or folders of them; every fault is listed with its line."""
    from orchestrator.cli.group import say_error
    from orchestrator.errors import DefinitionError
    from orchestrator.reading import read_file, read_folder

    sound = True
    for path in files:
        try:
            found = read_folder(path) if path.is_dir() else {path.name: read_file(path)}
        except DefinitionError as error:
            sound = False
            say_error(error)
        else:
            for definition in found.values():
                click.echo(f"{definition.type}: {len(definition.steps)} steps, no fault")
    if not sound:
        sys.exit(WRONG)


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
