"""`orchestrator webhooks`: the delivery log, sending again what a receiver has lost, and the secret that signs."""

import click

from orchestrator.cli.workflows import as_json_option
from orchestrator.settings import Settings


@click.group()
def webhooks() -> None:
    """What was told of workflows that ended, and whether it was taken."""


@webhooks.command("list")
@click.option("--status", type=click.Choice(["pending", "delivered", "failed"]), help="Only those.")
@click.option("--workflow", "workflow_id", help="Only those of this workflow.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="At most so many.")
@as_json_option
def list_(status: str | None, workflow_id: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.cli.rendering import deliveries_table
    from orchestrator.ledger.views.deliveries import deliveries_page

    with opened_ledger(Settings.from_environment()) as ledger:
        page = deliveries_page(ledger, status, workflow_id, None, limit)
    tell(page, as_json=as_json, draw=deliveries_table)


@webhooks.command()
@click.argument("delivery_id")
@as_json_option
def redeliver(delivery_id: str, as_json: bool) -> None:
    """Send one again now, under the same id; an endpoint that was gone (410) is asked again."""
    from orchestrator.cli.opening import opened_ledger
    from orchestrator.cli.printing import tell
    from orchestrator.ledger import deliveries
    from orchestrator.ledger.views.deliveries import delivery_view

    with opened_ledger(Settings.from_environment()) as ledger:
        deliveries.redeliver(ledger, delivery_id)
        told = delivery_view(ledger, delivery_id)
    tell(told, as_json=as_json, draw=lambda told: f"{told['deliveryId']} will be sent again to {told['url']}")


@webhooks.command()
def secret() -> None:
    """Print the secret that receivers verify with, where a definition names none of its own."""
    from orchestrator.signing import derived

    settings = Settings.from_environment()
    click.echo((settings.webhook_secrets or derived(settings.key().split(",")))[0])
