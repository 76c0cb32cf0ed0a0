"""Reading a request's body: JSON or text, bounded, and refused with what would be right."""

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from orchestrator.admission import MOST_BYTES
from orchestrator.jsontype import Json
from orchestrator.storable import NotStorable, parse_json

__all__ = ["MOST_BYTES", "is_json", "json_object", "text"]


def is_json() -> bool:
    """Whether the body is said to be JSON."""
    return request.mimetype == "application/json" or request.mimetype.endswith("+json")


def json_object() -> dict[str, Json]:
    """The body as a JSON object that can be stored; anything else is a 400, 413 or 415.

    Only what is said to be JSON is taken for it: no page of another site can post that without asking first.
    """
    if not is_json():
        given = request.mimetype or "nothing"
        raise UnsupportedMediaType(f"the body must be JSON: send `Content-Type: application/json`, not {given}")
    try:
        value = parse_json(text())
    except NotStorable as error:
        raise BadRequest(f"the body cannot be taken: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest('the body must be a JSON object, such as {"email": "ada@example.com"}')
    return value


def text() -> str:
    """The body as text, which is UTF-8."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedMediaType(f"a body in Content-Encoding {encoding} is not supported; send it plain")
    try:
        return request.get_data().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
