"""`orchestrator migrate`: the tables as this release needs them."""

import click

from orchestrator.settings import Settings
from orchestrator.urls import masked


@click.command()
def migrate() -> None:
    """Make the ledger's tables, or bring them to this release. Changes nothing where that is done."""
    from orchestrator.cli.opening import bring_up_tables
    from orchestrator.ledger.migrating import latest

    settings = Settings.from_environment()
    bring_up_tables(settings)
    click.echo(f"{masked(settings.database_url)} is at revision {latest()}")
