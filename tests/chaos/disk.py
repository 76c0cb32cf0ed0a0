"""A disk of its own for the database, which can be full: memory that pretends to be one (root only, Linux only)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOM = "4g"
"""What it may hold while it is not full: memory is used only for what is written."""

TRIES = 100


def possible() -> str | None:
    """Why there can be none here; None where there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a disk of its own needs root on Linux"
    return None if shutil.which("mount") else "there is no mount here"


class SmallDisk:
    """Mounted in a folder for the length of a block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "SmallDisk":
        self.folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=755", "tmpfs", str(self.folder)]
        subprocess.run(command, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    def fill(self) -> None:
        """From now on it holds what it holds."""
        for _ in range(TRIES):
            used = shutil.disk_usage(self.folder).used
            # Refused where somebody has written more in between.
            if self._remounted(used):
                return
        raise RuntimeError(f"{self.folder} is written to too fast to be filled")

    def free(self) -> None:
        """There is room again."""
        assert self._remounted(ROOM), f"{self.folder} cannot be enlarged"

    def _remounted(self, size: int | str) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.folder)]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
