"""Who may ask, and what every answer tells the browser: API keys where there are some, strict headers always."""

import hashlib
import hmac
from collections.abc import Sequence

from flask import Flask, Response, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

OPEN = frozenset({"/api/openapi.json", "/api/docs"})
"""What can be read without a key: it holds nothing but what the program is."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}
ANYBODY = "api"


def register(app: Flask, keys: Sequence[str]) -> None:
    """Ask for one of the keys under /api, and add the headers everywhere. No CORS: other sites' pages get nothing."""

    @app.before_request
    def ask_for_key() -> None:
        g.actor = ANYBODY
        if keys and request.path.startswith("/api/") and request.path not in OPEN:
            g.actor = key_name(_known(keys))

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def actor() -> str:
    """Who asks, for the audit log: a name of the key that cannot be turned back into it."""
    return str(g.actor)


def _known(keys: Sequence[str]) -> bytes:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    presented = given.strip().encode(errors="surrogateescape")
    if scheme.lower() != "bearer" or not is_key(keys, presented):
        raise Unauthorized(
            "send one of the keys of ORCHESTRATOR_API_KEYS, as `Authorization: Bearer <key>`",
            www_authenticate=WWWAuthenticate("bearer", {"realm": "orchestrator"}),
        )
    return presented


def is_key(keys: Sequence[str], presented: bytes) -> bool:
    """Whether it is one of the keys. Each is compared, in constant time: how long it takes says nothing about any."""
    matches = [hmac.compare_digest(key.encode(), presented) for key in keys]
    return any(matches)


def key_name(key: bytes) -> str:
    """What the audit log calls who holds this key."""
    return f"{ANYBODY} key {hashlib.sha256(key).hexdigest()[:8]}"
