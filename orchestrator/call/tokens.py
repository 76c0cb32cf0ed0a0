"""Tokens of OAuth 2.0, shared by all threads of a process: fetched once, however many calls want one.

(requests-oauthlib fetches with a session of its own, which knows neither our deadlines nor which addresses may be
called; what is left of the grant is one form and one JSON object.)
"""

import base64
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from orchestrator.call.credentials import Grant
from orchestrator.call.request import Origin, Request
from orchestrator.call.unanswered import Unanswered
from orchestrator.jsontype import Json
from orchestrator.outcome import Answer, NoAnswer

MARGIN = 30.0
"""Seconds before its end from which a token is no longer used (at most a tenth of its life): it has a way to go."""

UNSAID = 300.0
"""Seconds that a token is kept which does not say how long it is good for."""

MOST = 1_000
"""Tokens that are kept; the oldest goes first."""

_SENDABLE = re.compile(r"[\x21-\x7e]+")
# RFC 6749, 5.2. What else a server says may repeat what it was sent.
_ERRORS = frozenset(
    "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope".split()
)


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token, and until when (monotonic) it may be used."""

    value: str
    good_until: float


Ask = Callable[[Request], Answer | NoAnswer]


class Tokens:
    """The tokens of one process. `ask` makes one request, by the rules of every other.

    A thread that finds no good token fetches one; who wants the same one meanwhile waits for that, each no longer than
    until its own deadline. A failure is shared as well, so that a server that is down is asked once and not by all; but
    where it is only the fetching thread whose time was over, the next one tries.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._held: dict[str, Token] = {}
        self._fetching: dict[str, Future[Token | Unanswered | None]] = {}

    def get(self, grant: Grant, deadline: float) -> tuple[Token, bool]:
        """A good token, and whether it was there already. Raises Unanswered (`auth`): no request was made with it."""
        key = grant.fingerprint
        while True:
            with self._lock:
                held = self._held.get(key)
                if held is not None and held.good_until > time.monotonic():
                    return held, True
                fetching = self._fetching.get(key)
                if fetching is None:
                    mine = self._fetching[key] = Future[Token | Unanswered | None]()
            if fetching is None:
                return self._fetch(key, grant, deadline, mine), False
            try:
                found = fetching.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise Unanswered("auth", "another call's request for a token did not end in time") from None
            if isinstance(found, Token):
                return found, False
            if isinstance(found, Unanswered):
                raise Unanswered(found.kind, found.message)

    def refused(self, grant: Grant, token: Token) -> None:
        """A service did not take this token: forget it, unless it was renewed meanwhile."""
        key = grant.fingerprint
        with self._lock:
            if self._held.get(key) is token:
                del self._held[key]

    def _fetch(self, key: str, grant: Grant, deadline: float, told: Future[Token | Unanswered | None]) -> Token:
        found: Token | Unanswered | None = None
        try:
            found = _token_in(self._ask(_request(grant, deadline - time.monotonic())), grant)
            return found
        except Unanswered as reason:
            found = reason if time.monotonic() < deadline else None
            raise
        finally:
            with self._lock:
                if isinstance(found, Token):
                    if len(self._held) >= MOST:
                        del self._held[next(iter(self._held))]
                    self._held.pop(key, None)
                    self._held[key] = found
                del self._fetching[key]
            told.set_result(found)


def _request(grant: Grant, seconds: float) -> Request:
    if seconds <= 0:
        raise Unanswered("auth", "no time was left to ask for a token")
    form = {"grant_type": "client_credentials", "scope": grant.scope, "audience": grant.audience}
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if grant.sent_in == "body":
        form |= {"client_id": grant.client_id, "client_secret": grant.client_secret}
    else:
        # RFC 6749, 2.3.1: both are encoded as a form's values are, before they are joined.
        pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    body = urlencode({name: value for name, value in form.items() if value is not None})
    return Request("POST", grant.token_url, headers, body.encode(), seconds)


def _token_in(answer: Answer | NoAnswer, grant: Grant) -> Token:
    """What the server gave out. Raises Unanswered, without a word of what was sent or is to be kept secret."""
    if isinstance(answer, NoAnswer):
        raise Unanswered("auth", f"no token: {answer.message}")
    origin, told = Origin.of(grant.token_url), answer.body if isinstance(answer.body, dict) else {}
    if answer.status != 200:
        code = told.get("error")
        said = f" ({code})" if isinstance(code, str) and code in _ERRORS else ""
        raise Unanswered("auth", f"no token: {origin} answered {answer.status}{said}")
    value, kind = told.get("access_token"), told.get("token_type", "bearer")
    if not isinstance(value, str) or _SENDABLE.fullmatch(value) is None:
        raise Unanswered("auth", f"no token: {origin} answered 200 without an access_token that can be sent")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise Unanswered("auth", f"no token: {origin} gave out one that is no bearer token")
    life = _life(told.get("expires_in"))
    return Token(value, time.monotonic() + life - min(MARGIN, life / 10))


def _life(said: Json) -> float:
    """Seconds; some servers write the number as a text."""
    try:
        life = float(said) if isinstance(said, int | float | str) else UNSAID
    except ValueError:
        return UNSAID
    return life if 0 < life < float("inf") else UNSAID
