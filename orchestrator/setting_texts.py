"""The text of one environment variable → its value, or a `ValueError` that says what would be right.

No message repeats a value that may hold a password or a token.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from orchestrator.api_keys import EVERYTHING, ApiKey, Scope, api_key
from orchestrator.durations import seconds_in, span
from orchestrator.urls import masked

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["console", "json"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SHORTEST_API_KEY = 16
_OWN_HEADERS = frozenset({"authorization", "cookie", "host", "content-length", "content-type"})
_UNITS = {"s": 1, "m": 60, "h": 3_600}
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\Z")


def folder(text: str) -> Path:
    """An absolute path that is no file; it need not exist."""
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; a folder is wanted")
    return path


def existing_folder(text: str) -> Path:
    """An absolute path of a folder."""
    path = folder(text)
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    return path


def _split(text: str) -> tuple[str, str]:
    """Scheme and host. What urllib complains of is not repeated: it may be a piece of the password."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("not a URL; in a password, / is written %2F, # %23, ? %3F, @ %40 and : %3A") from None
    return parts.scheme.lower(), parts.hostname or ""


def database_url(text: str) -> str:
    """A SQLite or PostgreSQL URL as SQLAlchemy reads it; the driver for PostgreSQL is psycopg 3."""
    scheme, host = _split(text)
    rest = text.partition("://")[2]
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        if not host and "host=" not in rest and not rest.startswith("/"):
            raise ValueError("no host in it; write postgresql://user:password@host:5432/database")
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite":
        if rest in {"", "/", "/:memory:"}:
            raise ValueError(
                "a database in memory is seen by one process only; write sqlite:////path/to/ledger.sqlite3"
            )
        return f"sqlite://{rest}"
    raise ValueError(
        f"{scheme or 'no scheme'} is not supported; write sqlite:////path/to/file or postgresql://user:password@host/database"
    )


def redis_url(text: str) -> str:
    """A Redis URL as Celery reads it; a Unix socket may be written in redis-py's way too."""
    scheme, host = _split(text)
    if scheme in {"redis", "rediss"}:
        if not host:
            raise ValueError(f"no host in it; write {scheme}://host:6379/0")
        return text
    if scheme in {"unix", "redis+socket", "redis+unix"}:
        return _socket_url(text)
    raise ValueError(
        f"{scheme or 'no scheme'} is not supported; write redis://, rediss:// or unix:///path/to/redis.sock"
    )


def _socket_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.hostname or not parts.path.startswith("/"):
        raise ValueError("a Unix socket needs an absolute path: unix:///path/to/redis.sock")
    query = dict(parse_qsl(parts.query))
    database = query.get("virtual_host", query.get("db", "0"))
    if not database.isdigit():
        raise ValueError(f"the database {database!r} is not a number")
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"


@dataclass(frozen=True, slots=True)
class LoginHeader:
    """The header in which a proxy says who asks, and what whoever it names may do."""

    name: str
    scopes: frozenset[Scope] = EVERYTHING


