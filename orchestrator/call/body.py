"""An answer's body: read up to a limit, decompressed up to a limit, decoded to JSON or text that can be kept."""

import codecs
import re
import zlib
from typing import Protocol

from orchestrator.call.unanswered import Unanswered
from orchestrator.jsontype import Json
from orchestrator.storable import NotStorable, check_text, parse_json

_GZIP = 16 + zlib.MAX_WBITS
_MAX_GZIP_MEMBERS = 100
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s"';,]+)""", re.IGNORECASE)
# Codecs that are no charset of the web; some take quadratic time, some make lone surrogates.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
)


class RawBody(Protocol):
    """What is read from: urllib3's response, without its decoding."""

    def read(self, amt: int, decode_content: bool) -> bytes:
        """Up to `amt` bytes; fewer only at the end."""


def read_bounded(raw: RawBody, limit: int) -> bytes:
    """The whole body as it was sent. Raises Unanswered where it is longer than `limit` bytes."""
    parts: list[bytes] = []
    left = limit + 1
    while left and (part := raw.read(left, decode_content=False)):
        parts.append(part)
        left -= len(part)
    if not left:
        raise _too_long(limit)
    return b"".join(parts)


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its `Content-Encoding`. Raises Unanswered; a bomb is left as soon as it passes `limit` bytes."""
    encoding = encoding.strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Unanswered("answer", f"the answer is encoded as {encoding[:40]!r}; only gzip was asked for")
    try:
        return _gunzipped(body, limit)
    except zlib.error:
        raise Unanswered("answer", "the answer says it is gzip and is not") from None


def _gunzipped(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for _ in range(_MAX_GZIP_MEMBERS):
        decompressor = zlib.decompressobj(_GZIP)
        part = decompressor.decompress(body, limit + 1 - size)
        size += len(part)
        if size > limit:
            raise _too_long(limit)
        if not decompressor.eof:
            raise Unanswered("answer", "the answer's gzip ends in the middle")
        parts.append(part)
        body = decompressor.unused_data
        if not body:
            return b"".join(parts)
    raise Unanswered("answer", f"the answer's gzip has more than {_MAX_GZIP_MEMBERS} parts")


def decoded(body: bytes, content_type: str | None) -> Json:
    """JSON where the content type says so, or where there is none and it is JSON; else text; None where it is empty.

    Text is in the charset that the content type names, UTF-8 otherwise. Raises Unanswered where the body is not what it
    says it is, or cannot be kept.
    """
    text = _text(body, content_type or "")
    if not text:
        return None
    try:
        if content_type is None:
            return _json_or_text(text)
        if _is_json(content_type):
            return parse_json(text)
        check_text(text)
    except NotStorable as error:
        raise Unanswered("answer", f"the answer cannot be kept: {error}") from None
    return text


def _json_or_text(text: str) -> Json:
    try:
        return parse_json(text)
    except NotStorable:
        check_text(text)
        return text


def _text(body: bytes, content_type: str) -> str:
    match = _CHARSET.search(content_type)
    charset = match[1] if match is not None else "utf-8"
    try:
        codec = codecs.lookup(charset).name
        if codec in _NOT_CHARSETS:
            raise LookupError
        return body.decode("utf-8-sig" if codec == "utf-8" else codec)
    except LookupError:
        raise Unanswered("answer", f"the answer's charset {charset[:40]!r} is unknown") from None
    except ValueError:
        raise Unanswered(
            "answer", f"the answer is not text in {charset[:40]} (only JSON and text can be kept)"
        ) from None


def _is_json(content_type: str) -> bool:
    media_type = content_type.split(";", 1)[0].split(",", 1)[0].strip().lower()
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def _too_long(limit: int) -> Unanswered:
    return Unanswered("answer", f"the answer is longer than {limit} bytes (ORCHESTRATOR_MAX_ANSWER_BYTES)")
