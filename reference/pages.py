"""All generated pages: the file's name, and its text."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from reference.calls import api_page
from reference.commands import command_page
from reference.fields import definition_page, script_page
from reference.settings import settings_page
from reference.words import events_page, expressions_page, statuses_page

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by `python -m reference` from the code: change that, not this. -->\n\n"


@cache
def pages() -> Mapping[str, str]:
    """The pages as they should be."""
    made = {
        "definitions.md": definition_page(),
        "test-scripts.md": script_page(),
        "expressions.md": expressions_page(),
        "command.md": command_page(),
        "api.md": api_page(),
        "environment.md": settings_page(),
        "statuses.md": statuses_page(),
        "events.md": events_page(),
    }
    return {name: NOTE + text.rstrip() + "\n" for name, text in made.items()}
