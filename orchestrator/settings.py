"""What the environment says: the only reader of `os.environ`, read once into one frozen value.

Every variable is named `ORCHESTRATOR_…`; none is needed on one machine. An empty variable counts as absent, because
compose files pass `${X:-}` for what nobody set.
"""

import base64
import difflib
import os
import re
import secrets as randomness
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from orchestrator import setting_texts as texts
from orchestrator.api_keys import ApiKey
from orchestrator.errors import SettingsError
from orchestrator.setting_texts import LogFormat, LogLevel
from orchestrator.signing import secrets_in
from orchestrator.urls import HIDDEN, masked

PREFIX = "ORCHESTRATOR_"

NAMES = (
    "DATABASE_URL",
    "REDIS_URL",
    "DEFINITIONS",
    "DATA",
    "API_KEYS",
    "LOGIN_HEADER",
    "LOGIN_PROXIES",
    "START_RATE",
    "ENCRYPTION_KEY",
    "PUBLIC_URL",
    "NOTIFY",
    "ALLOW_HOSTS",
    "CONCURRENCY",
    "PROCESSES",
    "MAX_ANSWER_BYTES",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "RETENTION",
    "STUCK_AFTER",
    "WEBHOOK_SECRET",
    "METRICS_PORT",
)
_CENTURY = 36_500 * 86_400
_FAMILIES = ("VAR_", "SECRET_", "TEST_")
T = TypeVar("T")


class Secrets(Mapping[str, str]):
    """Secret values by name, for `${secret.NAME}`. Neither `repr` nor `str` shows a value."""

    def __init__(self, values: Mapping[str, str] = MappingProxyType({})) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{name}={HIDDEN}' for name in sorted(self._values))})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("secrets stay in the process that read them; they are never pickled")


