"""How webhooks are signed: Standard Webhooks (standardwebhooks.com), symmetric, with one signature a secret.

Several secrets are there while one replaces another: a receiver that knows either of them takes the message.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"
_LABEL = b"orchestrator webhooks"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, as the specification has them."""


def secrets_in(text: str) -> tuple[str, ...]:
    """Secrets separated by commas; raises ValueError, which repeats none of them, where one is no secret."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for one in found:
        try:
            bare = one.removeprefix(_PREFIX).rstrip("=")
            length = len(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if not SHORTEST <= length <= LONGEST:
            raise ValueError(
                f"not {_PREFIX} and {SHORTEST} to {LONGEST} bytes in base64; make one with: python3 -c "
                f"'import base64, os; print(\"{_PREFIX}\" + base64.b64encode(os.urandom(32)).decode())'"
            )
    return found


def derived(keys: Iterable[str]) -> tuple[str, ...]:
    """The secrets of an installation that was given none: one for each encryption key, which it does not reveal."""
    digests = (hmac.new(key.encode(), _LABEL, hashlib.sha256).digest() for key in keys)
    return tuple(_PREFIX + base64.b64encode(digest).decode() for digest in digests)


def signed(message_id: str, at: float, body: str, secrets: Iterable[str]) -> Mapping[str, str]:
    """The headers of a message that is sent at that time (seconds since 1970)."""
    moment = datetime.fromtimestamp(int(at), UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": " ".join(Webhook(one).sign(message_id, moment, body) for one in secrets),
    }
