"""Reading a request's body: JSON or text, bounded, and refused with what would be right."""

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from orchestrator.admission import MOST_BYTES
from orchestrator.errors import Fault, FaultyInput
from orchestrator.jsontype import Json
from orchestrator.storable import DoubledKeys, NotStorable, parse_json

__all__ = ["MOST_BYTES", "is_json", "json_object", "no_body", "text"]


def is_json() -> bool:
    """Whether the body is said to be JSON."""
    return request.mimetype == "application/json" or request.mimetype.endswith("+json")


def json_object() -> dict[str, Json]:
    """The body as a JSON object that can be stored; anything else is a 400, 413 or 415.

    A key that comes twice in one object is refused: proxies and programs differ in which of the two they take, so that
    what was checked need not be what is done.
    Only what is said to be JSON is taken for it: no page of another site can post that without asking first.
    """
    if not is_json():
        given = request.mimetype or "nothing"
        raise UnsupportedMediaType(f"the body must be JSON: send `Content-Type: application/json`, not {given}")
    try:
        value = parse_json(text(), doubles=False)
    except DoubledKeys as error:
        raise FaultyInput([Fault(place, "is given twice in one object") for place in error.places]) from None
    except NotStorable as error:
        raise BadRequest(f"the body cannot be taken: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest('the body must be a JSON object, such as {"email": "ada@example.com"}')
    return value


def no_body() -> None:
    """Raise a 400 where what is sent would be ignored. `{}`, which many clients always send, says nothing."""
    if request.get_data().strip() not in (b"", b"{}"):
        raise BadRequest("this call takes no body: what is in it would be ignored, so nothing was done; send none")


def text() -> str:
    """The body as text, which is UTF-8."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedMediaType(f"a body in Content-Encoding {encoding} is not supported; send it plain")
    try:
        return request.get_data().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