@dataclass(frozen=True, repr=False)
class Settings:
    """How this installation is set up.

    `redis_url` is None where an embedded server is wanted; otherwise it is written as Celery reads it (a Unix socket is
    `redis+socket:///path?virtual_host=0`; `orchestrator.urls.client_url` gives redis-py's spelling). `data` is absolute
    and may not exist yet (`prepare`). `concurrency` is the threads of one worker process, `processes` the worker
    processes of one host. `allow_hosts` holds lower-case host names, addresses and networks that steps may call
    although they are loopback or private. `notify` are Apprise's URLs, or webhooks. `retention` and `stuck_after` are
    seconds: how long finished workflows are kept (None: for ever), and after how long without an event an unfinished
    one counts as stuck. `metrics_port` is where a worker process shows its metrics; of several on one host the second
    takes the next port, and so on. `traces` names OpenTelemetry's exporters, by its own OTEL_… variables.
    `login_header` names the header in which one of `login_proxies` says who looks at the dashboard (None: nobody does).
    `start_rate` bounds how often one client may start workflows (None: not at all).
    """

    database_url: str
    redis_url: str | None
    definitions: Path
    data: Path
    vars: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    api_keys: tuple[ApiKey, ...] = ()
    login_header: texts.LoginHeader | None = None
    login_proxies: tuple[texts.Network, ...] = ()
    start_rate: texts.Rate | None = None
    encryption_key: str | None = None
    public_url: str | None = None
    notify: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    concurrency: int = 100
    processes: int = 1
    max_answer_bytes: int = 1_000_000
    log_level: LogLevel = "INFO"
    log_format: LogFormat = "console"
    retention: float | None = None
    stuck_after: float = 3_600.0
    webhook_secrets: tuple[str, ...] = ()
    metrics_port: int | None = None
    traces: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """The settings that `environ` describes; raises `SettingsError` with every fault, one a line."""
        reading = _Reading(environ)
        data = reading.get("DATA", texts.folder, Path(".orchestrator").absolute())
        settings = cls(
            database_url=reading.get("DATABASE_URL", texts.database_url, f"sqlite:///{data / 'ledger.sqlite3'}"),
            redis_url=reading.get("REDIS_URL", texts.redis_url, None),
            definitions=reading.get("DEFINITIONS", texts.existing_folder, _default_definitions()),
            data=data,
            vars=MappingProxyType(reading.family("VAR_")),
            secrets=Secrets(reading.family("SECRET_")),
            api_keys=reading.get("API_KEYS", texts.api_keys, ()),
            login_header=reading.get("LOGIN_HEADER", texts.login_header, None),
            login_proxies=reading.get("LOGIN_PROXIES", texts.networks, ()),
            start_rate=reading.get("START_RATE", texts.rate, None),
            encryption_key=reading.get("ENCRYPTION_KEY", texts.encryption_key, None),
            public_url=reading.get("PUBLIC_URL", texts.public_url, None),
            notify=reading.get("NOTIFY", texts.notify, ()),
            allow_hosts=reading.get("ALLOW_HOSTS", texts.allow_hosts, ()),
            concurrency=reading.get("CONCURRENCY", texts.count(1, 10_000), 100),
            processes=reading.get("PROCESSES", texts.count(1, 256), min(4, os.cpu_count() or 1)),
            max_answer_bytes=reading.get("MAX_ANSWER_BYTES", texts.count(1_000, 1_000_000_000), 1_000_000),
            log_level=reading.get("LOG_LEVEL", texts.log_level, "INFO"),
            log_format=reading.get("LOG_FORMAT", texts.log_format, "console"),
            retention=reading.get("RETENTION", texts.duration(60, _CENTURY), None),
            webhook_secrets=reading.get("WEBHOOK_SECRET", secrets_in, ()),
            stuck_after=reading.get("STUCK_AFTER", texts.duration(1, _CENTURY), 3_600.0),
            metrics_port=reading.get("METRICS_PORT", texts.count(1, 65_535), None),
            traces=_exporters(environ),
        )
        reading.check(_login_faults(settings))
        reading.end()
        return settings

    @property
    def logs(self) -> Path:
        """The folder that child processes' logs go to."""
        return self.data / "logs"

    @property
    def key_file(self) -> Path:
        """Where the encryption key is kept when the environment gives none."""
        return self.data / "encryption.key"

    def prepare(self) -> None:
        """Make the data folder, for its owner only and unseen by git; raises `SettingsError` where that cannot be.

        A folder that is there already keeps its permissions: it may be shared on purpose, or be somebody's `/srv`.
        """
        try:
            if not self.data.is_dir():
                self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
                (self.data / ".gitignore").write_text("*\n")
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{PREFIX}DATA: {self.data} cannot be a data folder: {error.strerror}") from error

    def key(self) -> str:
        """The encryption key: the configured one, else the one in `key_file`, made at its first use.

        Two hosts that share a database must be given the same key; a key made here is this host's alone.
        """
        if self.encryption_key is not None:
            return self.encryption_key
        self.prepare()
        fresh = base64.urlsafe_b64encode(randomness.token_bytes(32)).decode()
        draft = self.data / f"encryption.key.{os.getpid()}.{randomness.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(fresh)
        try:
            # Two processes that start at the same moment: one link succeeds, and both read the winner's whole file.
            os.link(draft, self.key_file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self.key_file.read_text()

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in ("database_url", "redis_url", "public_url"):
            shown[name] = shown[name] and masked(shown[name])
        shown["api_keys"] = (HIDDEN,) * len(self.api_keys)
        # Apprise puts its tokens anywhere in the URL: only the kind of service may be seen.
        shown["notify"] = tuple(f"{url.partition('://')[0]}://{HIDDEN}" for url in self.notify)
        shown["webhook_secrets"] = (HIDDEN,) * len(self.webhook_secrets)
        shown["encryption_key"] = self.encryption_key and HIDDEN
        shown["vars"] = dict(self.vars)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def bundled(folder: str) -> Path:
    """A folder that comes with the orchestrator (`workflows`, `migrations`), installed or in a checkout."""
    package = Path(__file__).parent
    installed = package / "_files" / folder
    return installed if installed.is_dir() else package.parent / folder


def child_environment(**changes: str) -> dict[str, str]:
    """The environment of a child process: this one's, with some settings (named without their prefix) changed."""
    changed = {PREFIX + name: value for name, value in changes.items()}
    return {**os.environ, "PYTHONUNBUFFERED": "1", **changed}


class _Reading:
    """One pass over the environment that gathers faults instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        self._faults: list[str] = []

    def get(self, name: str, read: Callable[[str], T], default: T) -> T:
        text = self._environ.get(PREFIX + name, "").strip()
        if not text:
            return default
        try:
            return read(text)
        except ValueError as error:
            self._faults.append(f"{PREFIX}{name}: {error}")
            return default

    def family(self, family: str) -> dict[str, str]:
        values = {}
        for variable, value in self._environ.items():
            if variable.startswith(PREFIX + family):
                name = variable.removeprefix(PREFIX + family)
                if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                    values[name] = value
                else:
                    self._faults.append(
                        f"{variable}: {name!r} is no name; use letters, digits and _, such as {PREFIX}{family}API"
                    )
        return values

    def check(self, faults: Iterable[str]) -> None:
        """What does not go together."""
        self._faults.extend(faults)

    def end(self) -> None:
        """Raise what was found, misspelt variables included.

        A name like none of ours is let be: Kubernetes sets `ORCHESTRATOR_PORT` for a service called orchestrator.
        """
        for variable in sorted(self._environ):
            name = variable.removeprefix(PREFIX)
            if name in NAMES or name.startswith(_FAMILIES):
                continue
            if meant := difflib.get_close_matches(name, NAMES, n=1, cutoff=0.8):
                self._faults.append(f"{variable}: no such setting; did you mean {PREFIX}{meant[0]}?")
        if self._faults:
            raise SettingsError("\n".join(self._faults))


def _login_faults(settings: Settings) -> Iterator[str]:
    """A header that everybody could send must not be a login, nor one where nobody has to log in."""
    if settings.login_header is not None and not settings.login_proxies:
        yield f"{PREFIX}LOGIN_HEADER: say in {PREFIX}LOGIN_PROXIES which addresses it is believed of, such as 10.0.0.5"
    if settings.login_header is not None and not settings.api_keys:
        yield f"{PREFIX}LOGIN_HEADER: without {PREFIX}API_KEYS whoever reaches the port is let in without a login"


def _exporters(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What OTEL_TRACES_EXPORTER names, or OTLP where only its endpoint is given; nothing where nobody asked for any.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    text = environ.get("OTEL_TRACES_EXPORTER") or ("otlp" if endpoint else "none")
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    otlp = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    names = [name.strip() for name in text.split(",")]
    return tuple(otlp if name == "otlp" else name for name in names if name not in ("", "none"))


def _default_definitions() -> Path:
    own = Path("workflows").absolute()
    return own if own.is_dir() else bundled("workflows")
