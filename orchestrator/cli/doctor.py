"""`orchestrator doctor`: what is wrong with this installation, and how to mend it."""

import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli.exits import FAILED, OK
from orchestrator.cli.workflows import as_json_option
from orchestrator.errors import SettingsError

if TYPE_CHECKING:
    from orchestrator.cli.checks.finding import Finding


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Look for what is wrong with this installation, and say how to mend it.

    Exit status 1 where something is wrong; what is only doubtful does not count.
    """
    from dataclasses import asdict

    from orchestrator.cli.checks.finding import wrong
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import findings_text

    try:
        findings = _findings()
    except SettingsError as error:
        findings = [wrong("settings", line, "correct it in the environment") for line in str(error).splitlines()]
    tell([asdict(finding) for finding in findings], as_json=as_json, draw=findings_text)
    sys.exit(FAILED if any(finding.verdict == "wrong" for finding in findings) else OK)


def _findings() -> "list[Finding]":
    from orchestrator.cli.checks.broker import check_broker
    from orchestrator.cli.checks.ledger import check_ledger
    from orchestrator.cli.checks.settings import check_settings
    from orchestrator.cli.checks.workers import check_workers
    from orchestrator.cli.only_ours import only_our_celery
    from orchestrator.settings import Settings

    settings = Settings.from_environment()
    only_our_celery()
    import celeryconfig

    return [
        *check_settings(settings),
        *check_ledger(settings),
        *check_broker(settings, celeryconfig.broker_transport_options),
        *check_workers(settings),
    ]
