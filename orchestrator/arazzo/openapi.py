"""Descriptions of APIs: which method and URL an operation has, and where its parameters go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from orchestrator.errors import DefinitionError, Fault
from orchestrator.jsontype import Json
from orchestrator.reading.text import read_text

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of an API. `places` says where each parameter goes: path, query, header or cookie."""

    source: str
    method: str
    path: str
    places: Mapping[str, str]
    secured: bool

    @property
    def variable(self) -> str:
        """The name of the variable that its server's address is read from."""
        return variable_of(self.source)


@dataclass(frozen=True, slots=True)
class Description:
    """One API, by the name that the Arazzo document gives it."""

    name: str
    document: Json

    @property
    def server(self) -> str | None:
        """The address of its first server, where it names one."""
        servers = self.document.get("servers") or [{}]
        url = servers[0].get("url") if isinstance(servers[0], dict) else None
        return url if isinstance(url, str) else None

    def operations(self) -> Iterator[tuple[str | None, Operation]]:
        """Every operation with its `operationId`."""
        for path, item in _objects(self.document.get("paths")):
            for method in _METHODS:
                operation = item.get(method)
                if isinstance(operation, dict):
                    parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                    secured = bool(operation.get("security", self.document.get("security")))
                    places = dict(self._placed(parameters))
                    made = Operation(self.name, method.upper(), path, places, secured)
                    yield operation.get("operationId"), made

    def _placed(self, parameters: list[Json]) -> Iterator[tuple[str, str]]:
        for parameter in parameters:
            if isinstance(parameter, dict) and "$ref" in parameter:
                parameter = self._at(str(parameter["$ref"]).removeprefix("#"))
            if isinstance(parameter, dict) and "name" in parameter and "in" in parameter:
                yield str(parameter["name"]), str(parameter["in"])

    def _at(self, pointer: str) -> Json:
        place = self.document
        for part in pointer.split("/")[1:]:
            part = unquote(part).replace("~1", "/").replace("~0", "~")
            place = place.get(part) if isinstance(place, dict) else None
        return place


def read_description(name: str, path: Path) -> Description:
    """The description in a file. Raises DefinitionError where it cannot be read."""
    try:
        value, faults = read_text(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        message = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DefinitionError([Fault("", f"cannot be read: {message}", str(path))]) from None
    faults.raise_any()
    if not isinstance(value, dict) or not str(value.get("openapi", "")).startswith("3."):
        raise DefinitionError([Fault("openapi", "is no OpenAPI 3 document", str(path))])
    return Description(name, value)


def variable_of(source: str) -> str:
    """`pet-store` → `PET_STORE_URL`."""
    return "".join(letter if letter.isalnum() else "_" for letter in source).upper() + "_URL"


def _objects(value: Json) -> Iterator[tuple[str, Mapping[str, Json]]]:
    for key, one in (value if isinstance(value, dict) else {}).items():
        if isinstance(one, dict):
            yield key, one
