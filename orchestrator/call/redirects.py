"""Whether and how a redirect is followed. Pure.

| status | the request that follows |
|---|---|
| 301, 302 | the same, for GET and HEAD only; another method's redirect is its answer |
| 303 | GET (HEAD stays HEAD) without the body: the service has done its work and names where the result is |
| 307, 308 | the same |

To another origin (scheme, host or port) no header of the caller's goes along, so neither credentials nor the
`Idempotency-Key`; what would need them there, a body or a method that changes something, is refused.
"""

from dataclasses import replace
from urllib.parse import urljoin

from orchestrator.call.request import Origin, Request, changes_something
from orchestrator.call.unanswered import Unanswered

MAX_REDIRECTS = 5


def redirected(request: Request, status: int, location: str | None) -> Request | None:
    """The request to send next, or None where the answer is the answer. Raises Unanswered where it is refused.

    `request.url` must be one that was sent.
    """
    followed = status in (303, 307, 308) or (status in (301, 302) and not changes_something(request.method))
    if location is None or not followed:
        return None
    try:
        url = urljoin(request.url, _as_sent(location))
        origin = Origin.of(url)
    except (ValueError, KeyError):
        raise Unanswered("answer", f"{Origin.of(request.url)} redirects to something that is not a URL") from None
    if status == 303:
        request = _without_body(request, "HEAD" if request.method.upper() == "HEAD" else "GET")
    if origin == Origin.of(request.url):
        return replace(request, url=url)
    if request.body is not None or changes_something(request.method):
        raise Unanswered(
            "blocked",
            f"{Origin.of(request.url)} redirects {request.method.upper()} to {origin}; a request that carries data or "
            f"credentials is not sent on to another origin. If that is right, write {origin} into the targetUrl.",
        )
    return replace(request, url=url, headers={}, credentials=None)


def _without_body(request: Request, method: str) -> Request:
    headers = {name: value for name, value in request.headers.items() if not name.lower().startswith("content-")}
    return replace(request, method=method, headers=headers, body=None)


def _as_sent(location: str) -> str:
    """Header bytes were read as ISO 8859-1; what is UTF-8 was meant as such."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location
