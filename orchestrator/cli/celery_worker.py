"""One Celery worker process, as the supervisor starts it: Celery's own command, on our application.

It is `celery -A tasks worker` with two differences. No settings of somebody's own Celery project reach it (see
`only_ours`). And it is quieter and sooner there: no banner, no talk among workers at their start, and no two lines for
each message, because the orchestrator writes one where a step's state changes.
"""

import logging
import sys
import warnings

import click

from orchestrator.cli.only_ours import only_our_celery

OPTIONS = ("--without-gossip", "--without-mingle")
"""Workers have nothing to tell each other: what they share is in the ledger. Mingling would cost a second."""


def main(options: list[str]) -> None:
    """Work until a signal ends it; `options` are those of `celery worker`."""
    from celery.platforms import SecurityWarning

    from tasks import app

    only_our_celery()
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
