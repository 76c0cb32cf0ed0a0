"""How a call says who it is (`auth`), as a definition writes it: templates, filled in when the call is made."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from orchestrator.expressions import References, Template


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer …` (RFC 6750)."""

    token: Template


@dataclass(frozen=True, slots=True)
class Basic:
    """`Authorization: Basic …` (RFC 7617)."""

    username: Template
    password: Template


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key in a header or a query parameter of the service's own choice."""

    place: Literal["header", "query"]
    name: str
    value: Template


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A token that is fetched with the client's own credentials (RFC 6749, 4.4) and kept while it is valid.

    `sent_in` says where the client's id and secret stand in the request for the token.
    """

    token_url: Template
    client_id: Template
    client_secret: Template
    scope: Template | None = None
    audience: Template | None = None
    sent_in: Literal["header", "body"] = "header"


@dataclass(frozen=True, slots=True)
class Signature:
    """The request is signed with a shared secret (HTTP Message Signatures, RFC 9421, `hmac-sha256`)."""

    secret: Template
    key_id: Template


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate for TLS: the paths of its file and its key's, as the worker sees them."""

    certificate: Template
    key: Template
    password: Template | None = None


Scheme = Bearer | Basic | ApiKey | ClientCredentials | Signature


@dataclass(frozen=True, slots=True)
class Auth:
    """What goes along with the request (None: nothing), and the certificate that TLS shows (None: none)."""

    scheme: Scheme | None = None
    certificate: Certificate | None = None

    @property
    def references(self) -> References:
        """Everything that its expressions read."""
        return References.union(template.references for template in self._templates())

    @property
    def carried_in(self) -> str | None:
        """The header, in lower case, that the scheme sets; None where it sets none of a definition's."""
        match self.scheme:
            case Bearer() | Basic() | ClientCredentials():
                return "authorization"
            case ApiKey("header", name):
                return name.lower()
            case _:
                return None

    def _templates(self) -> Iterator[Template]:
        for part in (self.scheme, self.certificate):
            values = [] if part is None else [getattr(part, each.name) for each in fields(part)]
            yield from (value for value in values if isinstance(value, Template))
