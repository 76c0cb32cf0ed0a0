"""Services that want to know who is calling: a bank that grants tokens (OAuth 2.0), a journal with a key."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Literal

from werkzeug.datastructures import Authorization, Headers

SECRETS = {"BANK_CLIENT": "the-demo-client-of-the-bank", "JOURNAL_KEY": "the-demo-key-of-the-journal"}
"""What the demo's definitions read as `${secret.NAME}`. It guards nothing but the demo."""

CLIENT = "orders"
LIFE = 300
"""Seconds that a token is said to be good for; it is as long as the process lives."""


class Tokens:
    """The tokens that the bank has granted."""

    def __init__(self) -> None:
        self._granted: set[str] = set()

    def grant(self, who: Authorization | None, form: Mapping[str, str]) -> str | None:
        """A token for the client's own credentials (RFC 6749, 4.4); None where they are not its own."""
        if form.get("grant_type") != "client_credentials" or who is None or who.username != CLIENT:
            return None
        if not hmac.compare_digest((who.password or "").encode(), SECRETS["BANK_CLIENT"].encode()):
            return None
        token = secrets.token_urlsafe(24)
        self._granted.add(token)
        return token

    def let_in(self, guard: Literal["token", "key"], headers: Headers) -> bool:
        """Whether a request shows what this guard wants to see."""
        if guard == "key":
            return hmac.compare_digest(headers.get("X-Api-Key", "").encode(), SECRETS["JOURNAL_KEY"].encode())
        return headers.get("Authorization", "").removeprefix("Bearer ") in self._granted
