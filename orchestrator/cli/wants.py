"""What definitions read from the environment, and the environment does not say."""

from collections.abc import Iterable

from orchestrator.definition import Call, Definition
from orchestrator.expressions import References
from orchestrator.settings import PREFIX, Settings


def unset_variables(definitions: Iterable[Definition], settings: Settings) -> dict[str, list[str]]:
    """The environment's variables (`ORCHESTRATOR_VAR_…`, `…_SECRET_…`) that calls read in vain, each with the types."""
    unset: dict[str, list[str]] = {}
    for definition in definitions:
        reads = References.union(call.references for call in _calls(definition))
        missing = [f"{PREFIX}VAR_{name}" for name in reads.vars if name not in settings.vars]
        missing += [f"{PREFIX}SECRET_{name}" for name in reads.secrets if name not in settings.secrets]
        for name in sorted(missing):
            unset.setdefault(name, []).append(definition.type)
    return unset


def _calls(definition: Definition) -> Iterable[Call]:
    for step in definition.steps.values():
        yield step.call
        if step.compensate is not None:
            yield step.compensate
