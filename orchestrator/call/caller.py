"""One attempt: a request goes out once, and an answer that can be kept comes back, or why there is none."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import requests
import urllib3

from orchestrator.call.addresses import AllowedHosts
from orchestrator.call.attempt import Attempt, under_way
from orchestrator.call.body import decoded, decompressed, read_bounded
from orchestrator.call.credentials import NOBODY, presented
from orchestrator.call.failures import meaning
from orchestrator.call.lookups import Lookups, Resolve, resolve
from orchestrator.call.masking import masked
from orchestrator.call.pooling import pooled_session
from orchestrator.call.redirects import MAX_REDIRECTS, redirected
from orchestrator.call.request import Origin, Request, changes_something, prepare
from orchestrator.call.signing import sign
from orchestrator.call.tokens import Tokens
from orchestrator.call.unanswered import Unanswered
from orchestrator.outcome import Answer, NoAnswer

_MAX_HEADER_CHARACTERS = 65_536
_DISCARDED_BYTES = 65_536
_SEE_OTHER = 303
_UNAUTHORIZED = 401
# Cookies are sent to no service, so none is kept: it would be a secret that nobody needs.
_NOT_KEPT = frozenset({"set-cookie", "set-cookie2"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Caller:
    """Calls services from any number of threads, over one pool of connections.

    `pool_size` is the idle connections that are kept a host (best: as many as threads), `max_answer_bytes` the longest
    body after decompression, `allow_hosts` what may be called although it is not public (see `AllowedHosts`; raises
    SettingsError where an entry is none), `resolve` what looks names up. Make it in the process that uses it, after a
    fork.
    """

    def __init__(
        self,
        *,
        pool_size: int = 100,
        max_answer_bytes: int = 1_000_000,
        allow_hosts: Sequence[str] = (),
        resolve: Resolve = resolve,
    ) -> None:
        self._session = pooled_session(pool_size)
        self._max_answer_bytes = max_answer_bytes
        self._allowed = AllowedHosts(allow_hosts)
        self._lookups = Lookups(resolve)
        self._tokens = Tokens(self.call)

    def call(self, request: Request, may_send: Callable[[], bool] = lambda: True) -> Answer | NoAnswer:
        """Send `request` once, and on where a redirect asks for it, within its time-out.

        `may_send` is asked in the moment in which it would go out: where that is false by then, nothing is sent.

        Whatever is wrong with the request or with the service comes back as a NoAnswer; neither raises. What the answer
        repeats of what is private in the request is masked.
        """
        attempt = Attempt(time.monotonic() + request.timeout, self._allowed, self._lookups, may_send=may_send)
        attempt.private += request.private
        token = under_way.set(attempt)
        try:
            answer: Answer | NoAnswer = self._authorized(request, attempt)
        except Unanswered as reason:
            status = _SEE_OTHER if attempt.seen_other else attempt.status
            answer = NoAnswer(reason.kind, reason.message, attempt.sent, status)
        finally:
            under_way.reset(token)
        return masked(answer, attempt.private)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def _authorized(self, request: Request, attempt: Attempt) -> Answer:
        """The answer to the request with a token, where it wants one; with a fresh one, once, where it gets a 401."""
        credentials = request.credentials
        if credentials is None or credentials.grant is None:
            return self._followed(request, attempt)
        token, kept = self._tokens.get(credentials.grant, attempt.deadline)
        answer = self._followed(replace(request, credentials=credentials.with_token(token.value)), attempt)
        if answer.status == _UNAUTHORIZED:
            self._tokens.refused(credentials.grant, token)
        if answer.status != _UNAUTHORIZED or not kept:
            return answer
        # It was refused before anything was done: where there is no other token, it is as if it had not been sent.
        attempt.sent, attempt.status = False, None
        token, _ = self._tokens.get(credentials.grant, attempt.deadline)
        return self._followed(replace(request, credentials=credentials.with_token(token.value)), attempt)

    def _followed(self, request: Request, attempt: Attempt) -> Answer:
        """The answer after at most `MAX_REDIRECTS` redirects."""
        for _ in range(MAX_REDIRECTS + 1):
            found = self._exchange(request, attempt)
            if isinstance(found, Answer):
                return _of_the_first_request(found, attempt)
            if attempt.status == _SEE_OTHER and changes_something(request.method):
                attempt.seen_other = True
            request = found
        raise Unanswered("answer", f"redirected more than {MAX_REDIRECTS} times")

    def _exchange(self, request: Request, attempt: Attempt) -> Answer | Request:
        """Send one request: its answer, or the request that its redirect asks for."""
        credentials = request.credentials or NOBODY
        attempt.begin_exchange(credentials.certificate)
        attempt.private += credentials.texts
        prepared = prepare(presented(request))
        if credentials.signing is not None:
            sign(prepared, credentials.signing)
        url = str(prepared.url)
        try:
            # Not Session.send, which reads the whole body of a redirect, however long, and keeps cookies.
            adapter = self._session.get_adapter(url)
            raw = adapter.send(prepared, stream=True, timeout=attempt.remaining()).raw
            try:
                return self._received(raw, replace(request, url=url), attempt)
            finally:
                raw.close()  # a connection whose answer was read to its end is back in the pool by now
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise meaning(error, attempt, str(Origin.of(url))) from None

    def _received(self, raw: urllib3.HTTPResponse, request: Request, attempt: Attempt) -> Answer | Request:
        attempt.status = raw.status
        following = redirected(request, raw.status, raw.headers.get("location")) if request.follows else None
        if following is not None:
            raw.read(_DISCARDED_BYTES, decode_content=False)  # so that the connection can be used again
            return following
        limit = self._max_answer_bytes
        headers = _kept_headers(raw)
        body = decompressed(read_bounded(raw, limit), headers.get("content-encoding", ""), limit)
        return Answer(raw.status, headers, decoded(body, headers.get("content-type")))


def _of_the_first_request(answer: Answer, attempt: Attempt) -> Answer:
    """After a 303 a failure is one of fetching the result; it must not look as if the request itself had failed."""
    if attempt.seen_other and not 200 <= answer.status < 300:
        raise Unanswered("answer", f"answered 303, and the address that it named answered {answer.status}")
    return answer


def _kept_headers(raw: urllib3.HTTPResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for name, value in raw.headers.items():
        size += len(name) + len(value)
        key = name.lower()
        if key not in _NOT_KEPT:
            # RFC 9110, 5.5: a recipient replaces control characters by spaces, or refuses them
            kept = value if value.isprintable() else _CONTROL.sub(" ", value)
            headers[key] = f"{headers[key]}, {kept}" if key in headers else kept
    if size > _MAX_HEADER_CHARACTERS:
        raise Unanswered("answer", f"the answer's headers are longer than {_MAX_HEADER_CHARACTERS} characters")
    return headers
