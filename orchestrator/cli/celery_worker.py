"""One Celery worker process, as the supervisor starts it: Celery's own command, on our application.

It is `celery -A tasks worker` with two differences. A `tasks.py` or a `celeryconfig.py` in the folder from which
somebody starts it cannot take the place of ours: Celery looks there first. And it is quieter and sooner there: no
banner, no talk among workers at their start, and no two lines for each message, because the orchestrator writes one
where a step's state changes.
"""

import logging
import sys
import warnings

import click

OPTIONS = ("--without-gossip", "--without-mingle")
"""Workers have nothing to tell each other: what they share is in the ledger. Mingling would cost a second."""


def main(options: list[str]) -> None:
    """Work until a signal ends it; `options` are those of `celery worker`."""
    from celery.platforms import SecurityWarning

    import celeryconfig  # noqa: F401 - imported here, so that Celery finds it imported
    from tasks import app

    # Celery warns of root because of pickled messages; ours are JSON, and any other is refused.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("celery.backends.redis").addFilter(_is_no_failed_step)
    try:
        app.worker_main(["--quiet", "worker", *OPTIONS, *options])
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _is_no_failed_step(record: logging.LogRecord) -> bool:
    # A chord that ends because a step of it failed: the ledger has decided on that long before.
    return not str(record.msg).startswith("Chord %r raised")


if __name__ == "__main__":
    main(sys.argv[1:])
