"""A request as a value, and whether it may be sent as it is written. No message shows more of a URL than its host."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import requests

from orchestrator.call.credentials import Credentials
from orchestrator.call.unanswered import Unanswered

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_OURS = frozenset({"content-length", "transfer-encoding", "accept-encoding"})
_DEFAULTS = {
    "Accept": "application/json, */*;q=0.5",
    "Accept-Encoding": "gzip",
    "User-Agent": "celery-orchestrator",
}
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One HTTP request; its `repr` shows nothing that may be a secret.

    `timeout` is seconds for everything: a token, lookup, connecting, TLS, sending, answer, redirects. `credentials` are
    added in the moment of sending, and to the request's own origin only. With `follows` false a redirect is the answer.
    `private` holds what is masked in the answer.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float
    credentials: Credentials | None = None
    follows: bool = True
    private: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Request({self.method!r}, timeout={self.timeout!r})"


@dataclass(frozen=True, slots=True)
class Origin:
    """What must be the same for credentials to be sent again: scheme, host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of a URL that `prepare` has accepted."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def changes_something(method: str) -> bool:
    """Whether a request of that method may do more than look (RFC 9110, 9.2.1: GET and HEAD are safe)."""
    return method.upper() not in ("GET", "HEAD")


def prepare(request: Request) -> requests.PreparedRequest:
    """The request as `requests` sends it.

    Raises Unanswered: `request` where it cannot be sent as it is written, `blocked` where it must not be.
    """
    if _TOKEN.fullmatch(request.method) is None or request.method.upper() in ("CONNECT", "TRACE"):
        raise Unanswered("request", f"{request.method[:20]!r} is not a method that a step may use")
    prepared = requests.PreparedRequest()
    try:
        _check_port(request.url)
        prepared.prepare(method=request.method, url=request.url, headers=_sendable(request.headers), data=request.body)
        _check_url(urlsplit(prepared.url or ""))
    except ValueError:
        # What requests raises are ValueErrors whose texts show the URL, and with it secrets.
        reason = "the URL is not one that can be called; it must look like https://host/path"
        raise Unanswered("request", reason) from None
    return prepared


def _check_port(url: str) -> None:
    """requests takes port 0 for no port, and would call the default one."""
    if urlsplit(url).port == 0:
        raise ValueError


def _check_url(parts: SplitResult) -> None:
    if parts.scheme not in _DEFAULT_PORTS:
        raise Unanswered("blocked", f"only http and https may be called, not {parts.scheme[:20]!r}")
    if "@" in parts.netloc:
        raise Unanswered(
            "blocked", "the URL holds a user name or password; send them in a header (Authorization) instead"
        )
    if not parts.hostname:
        raise ValueError


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with what every request carries; whitespace around a value means nothing (RFC 9110, 5.5)."""
    sendable = dict(_DEFAULTS)
    for name, value in headers.items():
        if _TOKEN.fullmatch(name) is None:
            raise Unanswered("request", f"{name[:80]!r} cannot be the name of a header")
        if name.lower() in _OURS:
            raise Unanswered("request", f"the header {name} is set by the call itself and cannot be given")
        if _UNSENDABLE.search(value) is not None:
            raise Unanswered(
                "request",
                f"the header {name} holds a character that HTTP cannot carry (a line break, a control character "
                "or one beyond ISO 8859-1)",
            )
        sendable[name] = value.strip()
    return sendable
