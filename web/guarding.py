"""Who may ask, and what every answer tells the browser: API keys where there are some, strict headers always.

Without keys whoever reaches the address may ask, so it is loopback (`web.serving`), and the pages that the user's
browser shows must be kept out: those of other sites, and those whose own name was led here (`web.hosts`). With keys
there is nothing to keep out: such a page has no key, and no cookie of ours under its own name.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, Response, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from orchestrator.api_keys import ApiKey, Scope, found
from orchestrator.callbacks import PATH as CALLBACKS
from orchestrator.settings import Settings
from web.hosts import is_own, own_hosts
from web.operations import needed

OPEN = frozenset({"/api/openapi.json", "/api/docs"})
"""What can be read without a key: it holds nothing but what the program is."""

PROBED = frozenset({"/healthz", "/readyz"})
"""What is asked by whatever name a load balancer has for us; it tells nothing about workflows."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}
ANYBODY = "api"


class MisdirectedRequest(HTTPException):
    """421 (RFC 9110, 15.5.20): this server does not answer for the host that was asked for."""

    code = 421


def register(app: Flask, settings: Settings) -> None:
    """Ask for one of the keys under /api and at /metrics, and add the headers everywhere.

    No CORS: other sites' pages get nothing.
    """
    keys, names = settings.api_keys, own_hosts(settings.public_url)

    @app.before_request
    def keep_other_pages_out() -> None:
        if not keys and request.path not in PROBED:
            _check_host(names)
            _check_site()

    @app.before_request
    def ask_for_key() -> None:
        g.caller = None
        if keys and (request.path.startswith("/api/") or request.path == "/metrics") and not is_open(request.path):
            let_in(holder_of(_known(keys)))
            require(needed(request.endpoint, request.method))

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def is_open(path: str) -> bool:
    """Whether it can be reached without a key: a service that answers later has the token of its attempt instead."""
    return path in OPEN or path == CALLBACKS or path.startswith(f"{CALLBACKS}/")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a name for the audit log, and what they may do."""

    name: str
    scopes: frozenset[Scope]


def holder_of(key: ApiKey) -> Caller:
    """Whoever holds this key, under a name that cannot be turned back into it."""
    return Caller(f"{ANYBODY} key {hashlib.sha256(key.secret.encode()).hexdigest()[:8]}", key.scopes)


def let_in(caller: Caller) -> None:
    """From here on it is they who make the request."""
    g.caller = caller


def actor() -> str:
    """Who asks, for the audit log."""
    return ANYBODY if g.caller is None else str(g.caller.name)


def may(scope: Scope) -> bool:
    """Whether who asks is allowed to; where no keys are asked for, everybody is allowed everything."""
    return g.caller is None or scope in g.caller.scopes


def require(scope: Scope) -> None:
    """Raise Forbidden, which says what is missing, where who asks is not allowed to."""
    if not may(scope):
        has = ", ".join(sorted(g.caller.scopes))
        raise Forbidden(f"this needs a key with the scope {scope}; the key that was sent has {has}")


def _check_host(names: frozenset[str]) -> None:
    """Every browser sends the header; what sends none is no browser."""
    host = request.environ.get("HTTP_HOST")
    if host is not None and not is_own(host, names):
        raise MisdirectedRequest(
            f"{host[:100]!r} is no name of this installation, which goes by localhost, by addresses and by the host of "
            "ORCHESTRATOR_PUBLIC_URL; set that, or API keys (ORCHESTRATOR_API_KEYS)"
        )


def _check_site() -> None:
    """Browsers say whose page a request comes from; what changes something must come from ours, or from no page."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if request.method not in ("GET", "HEAD", "OPTIONS") and site not in ("same-origin", "none"):
        raise Forbidden("this came from a page of another site")


def _known(keys: Sequence[ApiKey]) -> ApiKey:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    key = found(keys, given.strip().encode(errors="surrogateescape"))
    if scheme.lower() != "bearer" or key is None:
        raise Unauthorized(
            "send one of the keys of ORCHESTRATOR_API_KEYS, as `Authorization: Bearer <key>`",
            www_authenticate=WWWAuthenticate("bearer", {"realm": "orchestrator"}),
        )
    return key
