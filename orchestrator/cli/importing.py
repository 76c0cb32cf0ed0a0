"""`orchestrator import`: Arazzo documents → definitions."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.exits import WRONG
from orchestrator.cli.plain import plain
from orchestrator.jsontype import Json

if TYPE_CHECKING:
    from orchestrator.arazzo import Imported


class Description(click.ParamType[tuple[str, Path]]):
    """A description's name in the document, and where it lies."""

    name = "NAME=FILE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """The two; anything else is a usage error."""
        name, equals, file = str(value).partition("=")
        if not equals or not file:
            self.fail(f"{value} must be such as shop=shop-openapi.yaml", param, ctx)
        return name, Path(file)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--openapi", multiple=True, type=Description(), help="Where a description lies; nothing is fetched.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Write them into this folder.")
@click.option("--partial", is_flag=True, help="Write also where something had to be left out.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def import_(file: Path, openapi: tuple[tuple[str, Path], ...], into: Path | None, partial: bool, force: bool) -> None:
    """Make definitions of an Arazzo document (1.0, 1.1): a file for each of its workflows, or all on standard output.

    What a definition cannot say is named with its place; then nothing is written unless --partial says so.

    \b
    orchestrator import checkout.arazzo.yaml --into workflows
    """
    from orchestrator.arazzo import read_arazzo
    from orchestrator.writing import as_yaml

    imported = read_arazzo(file, dict(openapi))
    left_out = _tell(imported)
    faulty = _check(imported.documents)
    if (left_out and not partial) or faulty:
        if left_out and not partial:
            click.echo(f"{left_out} things were left out, so nothing is written; --partial writes the rest", err=True)
        sys.exit(WRONG)
    for document in imported.documents:
        text = f"# Imported from {file.name}\n{as_yaml(document)}"
        if into is None:
            click.echo(("" if document is imported.documents[0] else "---\n") + text, nl=False)
        else:
            _write(into / f"{document['type']}.yaml", text, force)


def _tell(imported: "Imported") -> int:
    """Say every note, what was left out last, where one looks first; gives back how much was left out."""
    for note in sorted(imported.notes, key=lambda note: note.left_out):
        click.secho(plain(str(note)), fg="red" if note.left_out else "yellow", err=True)
    return sum(note.left_out for note in imported.notes)


def _check(documents: Sequence[Json]) -> bool:
    """Whether any of them is no definition; what is wrong is said."""
    from orchestrator.cli.group import say_error
    from orchestrator.errors import DefinitionError
    from orchestrator.reading import read_document

    faulty = False
    for document in documents:
        try:
            read_document(document, document["type"])
        except DefinitionError as error:
            faulty = True
            say_error(error)
    return faulty


def _write(path: Path, text: str, force: bool) -> None:
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already; --force writes over it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path} written")
