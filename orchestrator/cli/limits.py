"""`orchestrator limits`: how many calls may go where, and how that stands."""

import getpass

import click

from orchestrator.cli.workflows import as_json_option
from orchestrator.jsontype import Json
from orchestrator.settings import Settings


@click.group(invoke_without_command=True)
@click.pass_context
@as_json_option
def limits(context: click.Context, as_json: bool) -> None:
    """How many calls may go where at once and how fast, and whether they are held back."""
    if context.invoked_subcommand is None:
        _show(as_json)


@limits.command("set")
@click.argument("key")
@click.option("--concurrency", type=int, help="Calls at once, over all workers.")
@click.option("--rate", help="Calls begun in a time: 100/s, 600/m, 5000/h.")
@click.option("--failures", type=int, help="Failures in a row that open the circuit.")
@click.option("--pause", help="How long it stays open before a probe: 30s.")
def set_(key: str, concurrency: int | None, rate: str | None, failures: int | None, pause: str | None) -> None:
    """Set what holds for a KEY, such as a host, whatever definitions say."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger.allowances import set_limit
    from orchestrator.ledger.limiting import is_key
    from orchestrator.reading import read_allowance

    if not is_key(key):
        raise click.UsageError("a key is 1 to 200 visible ASCII characters without / ? # % or \\")
    circuit = {name: value for name, value in (("failures", failures), ("pause", pause)) if value is not None}
    given = {"concurrency": concurrency, "rate": rate, "circuit": circuit or None}
    allowance = read_allowance({name: value for name, value in given.items() if value is not None})
    with opened_ledger(Settings.from_environment()) as ledger:
        set_limit(ledger, key, allowance, getpass.getuser())


@limits.command("unset")
@click.argument("key")
def unset(key: str) -> None:
    """Take back what was set for a KEY."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger.allowances import unset_limit

    with opened_ledger(Settings.from_environment()) as ledger:
        unset_limit(ledger, key)


@limits.command("open")
@click.argument("key")
@click.option("--for", "lasting", default="15m", show_default=True, help="Then one call probes.")
def open_(key: str, lasting: str) -> None:
    """Let no call of a KEY in for a while."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.durations import seconds_in
    from orchestrator.ledger.allowances import open_circuit

    seconds = seconds_in(lasting)
    if not seconds:
        raise click.UsageError("--for takes a duration such as 90s or 15m")
    with opened_ledger(Settings.from_environment()) as ledger:
        open_circuit(ledger, key, seconds)


@limits.command("close")
@click.argument("key")
def close(key: str) -> None:
    """Let calls of a KEY in again."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger.allowances import close_circuit

    with opened_ledger(Settings.from_environment()) as ledger:
        close_circuit(ledger, key)


def _show(as_json: bool) -> None:
    import json

    from orchestrator.cli.opening import opened_ledger
    from orchestrator.ledger.views import limits_view

    with opened_ledger(Settings.from_environment()) as ledger:
        found = limits_view(ledger)
    if as_json:
        click.echo(json.dumps({"limits": found}, indent=2))
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("no limits", err=True)


def _line(limit: Json) -> str:
    allowed = " ".join(
        part
        for part in (
            f"{limit['concurrency']} at once" if limit["concurrency"] is not None else "",
            str(limit["rate"] or ""),
        )
        if part
    )
    return (
        f"{limit['key']}  {limit['state']}  {allowed or 'no bound'}  in use {limit['inUse']}, "
        f"waiting {limit['waiting']}  set by {limit['setBy'] or 'definitions'}"
    )
