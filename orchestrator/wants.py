"""What definitions read from the environment or from a context, and nobody says or lets them have."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from orchestrator.call import AllowedHosts
from orchestrator.definition import Call, Definition
from orchestrator.expressions import References
from orchestrator.jsontype import Json
from orchestrator.settings import PREFIX, Settings

_LOOPBACK = "127.0.0.1"


def unset_variables(definitions: Iterable[Definition], settings: Settings) -> dict[str, list[str]]:
    """The environment's variables (`ORCHESTRATOR_VAR_…`, `…_SECRET_…`, `…_PUBLIC_URL`) they miss, with types."""
    unset: dict[str, list[str]] = {}
    for definition in definitions:
        reads = _reads(definition)
        missing = [f"{PREFIX}VAR_{name}" for name in reads.vars if name not in settings.vars]
        missing += [f"{PREFIX}SECRET_{name}" for name in definition.secrets if name not in settings.secrets]
        if settings.public_url is None and any(step.callback is not None for step in definition.steps.values()):
            missing.append(f"{PREFIX}PUBLIC_URL")  # services could not be told where to call back
        for name in sorted(missing):
            unset.setdefault(name, []).append(definition.type)
    return unset


def withheld_addresses(definitions: Iterable[Definition], settings: Settings) -> dict[str, list[str]]:
    """Variables and fixed URLs that lead to an address which may not be called here, each with the types.

    Only what can be told without asking a name server: addresses as they are written, and `localhost`.
    """
    allowed = AllowedHosts(settings.allow_hosts)
    found: dict[str, list[str]] = {}
    for definition in definitions:
        for said in sorted(_addresses(definition, settings.vars)):
            if _is_withheld(said.partition(" is ")[2] or said, allowed):
                found.setdefault(said, []).append(definition.type)
    return found


def told_of_addresses(said: str, types: Iterable[str]) -> str:
    """One of them as a sentence, with what would let it be called."""
    host = urlsplit(said.partition(" is ")[2] or said).hostname
    return (
        f"{said}, a loopback or private address: {', '.join(types)} may not call it; "
        f"allow it with {PREFIX}ALLOW_HOSTS={host}"
    )


def doubts(definition: Definition) -> list[str]:
    """What is right and may not be meant: fields of the context that expressions read and a start need not have."""
    reads = sorted(_reads(definition).context)
    if definition.input is None:
        fields = ", ".join(path for path in reads if path != "context")
        return [f"there is no `input`: where a start leaves out {fields}, that is null"] if fields else []
    undeclared = [path for path in reads if _declared(path, definition.input) is None]
    optional = [path for path in reads if _declared(path, definition.input) is False]
    found = [
        f"{path} is read, and `input` does not declare it: null where a start leaves it out" for path in undeclared
    ]
    if optional:
        found.append(f"`input` does not require {', '.join(optional)}: null where a start leaves it out")
    return found


def _declared(path: str, schema: Json) -> bool | None:
    """Whether a start must have what stands at the path; None where the schema does not declare it.

    What the schema says nothing about (an object without `properties`, a `$ref`) is taken as declared.
    """
    required = True
    for name in path.split(".")[1:]:
        if not isinstance(schema, dict) or "properties" not in schema:
            return required
        properties = schema["properties"]
        if name not in properties:
            return None
        required = required and name in schema.get("required", ())
        schema = properties[name]
    return required


def _addresses(definition: Definition, variables: Mapping[str, str]) -> Iterator[str]:
    """`ORCHESTRATOR_VAR_X is http://…` for a variable that a URL begins with, or the fixed URL itself."""
    for call in _calls(definition):
        url = call.target_url
        if not url.references.roots:
            yield str(url.source)
        elif str(url.source).startswith("${vars."):
            name = str(url.source).removeprefix("${vars.").partition("}")[0]
            if name in variables:
                yield f"{PREFIX}VAR_{name} is {variables[name]}"


def _is_withheld(url: str, allowed: AllowedHosts) -> bool:
    with suppress(ValueError):  # a name, or no address at all: the call will say
        host = urlsplit(url).hostname or ""
        return not allowed.permits(host, _LOOPBACK if host == "localhost" else host)
    return False


def _reads(definition: Definition) -> References:
    parts = [call.references for call in _calls(definition)]
    parts += [webhook.url.references for webhook in definition.webhooks]
    parts += [step.when.references for step in definition.steps.values() if step.when is not None]
    return References.union([*parts, *([] if definition.output is None else [definition.output.references])])


def _calls(definition: Definition) -> Iterable[Call]:
    for step in definition.steps.values():
        yield step.call
        if step.compensate is not None:
            yield step.compensate
