"""Whoever is told how workflows end: receivers of webhooks, who verify each message and sometimes do not take it."""

import base64
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"who is told how it ended, by us!").decode()


@dataclass(frozen=True)
class Heard:
    """A message: of which end of which workflow, under which id, whether it is ours, and what it was answered with."""

    workflow: str
    event: str
    id: str
    genuine: bool
    status: int


def is_genuine(body: str, headers: Mapping[str, str]) -> bool:
    """Whether it is signed with the secret. Not whether it is fresh: the clock of whoever sends it may be wrong."""
    try:
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        signature = Webhook(SECRET).sign(headers["webhook-id"], at, body)
    except (KeyError, ValueError):
        return False
    return signature in headers.get("webhook-signature", "").split()


def answer_to(message_id: str, before: int) -> int:
    """A receiver may be out of order the first time."""
    dice = random.Random(f"{message_id}/{before}")
    return 200 if before else dice.choices([200, 202, 500, 503], [80, 10, 6, 4])[0]
