"""One Celery worker process, as the supervisor starts it: Celery's own command, on our application.

It is `celery -A tasks worker` with two differences. A `tasks.py` or a `celeryconfig.py` in the folder from which
somebody starts it cannot take the place of ours: Celery looks there first. And it does not log each message twice: the
orchestrator writes a line where a step's state changes.
"""

import logging
import sys


def main(options: list[str]) -> None:
    """Work until a signal ends it; `options` are those of `celery worker`."""
    import celeryconfig  # noqa: F401 - imported here, so that Celery finds it imported
    from tasks import app

    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app.worker_main(["worker", *options])


if __name__ == "__main__":
    main(sys.argv[1:])
