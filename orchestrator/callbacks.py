"""Where a service says what came of a request that it accepted, and the token that lets it.

A token is bound to one workflow, step and attempt (and to the round of its idempotency key, which changes where a
person has a failed step run again). It is worked out from the encryption key whenever it is needed, and kept nowhere:
not in the ledger, not in a log.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import SettingsError

PATH: Final = "/api/orchestrator"
_PURPOSE: Final = b"orchestrator: callback tokens, version 1"
_TOKEN = re.compile(
    r"(?P<attempt>[1-9][0-9]{0,8})\.(?P<key_round>0|[1-9][0-9]{0,8})\.(?P<mac>[A-Za-z0-9_-]{43})", re.ASCII
)

MISSING = (
    "ORCHESTRATOR_PUBLIC_URL is not set: services cannot be told where to call back; set it, for web and workers, to "
    "the address under which they reach the API, such as https://orchestrator.example.com"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempt that a token is for: its number, from 1, and the round of its idempotency key."""

    number: int
    key_round: int


class Tokens:
    """Makes tokens with the first of `keys` (those that sensitive fields are encrypted with); any of them counts."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [hmac.new(key.encode(), _PURPOSE, hashlib.sha256).digest() for key in keys]

    def make(self, workflow_id: str, step: str, attempt: Attempt) -> str:
        """The token of this attempt; it may stand in a URL as it is."""
        return f"{attempt.number}.{attempt.key_round}.{_mac(self._keys[0], workflow_id, step, attempt)}"

    def read(self, token: str, workflow_id: str, step: str) -> Attempt | None:
        """The attempt of this step that the token is for; None where it is another's, or nobody's."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        attempt = Attempt(int(found["attempt"]), int(found["key_round"]))
        given = found["mac"]
        known = [hmac.compare_digest(given, _mac(key, workflow_id, step, attempt)) for key in self._keys]
        return attempt if any(known) else None


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What requests say about how they are answered. `public_url` is where services reach the API."""

    public_url: str | None
    tokens: Tokens

    def told(self, workflow_id: str, step: str, attempt: Attempt) -> dict[str, str]:
        """What `${callback}` reads: `url`, `failedUrl`, `heartbeatUrl`, with the token in each, and the `token` itself.

        Raises SettingsError where nobody has said how services reach us.
        """
        if self.public_url is None:
            raise SettingsError(MISSING)
        token = self.tokens.make(workflow_id, step, attempt)
        return {
            "url": f"{self.public_url}{PATH}?token={token}",
            "failedUrl": f"{self.public_url}{PATH}/failed?token={token}",
            "heartbeatUrl": f"{self.public_url}{PATH}/heartbeat?token={token}",
            "token": token,
        }


def _mac(key: bytes, workflow_id: str, step: str, attempt: Attempt) -> str:
    # Neither an id nor a step's name can hold a line break: no two attempts have the same text.
    text = f"{workflow_id}\n{step}\n{attempt.number}\n{attempt.key_round}"
    return base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode().rstrip("=")
