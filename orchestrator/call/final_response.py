"""The head of an answer, read more strictly than `http.client` does where its leniency loses or invents answers."""

import http.client
from email.errors import MissingHeaderBodySeparatorDefect
from io import BufferedReader
from typing import cast

from orchestrator.call.attempt import under_way

_MAX_INTERIM_ANSWERS = 10


class FinalResponse(http.client.HTTPResponse):
    """An answer whose head is final, whole and understood.

    - An interim answer (`103 Early Hints`) is not the answer. Otherwise the real one, which comes later on the same
      pooled connection, would answer somebody else's request.
    - A head that ends in the middle is no head. Otherwise `200 OK` and a lost connection would be a success without a
      body.
    - A line that is no header ends the parsing, and with it `Content-Length` may be lost: refused.
    - A chunk of length -1 is refused. Otherwise it would be read without any bound.
    """

    def begin(self) -> None:
        """Read the head. Raises HTTPException where it cannot be used."""
        source = self.fp
        lines = _Lines(source)
        self.fp = cast(BufferedReader, lines)
        try:
            super().begin()
        finally:
            if not source.closed:
                self.fp = source
        if lines.ended_early:
            raise http.client.IncompleteRead(b"")
        if any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in self.headers.defects):
            raise http.client.HTTPException("a line of the head is no header")

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MAX_INTERIM_ANSWERS):
            version, status, reason = super()._read_status()  # type: ignore[misc] # not in typeshed
            if not 100 <= status < 200 or status == http.client.SWITCHING_PROTOCOLS:
                under_way.get().status = status
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {_MAX_INTERIM_ANSWERS} interim answers")

    def _safe_read(self, amt: int) -> bytes:
        if amt < 0:
            raise http.client.IncompleteRead(b"")
        return cast(bytes, super()._safe_read(amt))  # type: ignore[misc] # not in typeshed


class _Lines:
    """The lines of a head, with a note of whether the connection ended among them."""

    def __init__(self, source: BufferedReader) -> None:
        self.source = source
        self.ended_early = False

    def readline(self, limit: int) -> bytes:
        line = self.source.readline(limit)
        self.ended_early = not line
        return line

    def close(self) -> None:
        self.source.close()
