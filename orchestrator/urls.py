"""URLs of the servers we stand on: how Celery and redis-py spell them, and how they are shown.

The two spellings of a Redis URL differ for Unix sockets only.
"""

import re
from urllib.parse import parse_qsl, quote, urlsplit

HIDDEN = "***"


def client_url(url: str) -> str:
    """Celery's URL as `redis.Redis.from_url` reads it (`redis+socket:///p?virtual_host=1` → `unix:///p?db=1`)."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    database = dict(parse_qsl(parts.query)).get("virtual_host", "0")
    return f"unix://{parts.netloc}{parts.path}?db={database}"


def socket_url(path: str, database: int = 0) -> str:
    """A Unix socket's path as Celery reads it, for the broker and the result backend alike."""
    return f"redis+socket://{quote(path)}?virtual_host={database}"


def masked(url: str) -> str:
    """The URL without its password: safe to log and to show.

    Rather too much is hidden than too little: an unquoted / or @ in a password ends nothing.
    """
    without = re.sub(r"(://[^:/@?#]*):.*@", rf"\1:{HIDDEN}@", url)
    return re.sub(r"(password=)[^&]*", rf"\1{HIDDEN}", without, flags=re.IGNORECASE)