def login_header(text: str) -> LoginHeader:
    """The name of a header (RFC 9110, 5.1), with scopes after a colon. No underscores: servers drop such headers."""
    name, colon, words = text.partition(":")
    if re.fullmatch(r"[A-Za-z0-9-]{1,100}", name) is None or name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name[:100]!r} is no header to log in with; write such as X-Forwarded-User")
    if colon and not set(words.split("+")) <= {scope.value for scope in Scope}:
        raise ValueError(f"{words[:100]!r} are no scopes; write such as {name}:read or {name}:read+operate")
    return LoginHeader(name, frozenset(Scope(word) for word in words.split("+")) if colon else EVERYTHING)


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas or spaces."""
    try:
        return tuple(ipaddress.ip_network(part) for part in _list(text))
    except ValueError as error:
        raise ValueError(f"{error}; write addresses or networks such as 10.0.0.5, 10.1.0.0/16") from None


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in re.split(r"[\s,]+", text) if part))


def api_keys(text: str) -> tuple[ApiKey, ...]:
    """Keys of the API with their scopes, separated by commas or spaces."""
    keys = tuple(api_key(entry) for entry in _list(text))
    if any(len(key.secret) < SHORTEST_API_KEY for key in keys):
        raise ValueError(
            f"a key is shorter than {SHORTEST_API_KEY} characters; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if len({key.secret for key in keys}) < len(keys):
        raise ValueError("a key is given twice, with different scopes; join them with +, such as key:start+read")
    return keys


def encryption_key(text: str) -> str:
    """Keys of 32 bytes in base64 (either alphabet), as Fernet takes them: the present one, older ones after it."""
    keys = [key.strip() for key in text.split(",")]
    for key in keys:
        try:
            length = len(base64.b64decode(key, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if length != 32:
            raise ValueError(
                "not 32 bytes in base64; make one with: "
                "python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
            )
    return ",".join(keys)


def public_url(text: str) -> str:
    """The address under which services reach the web process, without a slash at its end."""
    scheme, host = _split(text)
    if scheme not in {"http", "https"} or not host or "?" in text or "#" in text:
        raise ValueError(f"{masked(text)!r} is not an address that services can call; write https://host/path")
    return text.rstrip("/")


def notify(text: str) -> tuple[str, ...]:
    """Where ops are told: URLs, separated by commas or spaces. A comma within one (`?to=a,b`) separates nothing."""
    parts = re.split(r"\s+|,(?=\s|[a-z][a-z0-9+.-]*://)", text, flags=re.IGNORECASE)
    urls = tuple(dict.fromkeys(url for part in parts if (url := part.strip(","))))
    for number, url in enumerate(urls, 1):
        if not re.match(r"[a-z][a-z0-9+.-]*://.", url, re.IGNORECASE):
            # Not repeated in the message: what is not understood may well be a token.
            raise ValueError(
                f"entry {number} is not a URL; write such as https://host/hook or mailto://user:password@host"
            )
    return urls


def allow_hosts(text: str) -> tuple[str, ...]:
    """Lower-case host names, addresses and networks, separated by commas or spaces."""
    return tuple(dict.fromkeys(_allowed(entry.lower()) for entry in _list(text)))


def _allowed(entry: str) -> str:
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        if _HOST.match(entry) and not re.fullmatch(r"[0-9.]+", entry):
            return entry
        raise ValueError(
            f"{entry!r} is neither a host name, an address nor a network; such as localhost, 10.0.0.7 or 10.0.0.0/8"
        ) from None
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def count(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`; `1_000` may be written for 1000."""

    def read(text: str) -> int:
        if re.fullmatch(r"[0-9](_?[0-9]){0,18}", text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")

    return read


def duration(least: float, most: float) -> Callable[[str], float]:
    """A reader of durations such as `90s` or `30d`, in seconds."""

    def read(text: str) -> float:
        seconds = seconds_in(text)
        if seconds is None or not least <= seconds <= most:
            raise ValueError(
                f"{text!r} is not a duration from {span(least)} to {span(most)}; write such as 90s, 15m, 36h or 30d"
            )
        return seconds

    return read


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds."""

    count: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.count}/{next(unit for unit, seconds in _UNITS.items() if seconds == self.seconds)}"


def rate(text: str) -> Rate:
    """Such as `100/s`, `600/m` or `5000/h`."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([smh])", text)
    if found is None:
        raise ValueError(f"{text!r} is no rate; write such as 100/s, 600/m or 5000/h")
    return Rate(int(found[1]), _UNITS[found[2]])


def log_format(text: str) -> LogFormat:
    """console or json, in any case."""
    for form in get_args(LogFormat):
        if text.lower() == form:
            return form  # type: ignore[no-any-return]  # get_args gives up the literal type
    raise ValueError(f"{text!r} is no format; one of {', '.join(get_args(LogFormat))}")


def log_level(text: str) -> LogLevel:
    """DEBUG, INFO, WARNING or ERROR, in any case."""
    for level in get_args(LogLevel):
        if text.upper() == level:
            return level  # type: ignore[no-any-return]  # get_args gives up the literal type
    raise ValueError(f"{text!r} is no level; one of {', '.join(get_args(LogLevel))}")
