"""`orchestrator test`, `record`: definitions against scripted answers, without a server; real answers as a script."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.exits import FAILED, WRONG
from orchestrator.cli.known import complete_workflow
from orchestrator.cli.plain import plain
from orchestrator.cli.workflows import as_json_option
from orchestrator.errors import Conflict
from orchestrator.jsontype import Json

if TYPE_CHECKING:
    from orchestrator.testkit.report import Result
    from orchestrator.testkit.script import Script


@click.command("test")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--against", type=click.Path(path_type=Path), help="Try the cases on this definition, not on the one they name."
)
@click.option("-k", "word", default="", metavar="WORD", help="Only the cases whose name holds this word.")
@click.option("-v", "--verbose", is_flag=True, help="Print what happened in the cases that pass too.")
@as_json_option
def test(files: tuple[Path, ...], against: Path | None, word: str, verbose: bool, as_json: bool) -> None:
    """Try definitions on scripted answers: no server is called, and no time passes.

    FILE is a script of cases (order.tests.yaml), a definition beside which one lies, or a folder of scripts.

    \b
    orchestrator test workflows
    orchestrator test order.tests.yaml --against order-changed.yaml
    """
    from orchestrator.cli.group import say_error
    from orchestrator.errors import DefinitionError
    from orchestrator.testkit.report import try_all
    from orchestrator.testkit.script import read_script

    sound, tried = True, []
    for path in _scripts(files):
        try:
            script = read_script(path, against)
        except DefinitionError as error:
            sound = False
            say_error(error)
            continue
        chosen = [case for case in script.cases if word in case.name]
        results = list(try_all(script.definition, chosen))
        tried += [(script, result) for result in results]
        if not as_json:
            _tell(script, results, verbose)
    failed = sum(not result.passed for _, result in tried)
    if as_json:
        from orchestrator.cli.printing import echo_json

        echo_json({"passed": len(tried) - failed, "failed": failed, "cases": [_shown(*each) for each in tried]})
    else:
        click.secho(f"{len(tried) - failed} passed, {failed} failed", fg="red" if failed or not sound else "green")
    sys.exit(WRONG if not sound else FAILED if failed or not tried else 0)


@click.command()
@click.argument("workflow_id", shell_complete=complete_workflow)
def record(workflow_id: str) -> None:
    """Print a finished workflow as a test case: its context (sensitive fields masked), its real answers, its calls.

    \b
    orchestrator record ID > workflows/order.tests.yaml
    orchestrator test workflows/order.tests.yaml --against order-changed.yaml
    """
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger.views import workflow_view
    from orchestrator.ledger.views.history import all_events
    from orchestrator.ledger.views.versions import definition_of
    from orchestrator.settings import Settings
    from orchestrator.testkit.recording import differs, recorded
    from orchestrator.writing import as_yaml

    settings = Settings.from_environment()
    with opened_ledger(settings) as ledger:
        view = workflow_view(ledger, workflow_id)
        if view["completedAt"] is None:
            raise Conflict(f"workflow {workflow_id} is {view['status']}; it can be recorded once it has ended")
        definition = definition_of(ledger, view["definitionVersion"])
        script = recorded(definition, view, all_events(ledger, workflow_id), settings.vars)
    click.echo(as_yaml(script), nl=False)
    for line in differs(script, view):
        click.echo(f"the record, played, ends otherwise than the workflow did: {plain(line)}", err=True)


def _scripts(files: tuple[Path, ...]) -> list[Path]:
    from orchestrator.testkit.script import scripts_in

    return [path for file in files for path in (scripts_in(file) if file.is_dir() else [file])]


def _tell(script: "Script", results: list["Result"], verbose: bool) -> None:
    from orchestrator.testkit.report import place_of

    click.secho(f"{script.path}: {script.definition.type}", bold=True)
    for result in results:
        mark, colour = ("✓", "green") if result.passed else ("✗", "red")
        where = "" if result.passed else f"  ({place_of(script.path, result.case)})"
        click.secho(f"  {mark} ", fg=colour, nl=False)
        click.echo(plain(f"{result.case.name}{where}"))
        for line in result.explanation() if verbose or not result.passed else ():
            click.echo(f"      {plain(line)}".rstrip())


def _shown(script: "Script", result: "Result") -> Json:
    return {
        "file": str(script.path),
        "line": result.case.line,
        "case": result.case.name,
        "passed": result.passed,
        "unmet": [{"place": one.place, "expected": one.expected, "happened": one.happened} for one in result.unmet],
        "timeline": result.run.timeline(),
    }
