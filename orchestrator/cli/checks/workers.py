"""Whether somebody works: by the signs of life in the ledger, and by asking who takes messages from the queue."""

from collections.abc import Iterator, Sequence

from orchestrator.cli.checks.broker import QUEUES
from orchestrator.cli.checks.finding import Finding, doubtful, well, wrong
from orchestrator.cli.opening import opened_ledger
from orchestrator.errors import SettingsError, Unavailable
from orchestrator.jsontype import Json
from orchestrator.ledger.views.workers import workers_alive
from orchestrator.settings import Settings

PATIENCE = 2.0
"""Seconds that workers have to answer in."""


def check_workers(settings: Settings) -> Iterator[Finding]:
    """Who is alive, and whether they take messages."""
    try:
        with opened_ledger(settings) as ledger:
            alive = workers_alive(ledger)
    except (SettingsError, Unavailable):
        return  # that is a finding about the ledger
    yield from judge_workers(len(alive), *_consuming())


def judge_workers(alive: int, consuming: int | None, unattended: Sequence[str] = ()) -> Iterator[Finding]:
    """`alive` have signed the ledger, `consuming` answered that they take our messages (None: could not be asked).

    `unattended` are the queues that none of those takes from.
    """
    if not alive:
        yield wrong("workers", "none is alive", "orchestrator worker (or: celery -A tasks worker)")
    elif consuming is None:
        yield wrong("workers", f"{alive} alive, but they cannot be asked: Redis is away", "see what is said of Redis")
    elif consuming < alive:
        yield wrong(
            "workers",
            f"{alive} alive, but {consuming} of them take messages from our queues",
            "look at the log of the others for how they fare with Redis; restarting one loses nothing",
        )
    else:
        yield well("workers", f"{alive} alive, taking messages")
    if alive and consuming and unattended:
        yield doubtful(
            "workers",
            f"nobody takes messages from {', '.join(unattended)}: what has that priority waits",
            "start a worker without -Q, or with these queues",
        )


def _consuming() -> tuple[int | None, list[str]]:
    """How many take messages of ours, None where nobody can be asked; and the queues that nobody takes from."""
    from kombu.exceptions import KombuError
    from redis.exceptions import RedisError

    from tasks import app

    try:
        queues: Json = app.control.inspect(timeout=PATIENCE).active_queues() or {}
    except (KombuError, RedisError, OSError):
        return None, []
    taken = [{queue["name"] for queue in of_one} & set(QUEUES) for of_one in queues.values()]
    return sum(map(bool, taken)), [name for name in QUEUES if not any(name in one for one in taken)]
