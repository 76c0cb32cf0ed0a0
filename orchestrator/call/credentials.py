"""Who a request is from, filled in: kept beside the request, so that what shows the request shows nothing of it.

Everything here is secret: no `repr` shows a value.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from orchestrator.call.request import Request


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """What a token is fetched with: OAuth 2.0 client credentials (RFC 6749, 4.4)."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None
    audience: str | None = None
    sent_in: Literal["header", "body"] = "header"

    @property
    def fingerprint(self) -> str:
        """The same for whoever may share a token; the secret cannot be read from it."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class Signing:
    """What a request is signed with."""

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True, repr=False)
class CertificateFiles:
    """A client certificate: the paths of its file and its key's, and the key's password."""

    certificate: str
    key: str
    password: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What goes along with a request to its own origin, and to no other."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    grant: Grant | None = None
    signing: Signing | None = None
    certificate: CertificateFiles | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What of it nobody may repeat: header values (what follows the scheme too), keys, secrets, passwords."""
        said = [*self.headers.values(), *(value.partition(" ")[2] for value in self.headers.values())]
        said += self.query.values()
        said += [] if self.grant is None else [self.grant.client_secret]
        said += [] if self.signing is None else [self.signing.secret]
        said += [] if self.certificate is None or self.certificate.password is None else [self.certificate.password]
        return tuple(said)

    def with_token(self, token: str) -> "Credentials":
        """The same, with a token that the grant brought."""
        return replace(self, headers={"Authorization": f"Bearer {token}"})


NOBODY = Credentials()


def presented(request: "Request") -> "Request":
    """The request with its credentials' headers and query parameters in it, in place of others of the same name."""
    credentials = request.credentials
    if credentials is None:
        return request
    ours = {name.lower() for name in credentials.headers}
    headers = {name: value for name, value in request.headers.items() if name.lower() not in ours}
    return replace(
        request, url=_with_query(request.url, credentials.query), headers=headers | dict(credentials.headers)
    )


def _with_query(url: str, query: Mapping[str, str]) -> str:
    if not query:
        return url
    address, hash_sign, fragment = url.partition("#")
    joined = address + ("&" if "?" in address else "?") + urlencode(query, quote_via=quote)
    return f"{joined}{hash_sign}{fragment}"
