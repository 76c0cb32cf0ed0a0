"""`orchestrator web`: the API and the pages, behind a production server."""

import click

from orchestrator.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_535), help="Port to listen on.")
def web(host: str, port: int) -> None:
    """Serve the API and the pages until a signal ends it.

    On an address that others can reach it asks for ORCHESTRATOR_API_KEYS. Missing migrations are applied first.
    """
    from orchestrator.cli.only_ours import only_our_celery
    from orchestrator.cli.opening import PATIENCE, bring_up_tables, tell_if_no_redis
    from orchestrator.supervisor import check_port
    from web.serving import serve

    settings = Settings.from_environment()
    check_port(host, port)
    bring_up_tables(settings, PATIENCE)
    tell_if_no_redis(settings)
    only_our_celery()
    serve(settings, host, port)
