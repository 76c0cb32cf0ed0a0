"""The programs that make up an installation, as the supervisor keeps them: Redis, web, workers.

Each is started with `python -P`: a module of the folder in which somebody happens to stand takes no part in it.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from orchestrator.cli.asking import answers
from orchestrator.embedded import EmbeddedRedis
from orchestrator.keeper import Program
from orchestrator.settings import PREFIX, Settings

PYTHON = (sys.executable, "-P", "-m")


def redis(server: EmbeddedRedis) -> Program:
    """The embedded Redis."""
    return Program("redis", server.command, ready=server.answers, grace=5)


def web(host: str, port: int, environment: Mapping[str, str]) -> Program:
    """The web process; ready when it says that it lives."""
    command = [*PYTHON, "orchestrator.cli", "web", "--host", host, "--port", str(port)]
    url = f"http://{host}:{port}/healthz"
    return Program("web", command, environment, ready=lambda: answers(url), grace=15)


def services(host: str, port: int, environment: Mapping[str, str]) -> Program:
    """The demo's example services."""
    command = [*PYTHON, "orchestrator.demo.services", "--host", host, "--port", str(port)]
    url = f"http://{host}:{port}/"
    return Program("services", command, environment, ready=lambda: answers(url), grace=5)


def shop(environment: Mapping[str, str]) -> Program:
    """The demo's Celery worker of somebody else; nothing waits for it, as its messages do."""
    return Program("shop", [*PYTHON, "orchestrator.demo.shop"], environment, grace=5)


def _with_own_port(settings: Settings, environment: Mapping[str, str], number: int) -> Mapping[str, str]:
    """Several processes cannot share the port for metrics: each takes the one after its neighbour's."""
    if settings.metrics_port is None:
        return environment
    return {**environment, f"{PREFIX}METRICS_PORT": str(settings.metrics_port + number - 1)}


def workers(
    settings: Settings,
    environment: Mapping[str, str],
    ready: Callable[[], bool] | None = None,
    options: Sequence[str] = (),
) -> list[Program]:
    """The Celery worker processes of this host, told apart by their node names; `options` are Celery's own."""
    single = settings.processes == 1
    return [
        Program(
            "worker" if single else f"worker-{number}",
            [
                *PYTHON,
                "orchestrator.cli.celery_worker",
                f"--loglevel={settings.log_level}",
                f"--hostname=orchestrator{'' if single else f'-{number}'}@%h",
                *options,
            ],
            _with_own_port(settings, environment, number),
            ready,
        )
        for number in range(1, settings.processes + 1)
    ]
