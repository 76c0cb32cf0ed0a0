"""Schedules at work: a worker makes the ticks that are due; whoever serves definitions has theirs kept."""

import logging
import re
from collections.abc import Callable, Mapping

from orchestrator.admission import Wish, admit
from orchestrator.definition import Definition, Schedule
from orchestrator.errors import ContextError, Fault, SettingsError, Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.schedules import (
    Planned,
    by_api,
    due_schedules,
    keep_definitions_schedules,
    rhythm_of,
    tick,
)
from orchestrator.reading.kinds import NAME
from orchestrator.sealing import Sealer, merged
from orchestrator.workflow import Publication

log = logging.getLogger("orchestrator")

IDLE = 1.0
"""Seconds between two looks at most; a schedule that was made meanwhile is seen by then."""

AFTER_ERROR = 5.0


class Clockwork:
    """Makes ticks. In every worker, with no leader: a tick is one worker's, and is made once."""

    def __init__(self, ledger: Ledger, publish: Callable[[Publication], None]) -> None:
        self._ledger = ledger
        self._publish = publish

    def round(self) -> float:
        """Make the ticks that are due; returns the seconds until the next round."""
        due, soonest = due_schedules(self._ledger)
        failed = False
        for schedule_id in due:
            try:
                for started in tick(self._ledger, schedule_id):
                    self._publish(started.publication)
            except Unavailable:
                raise
            except Exception:
                # One that cannot be read (a definition of a newer release, a bug) must not hold up the others.
                log.exception("the tick of schedule %s failed", schedule_id)
                failed = True
        if failed:
            return AFTER_ERROR
        return IDLE if soonest is None else min(IDLE, max(soonest, 0.02))


def planned(schedule_id: str, definition: Definition, schedule: Schedule, sealer: Sealer, **options: bool) -> Planned:
    """A schedule that may be kept. Raises ContextError with every fault of its context."""
    start = admit(definition, Wish(schedule.context, f"schedule {schedule_id}"), sealer)
    return Planned(schedule_id, definition, schedule, start, **options)


def check_id(text: Json) -> str:
    """The id that somebody chose for a schedule. Raises ContextError where it cannot be one."""
    if not isinstance(text, str) or re.fullmatch(NAME, text) is None:
        raise ContextError([Fault("id", "must be a letter, then up to 63 letters, digits, _ or -")])
    return text


def keep_schedules(ledger: Ledger, definitions: Mapping[str, Definition], sealer: Sealer) -> None:
    """Make the ledger's schedules those that the definitions name, and let those of the API use their new versions.

    One whose context does not fit the new version goes on with the old one, and says so.
    """
    own = {
        one.id: one
        for definition in definitions.values()
        if definition.schedule is not None
        for one in [planned(own_id(definition), definition, definition.schedule, sealer, by_definition=True)]
    }
    faults: dict[str, str] = {}
    current: list[Planned] = []
    for row in by_api(ledger):
        definition = definitions.get(row.type)
        if definition is None or definition.version == row.version:
            continue
        try:
            context = merged(row.context, sealer.open(row.sealed))
            current.append(planned(row.id, definition, Schedule(rhythm_of(row), row.catch_up, context), sealer))
        except (ContextError, SettingsError) as error:
            faults[row.id] = f"it goes on with the version that it has: {error}"
            log.warning("schedule %s cannot use the newest version of %s: %s", row.id, row.type, error)
    keep_definitions_schedules(ledger, own, faults, current)


def own_id(definition: Definition) -> str:
    """The id of a definition's own schedule; none that is made by the API can be such."""
    return f"definition:{definition.type}"
