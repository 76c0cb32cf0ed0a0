"""The programs that make up an installation, as the supervisor keeps them: Redis, web, workers.

Each is started with `python -P`: a module of the folder in which somebody happens to stand takes no part in it.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence

from orchestrator.embedded import EmbeddedRedis
from orchestrator.keeper import Program
from orchestrator.settings import Settings, child_environment

PYTHON = (sys.executable, "-P", "-m")


def redis(server: EmbeddedRedis) -> Program:
    """The embedded Redis."""
    return Program("redis", server.command, ready=server.answers, grace=5)


def web(host: str, port: int, environment: dict[str, str] | None = None) -> Program:
    """The web process; ready when it says that it lives."""
    command = [*PYTHON, "orchestrator.cli", "web", "--host", host, "--port", str(port)]
    url = f"http://{host}:{port}/healthz"
    return Program("web", command, environment, ready=lambda: answers(url), grace=15)


def workers(settings: Settings, options: Sequence[str], ready: Callable[[], bool] | None = None) -> list[Program]:
    """The Celery worker processes of this host, told apart by their node names; `options` are Celery's own."""
    environment = child_environment(CONCURRENCY=str(settings.concurrency))
    single = settings.processes == 1
    return [
        Program(
            "worker" if single else f"worker-{number}",
            [
                *PYTHON,
                "orchestrator.cli.celery_worker",
                f"--loglevel={settings.log_level}",
                f"--hostname=orchestrator{'' if single else number}@%h",
                *options,
            ],
            environment,
            ready,
        )
        for number in range(1, settings.processes + 1)
    ]


def answers(url: str) -> bool:
    """Whether something answers there with success; asked directly, whatever proxy the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
