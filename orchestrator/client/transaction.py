"""Starting a workflow within the caller's own transaction: with his rows, or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, scoped_session

from orchestrator.admission import Wish, admit
from orchestrator.beginning import Beginning, read_beginning
from orchestrator.definition import Definition
from orchestrator.errors import ContextError, Fault, NotFound, SettingsError
from orchestrator.jsontype import Json
from orchestrator.ledger.joining import start_within
from orchestrator.ledger.starting import Started
from orchestrator.priority import Priority, read_priority
from orchestrator.reading import read_folder
from orchestrator.sealing import Sealer
from orchestrator.settings import Settings
from orchestrator.tracing import accepted
from orchestrator.workflow import Publication

Transaction = Session | Connection | scoped_session[Session]
Publish = Callable[[Publication], None]

_PENDING = "orchestrator.pending"
_LEFT_TO_WORKERS = 0.001
"""Seconds that a start is put off which nobody sends: the next round of any worker's reconciler begins it."""


class Starter:
    """Starts workflows of these definitions; safe to use from any thread.

    `encryption_keys` are those of ORCHESTRATOR_ENCRYPTION_KEY, and only needed for definitions with sensitive fields
    and for start keys. Without `publish` a worker begins each workflow, about a second after the commit at the latest.
    With it (see `tasks.dispatch.Dispatch`) the first messages are sent in this process, once a `Session` has committed.
    """

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        encryption_keys: Sequence[str] = (),
        publish: Publish | None = None,
    ) -> None:
        self._definitions = dict(definitions)
        self._sealer = Sealer(encryption_keys) if encryption_keys else None
        self._publish = publish

    @classmethod
    def from_environment(cls, publish: Publish | None = None) -> "Starter":
        """By ORCHESTRATOR_DEFINITIONS and ORCHESTRATOR_ENCRYPTION_KEY, or the data folder's key where that is there.

        Raises SettingsError and DefinitionError.
        """
        settings = Settings.from_environment()
        keys = settings.encryption_key
        if keys is None and settings.key_file.exists():
            keys = settings.key_file.read_text()
        return cls(read_folder(settings.definitions), keys.split(",") if keys else (), publish)

    def start(
        self,
        transaction: Transaction,
        workflow_type: str,
        context: Json,
        *,
        key: str | None = None,
        delay: float | str | None = None,
        not_before: str | None = None,
        priority: str | None = None,
        traceparent: str | None = None,
        actor: str = "client",
    ) -> str:
        """See `start_workflow`."""
        definition = self._definition(workflow_type)
        wish = Wish(context, actor, key, accepted(traceparent), _body(context, delay, not_before, priority))
        wish = replace(wish, priority=_priority(priority))
        wanted = admit(definition, wish, self._sealer_for(definition, key))
        wanted = replace(wanted, beginning=self._beginning(transaction, delay, not_before))
        if isinstance(transaction, Connection):
            return start_within(transaction, definition, wanted).workflow_id
        started = start_within(transaction.connection(), definition, wanted)
        if self._publish is not None and not started.existed:
            session = transaction() if isinstance(transaction, scoped_session) else transaction
            _once_committed(session, started, self._publish)
        return started.workflow_id

    def _definition(self, workflow_type: str) -> Definition:
        if workflow_type in self._definitions:
            return self._definitions[workflow_type]
        meant = get_close_matches(workflow_type, self._definitions, n=1)
        hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(sorted(self._definitions)) or 'none'}"
        raise NotFound(f"there is no definition of type {workflow_type[:70]}; {hint}")

    def _sealer_for(self, definition: Definition, key: str | None) -> Sealer:
        if self._sealer is not None:
            return self._sealer
        if definition.sensitive or key is not None:
            raise SettingsError(
                "sensitive fields and start keys need ORCHESTRATOR_ENCRYPTION_KEY: give this program the same one that "
                "web and workers have"
            )
        return Sealer([_NO_KEY])

    def _beginning(self, transaction: Transaction, delay: float | str | None, not_before: str | None) -> Beginning:
        faults: list[Fault] = []
        wanted = read_beginning(_given(delay, not_before), faults)
        if faults:
            raise ContextError(faults)
        sends = self._publish is not None and not isinstance(transaction, Connection)
        return wanted if sends or wanted.not_before is not None or wanted.delay else Beginning(delay=_LEFT_TO_WORKERS)


_NO_KEY = "A" * 43 + "="
"""Seals nothing: where there is neither a sensitive field nor a start key."""


def start_workflow(
    transaction: Transaction,
    workflow_type: str,
    context: Json,
    *,
    key: str | None = None,
    delay: float | str | None = None,
    not_before: str | None = None,
    priority: str | None = None,
    traceparent: str | None = None,
    actor: str = "client",
    starter: Starter | None = None,
) -> str:
    """Start a workflow within the caller's transaction; gives back its id. Commit and rollback are the caller's.

    `transaction` is a SQLAlchemy `Session` or `Connection` to the orchestrator's database (with an `AsyncSession`:
    `await session.run_sync(lambda it: start_workflow(it, …))`). `key` is the start key: the same one with the same
    context gives the workflow that it gave before. `delay` (seconds, or such as `15m`) and `not_before` (RFC 3339) put
    the beginning off; `priority` is high, normal or low (left out: as its definition says); `actor` goes into the
    audit log. Without `starter` one is made from the environment, once.

    Raises NotFound (no such type), ContextError (every fault of the context), StartKeyReused and SettingsError; the
    transaction can go on after each of them.
    """
    made = starter or _from_environment()
    return made.start(
        transaction,
        workflow_type,
        context,
        key=key,
        delay=delay,
        not_before=not_before,
        priority=priority,
        traceparent=traceparent,
        actor=actor,
    )


@cache
def _from_environment() -> Starter:
    return Starter.from_environment()


def _once_committed(session: Session, started: Started, publish: Publish) -> None:
    """Send the first messages when the session commits what it has under way; forget them when it rolls back.

    Where the process dies in between, the reconciler finds that nobody claimed the steps.
    """
    if _PENDING not in session.info:
        session.info[_PENDING] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_rollback", _rolled_back)
    session.info[_PENDING].append((publish, started.publication))


def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return  # the release of a savepoint commits nothing
    pending, session.info[_PENDING] = session.info[_PENDING], []
    for publish, publication in pending:
        publish(publication)


def _rolled_back(session: Session) -> None:
    session.info[_PENDING] = []


def _given(delay: float | str | None, not_before: str | None) -> dict[str, Json]:
    return {name: value for name, value in (("delay", delay), ("notBefore", not_before)) if value is not None}


def _priority(word: str | None) -> Priority | None:
    faults: list[Fault] = []
    wanted = read_priority({} if word is None else {"priority": word}, faults)
    if faults:
        raise ContextError(faults)
    return wanted


def _body(context: Json, delay: float | str | None, not_before: str | None, priority: str | None) -> Json:
    """What the start key is bound to: what the API would have been sent."""
    given = _given(delay, not_before) | ({} if priority is None else {"priority": priority})
    return {"context": context, **given} if given else None
