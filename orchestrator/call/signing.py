"""A request's signature with a shared secret: HTTP Message Signatures (RFC 9421) with `hmac-sha256`.

Signed are the method, the host, the path, the query, the body's digest (RFC 9530) and the Idempotency-Key, with the
time. Any library for RFC 9421 verifies it; by hand it is the HMAC-SHA256 of the lines that `_base` makes.
"""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import urlsplit

import requests

from orchestrator.call.credentials import Signing
from orchestrator.call.request import Origin

LABEL = "orchestrator"
_HEADERS = ("Content-Digest", "Idempotency-Key")


def sign(prepared: requests.PreparedRequest, signing: Signing) -> None:
    """Add `Content-Digest` (where there is a body), `Signature-Input` and `Signature`; nothing may change after it."""
    body = prepared.body
    if body:
        digest = hashlib.sha256(body if isinstance(body, bytes) else body.encode()).digest()
        prepared.headers["Content-Digest"] = f"sha-256=:{_encoded(digest)}:"
    covered = _covered(prepared)
    names = " ".join(f'"{name}"' for name in covered)
    parameters = f'({names});created={int(time.time())};keyid={_quoted(signing.key_id)};alg="hmac-sha256"'
    signature = hmac.digest(signing.secret.encode(), _base(covered, parameters), "sha256")
    prepared.headers["Signature-Input"] = f"{LABEL}={parameters}"
    prepared.headers["Signature"] = f"{LABEL}=:{_encoded(signature)}:"


def _covered(prepared: requests.PreparedRequest) -> dict[str, str]:
    """What is signed, by the names of RFC 9421, in order."""
    url = str(prepared.url)
    parts = urlsplit(url)
    covered = {
        "@method": str(prepared.method),
        "@authority": str(Origin.of(url)).partition("://")[2].lower(),
        "@path": parts.path or "/",
        "@query": f"?{parts.query}",
    }
    return covered | {name.lower(): prepared.headers[name] for name in _HEADERS if name in prepared.headers}


def _base(covered: dict[str, str], parameters: str) -> bytes:
    lines = [f'"{name}": {value}' for name, value in covered.items()]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _quoted(text: str) -> str:
    """A string of RFC 8941: only `"` and `\\` are escaped, as JSON does it in printable ASCII."""
    return json.dumps(text)
