"""The application factory: settings in, a Flask app out."""

from collections.abc import Callable, Mapping

from flask import Flask

from orchestrator.definition import Definition
from orchestrator.ledger import Ledger
from orchestrator.settings import Settings
from orchestrator.workflow import Publication
from web import (
    approving,
    bulk,
    callbacks,
    controlling,
    dashboard,
    definitions,
    guarding,
    health,
    limits,
    metrics,
    openapi,
    pacing,
    problems,
    schedules,
    starting,
    starting_many,
    statistics,
    tasks,
    tracing,
    webhooks,
    workflows,
)
from web.bodies import MOST_BYTES
from web.parts import EXTENSION, assembled

BLUEPRINTS = (
    approving.bp,
    callbacks.bp,
    starting.bp,
    workflows.bp,
    bulk.bp,
    controlling.bp,
    definitions.bp,
    statistics.bp,
    webhooks.bp,
    tasks.bp,
    schedules.bp,
    limits.bp,
    starting_many.bp,
    openapi.bp,
    health.bp,
)


def create_app(
    settings: Settings | None = None,
    *,
    ledger: Ledger | None = None,
    definitions: Mapping[str, Definition] | None = None,
    publish: Callable[[Publication], None] | None = None,
) -> Flask:
    """The app for these settings (the environment's where none are given); single parts may be replaced.

    Raises DefinitionError where the definitions' folder has faults. The tables must be there (`orchestrator migrate`).
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider's; steps keep their order
    parts = assembled(settings or Settings.from_environment(), ledger, definitions, publish)
    app.extensions[EXTENSION] = parts
    problems.register(app)
    guarding.register(app, parts.settings)
    pacing.register(app, parts.settings)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    starting.register_entries(app, parts.definitions)
    metrics.register(app, parts)
    tracing.register(app, parts.settings)
    dashboard.register(app, parts.settings)
    return app
