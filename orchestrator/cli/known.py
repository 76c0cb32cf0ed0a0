"""The definitions that an installation knows: by their type, and as a shell completes it."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from orchestrator.errors import NotFound, OrchestratorError
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.definition import Definition


def known_definition(settings: Settings, wanted: str) -> "Definition":
    """The definition of a type. Raises NotFound with what may be meant, DefinitionError for a folder with faults."""
    from orchestrator.reading import read_folder

    known = read_folder(settings.definitions)
    if wanted in known:
        return known[wanted]
    meant = get_close_matches(wanted, known, n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"there are: {', '.join(sorted(known)) or 'none'}"
    raise NotFound(f"{settings.definitions} has no definition of type {wanted}; {hint}")


def complete_type(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The types that begin so; none where the folder cannot be read: nobody wants an error while typing."""
    from orchestrator.reading import read_folder

    try:
        known = read_folder(Settings.from_environment().definitions)
    except OrchestratorError:
        return []
    return [each for each in known if each.startswith(incomplete)]
