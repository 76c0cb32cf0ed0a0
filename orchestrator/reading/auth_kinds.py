"""`auth`: how a call says who it is, as fields, and what of them must be a secret."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.credentials import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    Certificate,
    ClientCredentials,
    Scheme,
    Signature,
)
from orchestrator.expressions import Template
from orchestrator.jsontype import Json
from orchestrator.reading.expression_kinds import TargetUrl, TextTemplate, check_header_name
from orchestrator.reading.kinds import Choice, Field, Group, Kind, Text
from orchestrator.reading.place import Place

# No step's result: whoever answers must not choose what we say who we are.
PRESENTING = ("context", "workflow", "vars", "secret")


@dataclass(frozen=True)
class SecretTemplate(TextTemplate):
    """A text that is a secret: definitions are files that many read, so it must come from the environment."""

    roots: tuple[str, ...] = PRESENTING

    def read(self, value: Json, at: Place) -> Json:
        template = super().read(value, at)
        if isinstance(template, Template) and not template.references.secrets:
            at.fault("must read a secret, such as ${secret.NAME} (the variable ORCHESTRATOR_SECRET_NAME)")
        return template


_PLAIN = TextTemplate(PRESENTING)
_SECRET = SecretTemplate()

BASIC = Group(
    {
        "username": Field("The user's name.", _PLAIN),
        "password": Field("The password, as ${secret.NAME}.", _SECRET),
    },
    required=("username", "password"),
)

API_KEY = Group(
    {
        "header": Field("The header that carries the key.", Text("the name of a header", longest=100)),
        "query": Field("The query parameter that carries the key.", Text("the name of a query parameter", ".+", 100)),
        "value": Field("The key, as ${secret.NAME}.", _SECRET),
    },
    required=("value",),
)

OAUTH2 = Group(
    {
        "tokenUrl": Field("The URL that gives tokens out.", TargetUrl(PRESENTING)),
        "clientId": Field("The client's id.", _PLAIN),
        "clientSecret": Field("The client's secret, as ${secret.NAME}.", _SECRET),
        "scope": Field("The scopes that the token is asked for, separated by blanks.", _PLAIN),
        "audience": Field("Whom the token is for, where the server wants that said.", _PLAIN),
        "clientAuth": Field(
            "Where the client's id and secret stand: in the Authorization header, or in the body.",
            Choice(("header", "body")),
            "header",
        ),
    },
    required=("tokenUrl", "clientId", "clientSecret"),
)

MTLS = Group(
    {
        "certificate": Field("The path of the client certificate (PEM, with what it is issued by).", _PLAIN),
        "key": Field("The path of its private key (PEM).", _PLAIN),
        "password": Field("The key's password, as ${secret.NAME}.", _SECRET),
    },
    required=("certificate", "key"),
)

HMAC = Group(
    {
        "keyId": Field("The name by which the service knows the secret.", _PLAIN),
        "secret": Field("The shared secret, as ${secret.NAME}.", _SECRET),
    },
    required=("keyId", "secret"),
)

_FIELDS: Mapping[str, Field] = {
    "bearer": Field("A token, as ${secret.NAME}.", _SECRET),
    "basic": Field("A user's name and password.", BASIC),
    "apiKey": Field("A key in a header or a query parameter.", API_KEY),
    "oauth2": Field("A token that is fetched with client credentials (OAuth 2.0) and kept while it is valid.", OAUTH2),
    "hmac": Field("A signature with a shared secret (HTTP Message Signatures, hmac-sha256).", HMAC),
    "mtls": Field("A client certificate for TLS; it may stand beside one of the others.", MTLS),
}


class AuthKind(Kind):
    """One way to say who one is, a client certificate, or both."""

    group = Group(_FIELDS)

    def schema(self) -> Json:
        ways = [name for name in _FIELDS if name != "mtls"]
        api_key = {"oneOf": [{"required": ["header"]}, {"required": ["query"]}]}
        made: dict[str, Json] = {**self.group.schema(), "minProperties": 1}
        made["properties"] = {**made["properties"], "apiKey": {**made["properties"]["apiKey"], **api_key}}
        alone = [{"not": {"required": [one, other]}} for one in ways for other in ways if one < other]
        return {**made, "allOf": alone}

    def settled(self, value: Json, at: Place) -> Json:
        return self.group.settled(value, at)

    def read(self, value: Json, at: Place) -> Json:
        """An `Auth`, or None after a fault was noted."""
        fields: dict[str, Json] = self.group.read(value, at)
        ways = [name for name in fields if name != "mtls"]
        if isinstance(value, dict) and not value:
            at.fault(f"is empty; there are {', '.join(_FIELDS)}")
        if len(ways) > 1:
            at.fault(f"holds {' and '.join(ways)}; one call says who it is in one way (besides mtls)")
        if "apiKey" in fields and isinstance(fields["apiKey"], dict):
            _check_api_key(fields["apiKey"], at / "apiKey")
        try:
            scheme = _BUILT[ways[0]](fields[ways[0]]) if len(ways) == 1 else None
            return Auth(scheme, _certificate(fields["mtls"]) if "mtls" in fields else None)
        except KeyError:
            return None  # a field is missing, which is a fault already


def _check_api_key(fields: Mapping[str, Json], at: Place) -> None:
    if ("header" in fields) == ("query" in fields):
        at.fault("names either the header or the query parameter that carries the key")
    elif "header" in fields:
        check_header_name(fields["header"], set(), at / "header")


def _api_key(fields: Mapping[str, Json]) -> Scheme:
    if "header" in fields:
        return ApiKey("header", fields["header"], fields["value"])
    return ApiKey("query", fields["query"], fields["value"])


def _client_credentials(fields: Mapping[str, Json]) -> Scheme:
    return ClientCredentials(
        token_url=fields["tokenUrl"],
        client_id=fields["clientId"],
        client_secret=fields["clientSecret"],
        scope=fields.get("scope"),
        audience=fields.get("audience"),
        sent_in=fields.get("clientAuth", "header"),
    )


def _certificate(fields: Mapping[str, Json]) -> Certificate:
    return Certificate(fields["certificate"], fields["key"], fields.get("password"))


_BUILT: Mapping[str, Callable[[Json], Scheme]] = {
    "bearer": Bearer,
    "basic": lambda fields: Basic(fields["username"], fields["password"]),
    "apiKey": _api_key,
    "oauth2": _client_credentials,
    "hmac": lambda fields: Signature(fields["secret"], fields["keyId"]),
}
