"""What an installation knows: a definition by its type, and types and workflows as a shell completes them."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from orchestrator.errors import NotFound, OrchestratorError
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from orchestrator.definition import Definition

MOST_COMPLETED = 200
"""Workflows, the newest, of which a shell completes the ids."""


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


def complete_workflow(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """The newest workflows whose ids begin so, with what they are; none where there is no ledger."""
    from click.shell_completion import CompletionItem

    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger.views import Filters, workflows_page

    try:
        with opened_ledger(Settings.from_environment()) as ledger:
            page = workflows_page(ledger, Filters(), limit=MOST_COMPLETED)
    except OrchestratorError:
        return []
    return [
        CompletionItem(each["workflowId"], help=f"{each['type']} {each['status']}")
        for each in page["workflows"]
        if each["workflowId"].startswith(incomplete)
    ]
