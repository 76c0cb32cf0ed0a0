"""What an error of `requests`, urllib3 or a socket means, by how far the attempt had come."""

import http.client
import ssl
from collections.abc import Iterator

import urllib3

from orchestrator.call.attempt import Attempt
from orchestrator.call.unanswered import Unanswered


def meaning(error: Exception, attempt: Attempt, origin: str) -> Unanswered:
    """The kind and the message for people; `origin` is the scheme, host and port that were called."""
    if attempt.is_over:
        return _too_late(attempt, origin)
    if not attempt.sending:
        if attempt.connected:
            return Unanswered("tls", f"TLS with {origin} failed: {_tls_reason(error)}")
        return Unanswered("request", f"the request to {origin} cannot be sent as it is written")
    for cause in _causes(error):
        if isinstance(cause, http.client.RemoteDisconnected):
            return Unanswered("dropped", f"{origin} closed the connection without an answer")
        if isinstance(cause, http.client.IncompleteRead):
            return Unanswered("dropped", f"{origin} closed the connection in the middle of its answer")
        if isinstance(cause, http.client.HTTPException | urllib3.exceptions.InvalidHeader):
            return Unanswered("answer", f"{origin} did not answer in HTTP that can be understood")
    return Unanswered("dropped", f"the connection to {origin} broke before the whole answer had come")


def _too_late(attempt: Attempt, origin: str) -> Unanswered:
    if attempt.sending:
        what = "did not answer" if attempt.status is None else "did not finish its answer"
        return Unanswered("timeout", f"{origin} {what} in time")
    if attempt.connected:
        return Unanswered("tls", f"{origin} did not finish the TLS handshake in time")
    return Unanswered("connect", f"{origin} was not reached in time")


def _tls_reason(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return str(cause.reason).replace("_", " ").lower()
    return "the connection broke"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
