"""What the views work with: the ledger, the definitions that can be started, the key, the way to the workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from flask import current_app

from orchestrator.definition import Definition
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.starter import Starter
from orchestrator.reading import read_folder
from orchestrator.request import Surroundings, surroundings
from orchestrator.sealing import Sealer
from orchestrator.settings import Settings
from orchestrator.workflow import Publication
from tasks import step
from tasks.dispatch import FEW, Dispatch
from tasks.posting import Posting

EXTENSION = "orchestrator"
CONNECTIONS = 5
"""To the database, of one process; twice as many where many requests come at once."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One app's parts; safe to use from any thread. `publish` never raises for a broker that is away."""

    settings: Settings
    ledger: Ledger
    starter: Starter
    definitions: Mapping[str, Definition]
    sealer: Sealer
    publish: Callable[[Publication], None]
    around: Surroundings


def assembled(
    settings: Settings,
    ledger: Ledger | None = None,
    definitions: Mapping[str, Definition] | None = None,
    publish: Callable[[Publication], None] | None = None,
) -> Parts:
    """The parts as given, and from the settings where not. Nothing is connected yet."""
    ledger = ledger or _ledger(settings)
    return Parts(
        settings=settings,
        ledger=ledger,
        starter=Starter(ledger),
        definitions=read_folder(settings.definitions) if definitions is None else definitions,
        sealer=Sealer(settings.key().split(",")),
        publish=publish or Posting(Dispatch(step, at_once=FEW, by_pattern=True).send),
        around=surroundings(settings),
    )


def _ledger(settings: Settings) -> Ledger:
    database = Database(settings.database_url, pool_size=CONNECTIONS)
    return Ledger(database, settings.vars, destinations=len(settings.notify))


def parts() -> Parts:
    """The parts of the app that answers the current request."""
    return cast(Parts, current_app.extensions[EXTENSION])
