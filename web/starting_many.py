"""`POST /api/workflows/batch`: many workflows started with one request."""

from flask import Blueprint, Response

from web.batches import batch, batch_answer
from web.parameters import NONE, query
from web.starting import wanted_by

bp = Blueprint("starting_many", __name__)


@bp.post("/api/workflows/batch")
def started() -> Response:
    """Start up to 1,000 workflows: all of them, or none."""
    query(NONE)
    return batch_answer("workflows", batch("workflows", wanted_by))
