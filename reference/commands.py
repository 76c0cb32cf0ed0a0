"""The command and its subcommands, as their own help says them."""

import click

from orchestrator.cli import orchestrator
from orchestrator.cli.exits import MEANINGS
from reference.tables import table


def command_page() -> str:
    """Every subcommand's help, the exit statuses, and completion."""
    context = click.Context(orchestrator, info_name="orchestrator", max_content_width=100, terminal_width=100)
    parts = ["# The command", "", "```text", orchestrator.get_help(context).rstrip(), "```", ""]
    for name in orchestrator.list_commands(context):
        command = orchestrator.get_command(context, name)
        assert command is not None, "a listed command is there"
        within = click.Context(command, parent=context, info_name=name, max_content_width=100, terminal_width=100)
        parts += [f"## orchestrator {name}", "", "```text", command.get_help(within).rstrip(), "```", ""]
    statuses = table(("status", "means"), [(str(status), meaning) for status, meaning in MEANINGS])
    parts += ["## Exit statuses", "", statuses, _COMPLETION]
    return "\n".join(parts)


_COMPLETION = """## For scripts

`--json` prints one JSON document on standard output, what the API answers; progress and warnings go to standard error.
In a pipe nothing is coloured, folded or cut: `orchestrator events ID | grep step.retrying` sees whole lines.

## Shell completion

Commands, options and the types of definitions are completed once the shell knows how:

```sh
eval "$(_ORCHESTRATOR_COMPLETE=bash_source orchestrator)"     # bash: into ~/.bashrc
eval "$(_ORCHESTRATOR_COMPLETE=zsh_source orchestrator)"      # zsh: into ~/.zshrc
_ORCHESTRATOR_COMPLETE=fish_source orchestrator | source      # fish: into ~/.config/fish/config.fish
```
"""
