"""The command's frame: its subcommands in sections, and every error a message on standard error with its status."""

from gettext import gettext

import click

from orchestrator.cli.exits import INTERRUPTED, MEANINGS, status_of
from orchestrator.cli.plain import plain
from orchestrator.errors import OrchestratorError


class Sections(click.Group):
    """A group whose help lists the subcommands under headings, in the order in which they were added."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # passed on as they came
        self._sections: dict[str, list[str]] = {}

    def add(self, heading: str, *commands: click.Command) -> None:
        """Put the commands under the heading."""
        for command in commands:
            self.add_command(command)
            assert command.name is not None, "a subcommand has a name"
            self._sections.setdefault(heading, []).append(command.name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every subcommand's name, as added."""
        return [name for names in self._sections.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The headings with what is under them, then what the exit statuses mean."""
        widest = max(len(name) for name in self.list_commands(ctx))
        room = formatter.width - 6 - widest
        for heading, names in self._sections.items():
            rows = [(name.ljust(widest), self.commands[name].get_short_help_str(room)) for name in names]
            with formatter.section(gettext(heading)):
                formatter.write_dl(rows)
        with formatter.section("Exit status"):
            formatter.write_dl([(f"{status:>{widest}}", meaning) for status, meaning in MEANINGS])

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; what it refuses to do is a message, never a traceback."""
        try:
            return super().invoke(ctx)
        except OrchestratorError as error:
            say_error(error)
            ctx.exit(status_of(error))
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)


def say_error(error: Exception) -> None:
    """The error on standard error: on one line where it is one, else below each other."""
    lines = (plain(error) or type(error).__name__).splitlines()
    click.secho("Error:", fg="red", bold=True, nl=len(lines) > 1, err=True)
    for line in lines:
        click.echo(f"  {line}" if len(lines) > 1 else f" {line}", err=True)
