"""What the figures were made on: machine, versions, how long the disk takes, how much the services can do."""

import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

from benchmarks.accounting import cpu_seconds
from benchmarks.books import Services
from benchmarks.load import generate, request
from benchmarks.peer import Place

PACKAGES = ("celery", "kombu", "redis", "sqlalchemy", "psycopg", "requests", "dbos", "restate-sdk")


def described(place: Place) -> Iterator[str]:
    """Lines about everything that the figures depend on."""
    memory = psutil.virtual_memory().total / 2**30
    yield f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"
    yield f"Python {platform.python_version()}, {', '.join(_versions())}"
    yield f"{place.redis.version}, {place.postgres.version} with fsync on"
    yield f"a write that is synced to the disk takes {_fsync(place.folder) * 1000:.2f} ms"
    yield f"load of the machine before the first round: {os.getloadavg()[0]:.1f} (should be near 0)"
    yield _ceiling(place.services)


def _versions() -> Iterator[str]:
    for package in PACKAGES:
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{package} is not here"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _fsync(folder: Path) -> float:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        took = []
        for _ in range(50):
            began = time.perf_counter()
            os.write(file.fileno(), b"x" * 512)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took)


def _ceiling(services: Services) -> str:
    services.reset()
    call = request("POST", "/ceiling", b"{}").replace(b"\r\n\r\n", b"\r\nX-Workflow-Id: w\r\nX-Step: s\r\n\r\n")
    cpu = cpu_seconds([services.child.pid])
    load = generate(services.port, lambda _: call, connections=16, seconds=2)
    each = (cpu_seconds([services.child.pid]) - cpu) / len(load.latencies)
    services.reset()
    return f"the services answered {load.rate:.0f} calls/s and use {each * 1e6:.0f} µs each: {1 / each:.0f}/s at most"
