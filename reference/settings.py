"""The environment's variables, from the settings that read them."""

from dataclasses import MISSING, fields

from orchestrator.settings import NAMES, PREFIX, Settings
from reference.tables import table

MEANINGS = {
    "DATABASE_URL": "The ledger: `postgresql://user@host/database`, or `sqlite:///file`.",
    "REDIS_URL": "The broker: `redis://host:6379/0`, `rediss://…`, or a Unix socket.",
    "DEFINITIONS": "The folder with definitions.",
    "DATA": "The data folder: the SQLite ledger, the embedded Redis, logs, a key that was made here.",
    "API_KEYS": "Keys of the API, comma-separated, each with scopes after a colon where it may not do everything. "
    "Needed to listen on anything but loopback.",
    "LOGIN_HEADER": "The header in which a proxy says who looks at the dashboard, such as `X-Forwarded-User`; "
    "`X-Forwarded-User:read` where they may only look.",
    "LOGIN_PROXIES": "The addresses and networks of the proxies that are believed so.",
    "START_RATE": "How often one client (one API key, or one address where there are none) may start workflows: "
    "`100/s`, `600/m` or `5000/h`. Beyond it 429 with `Retry-After`.",
    "ENCRYPTION_KEY": "For sensitive fields: 32 bytes in base64, the same on every host; older keys after it.",
    "PUBLIC_URL": "Where services, and people who are notified, reach the web process.",
    "NOTIFY": "Where ops are told: Apprise's URLs or webhooks, separated by commas or spaces.",
    "ALLOW_HOSTS": "Hosts, addresses or networks that steps may call although they are loopback or private.",
    "CONCURRENCY": "Calls at once in one worker process; a tenth more while slow calls hold most of these up, and "
    "up to as many again for branches that it goes on with beside one another.",
    "PROCESSES": "Worker processes of one host.",
    "MAX_ANSWER_BYTES": "The longest answer of a service that is kept, in bytes.",
    "LOG_LEVEL": "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
    "LOG_FORMAT": "`console` or `json`.",
    "RETENTION": "How long finished workflows are kept.",
    "STUCK_AFTER": "After how long without an event an unfinished workflow that waits for nothing counts as stuck.",
    "WEBHOOK_SECRET": "What signs webhooks that go out (Standard Webhooks); `new,old` while one replaces another.",
    "METRICS_PORT": "Where workers give out their metrics.",
}
_FAMILIES = (
    ("VAR_X", "What `${vars.X}` reads in definitions.", ""),
    ("SECRET_X", "What `${secret.X}` reads: in URLs, headers, query, payloads and `auth` only, never stored.", ""),
)
_DEPENDS = {
    "DATABASE_URL": "`ledger.sqlite3` in the data folder",
    "REDIS_URL": "an embedded server",
    "DEFINITIONS": "`./workflows`, else the bundled ones",
    "DATA": "`./.orchestrator`",
    "ENCRYPTION_KEY": "made in the data folder",
    "WEBHOOK_SECRET": "derived from the encryption key; `orchestrator webhooks secret` prints it",
    "PROCESSES": "as many as processors, 4 at most",
    "RETENTION": "for ever",
    "START_RATE": "no bound",
}


def settings_page() -> str:
    """Every variable, what it means, and what is so where it is not set."""
    rows = [(f"`{PREFIX}{name}`", MEANINGS.get(name, ""), _default(name)) for name in NAMES]
    rows += [(f"`{PREFIX}{name}`", meaning, default) for name, meaning, default in _FAMILIES]
    return (
        "# The environment\n\nNone is needed on one machine. An empty variable counts as absent; a misspelt or "
        "impossible one is an error, all of them at once. Durations are written as `90s`, `15m`, `36h`, `30d`.\n\n"
        + table(("variable", "means", "left out"), rows)
    )


def _default(name: str) -> str:
    if name in _DEPENDS:
        return _DEPENDS[name]
    default = next((each.default for each in fields(Settings) if each.name == name.lower()), MISSING)
    if default is MISSING or default is None or default == ():
        return "none"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
