"""Asking a web process of this host over HTTP, as a client would."""

import json
import urllib.error
import urllib.request

from orchestrator.errors import Unavailable
from orchestrator.jsontype import Json

# Whatever proxy the environment names is not for this host.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Whether something answers there with success."""
    try:
        ask(url)
    except Unavailable:
        return False
    return True


def ask(url: str, body: Json = None, *, method: str | None = None, seconds: float = 5.0) -> Json:
    """The JSON (or text) that a GET answers, or with a body a POST; raises Unavailable where it is no success."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 - always http, to this host
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with _DIRECTLY.open(request, timeout=seconds) as response:
            text = response.read().decode()
            return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text
    except urllib.error.HTTPError as error:
        with error:
            raise Unavailable(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}") from None
    except OSError as error:
        raise Unavailable(f"{url} does not answer: {error}") from None
