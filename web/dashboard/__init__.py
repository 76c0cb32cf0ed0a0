"""The dashboard: the ledger as pages for people. Server-rendered; one small script keeps what is shown up to date.

In reading order:

- `pages`: how each page is rendered and guarded by headers, problems as pages included;
- `sessions`: the login with an API key, and the token that each form brings back; `proxied`: a login by a proxy;
- `board`: all workflows, found by filters; those that need a person first;
- `workflow`: one workflow with its graph, timeline, steps and events; `ordering`: its buttons;
- `step`, `audit`: one step or item on a page of its own; the whole audit log;
- `streaming`: telling a browser the moment something changed;
- `catalogue`: definitions, the canvas they become, how their steps went;
- `limiting`: limits and circuits; `workers`: who works, what waits;
- `clockwork`: schedules, and what webhooks were told;
- `diagram`, `mosaic`, `gantt`, `waiting`, `steps`, `filling`: from the API's JSON to what the templates draw, pure;
- `words`: statuses, times and JSON as people read them.
"""

from flask import Blueprint, Flask

from orchestrator.settings import Settings
from web.dashboard import pages, sessions, words
from web.dashboard.audit import bp as audit
from web.dashboard.board import bp as board
from web.dashboard.catalogue import bp as catalogue
from web.dashboard.clockwork import bp as clockwork
from web.dashboard.limiting import bp as limiting
from web.dashboard.ordering import bp as ordering
from web.dashboard.step import bp as step
from web.dashboard.streaming import bp as streaming
from web.dashboard.workers import bp as workers
from web.dashboard.workflow import bp as workflow

__all__ = ["register"]


def register(app: Flask, settings: Settings) -> None:
    """Add the dashboard to an app whose parts and guards are there."""
    bp = Blueprint(
        "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
    )
    sessions.guard(app, bp, settings)
    words.register(bp)
    pages.register(app, bp)
    for child in (
        sessions.bp,
        board,
        workflow,
        step,
        audit,
        ordering,
        streaming,
        catalogue,
        clockwork,
        limiting,
        workers,
    ):
        bp.register_blueprint(child)
    app.register_blueprint(bp)
