"""What somebody wants started → a `Start` that the ledger may take, or every fault of it at once.

The same for all who start workflows: the web, the command line. A context is checked, its sensitive fields are
encrypted, and a start key is bound to the body that it came with.
"""

from dataclasses import dataclass, replace

from orchestrator.beginning import AT_ONCE, Beginning
from orchestrator.definition import Definition
from orchestrator.errors import ContextError, Fault
from orchestrator.fitting import faults_in
from orchestrator.jsontype import Json
from orchestrator.ledger.engine import compact
from orchestrator.ledger.starting import Start
from orchestrator.priority import Priority
from orchestrator.sealing import MASK, Sealer, merged, split
from orchestrator.storable import NotStorable, check_storable
from orchestrator.web_address import fault_of_address

MOST_BYTES = 1_000_000
"""Of a context as JSON."""

LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Wish:
    """A context and what came with it. `body` is all of what was sent, where that was more than the context."""

    context: Json
    actor: str
    key: str | None = None
    traceparent: str | None = None
    body: Json = None
    beginning: Beginning = AT_ONCE
    webhook_url: str | None = None
    priority: Priority | None = None


def admit(definition: Definition, wish: Wish, sealer: Sealer) -> Start:
    """The start. Raises ContextError with every fault."""
    faults = _faults(definition, wish.context)
    if (wrong := fault_of_key(wish.key)) is not None:
        faults.append(wrong)
    if wish.webhook_url is not None and (wrong := fault_of_address("webhookUrl", wish.webhook_url)) is not None:
        faults.append(wrong)
    if faults:
        raise ContextError(faults)
    masked, fields = split(wish.context, definition.sensitive)
    body = wish.context if wish.body is None else wish.body
    return Start(
        context=masked,
        sealed=sealer.seal(fields),
        key=wish.key,
        body_hashes=() if wish.key is None else sealer.fingerprints(body),
        traceparent=wish.traceparent,
        actor=wish.actor,
        beginning=wish.beginning,
        webhook_url=wish.webhook_url,
        priority=wish.priority,
    )


def admit_again(definition: Definition, wish: Wish, sealer: Sealer, sealed: str | None) -> Start:
    """The start of a copy with an edited context: a sensitive field that still is masked is the original's.

    `sealed` holds those of the original. Raises ContextError with every fault.
    """
    _, given = split(wish.context, definition.sensitive)
    known = sealer.open(sealed)
    masked = {path: known[path] for path, value in given.items() if value == MASK and path in known}
    return admit(definition, replace(wish, context=merged(wish.context, masked)), sealer)


def _faults(definition: Definition, context: Json) -> list[Fault]:
    if not isinstance(context, dict):
        return [Fault("context", "must be an object")]
    try:
        check_storable(context)
    except NotStorable as error:
        return [Fault("context", str(error))]
    if len(compact(context).encode()) > MOST_BYTES:
        return [Fault("context", f"is longer than {MOST_BYTES} bytes as JSON")]
    return [] if definition.input is None else faults_in(context, definition.input)


def fault_of_key(key: str | None) -> Fault | None:
    """What is wrong with a start key, None where nothing is."""
    if key is None or (0 < len(key) <= LONGEST_KEY and all("!" <= character <= "~" for character in key)):
        return None
    return Fault("Idempotency-Key", f"must be 1 to {LONGEST_KEY} visible ASCII characters, no blanks")
