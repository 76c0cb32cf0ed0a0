"""The environment, the definitions, and the key to sensitive fields."""

from collections.abc import Iterator

from orchestrator.cli.checks.finding import Finding, doubtful, well, wrong
from orchestrator.errors import DefinitionError
from orchestrator.reading import read_folder
from orchestrator.settings import Settings
from orchestrator.wants import unset_variables, withheld_addresses


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What can be judged without a server."""
    yield from _definitions(settings)
    yield from _key(settings)


def _definitions(settings: Settings) -> Iterator[Finding]:
    try:
        definitions = read_folder(settings.definitions)
    except DefinitionError as error:
        yield wrong(
            "definitions", f"{settings.definitions}: {error}", "correct the files; `orchestrator validate` checks"
        )
        return
    if not definitions:
        yield doubtful(
            "definitions",
            f"{settings.definitions} holds none",
            "put workflow files there, or name another folder with ORCHESTRATOR_DEFINITIONS",
        )
        return
    yield well("definitions", f"{', '.join(sorted(definitions))} in {settings.definitions}")
    for variable, types in unset_variables(definitions.values(), settings).items():
        # Only doubtful: workers may have been given what this shell was not.
        yield doubtful(
            "definitions",
            f"{variable} is not set here, and {', '.join(types)} cannot run without it",
            f"set {variable} for workers and web",
        )
    for said, types in withheld_addresses(definitions.values(), settings).items():
        yield doubtful(
            "definitions",
            f"{said}, a loopback or private address that {', '.join(types)} may not call",
            "list its host in ORCHESTRATOR_ALLOW_HOSTS, for workers and web",
        )


def _key(settings: Settings) -> Iterator[Finding]:
    if settings.encryption_key is None and not settings.database_url.startswith("sqlite"):
        yield doubtful(
            "encryption key",
            "none is configured, so each host makes its own and cannot read the others' sensitive fields",
            "give all hosts the same ORCHESTRATOR_ENCRYPTION_KEY",
        )
