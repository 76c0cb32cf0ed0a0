"""Programs running in the foreground, until a signal asks for the end: what `worker`, `up` and `demo --serve` do."""

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.keeper import Program
from orchestrator.supervisor import Supervisor, console


def run(
    stages: Sequence[Sequence[Program]],
    once_up: Callable[[], None] = lambda: None,
    *,
    show: Callable[[str, str], None] = console,
    logs: Path | None = None,
) -> None:
    """Keep the programs running; return when they have stopped because a signal asked for it.

    `once_up` is called when all are ready. Raises Unavailable where one cannot be started.
    """
    try:
        with Supervisor(stages, show, logs) as supervisor:
            once_up()
            try:
                supervisor.wait()
            finally:
                console("stopping", "calls in flight are waited for; a second Ctrl-C or SIGTERM cuts them off")
    except KeyboardInterrupt:
        return
    except SystemExit as asked:
        if asked.code in (_SIGTERM, _SIGHUP):  # it was asked to stop, and did
            return
        raise


_SIGHUP = 128 + 1
_SIGTERM = 128 + 15
