"""What processes have cost: CPU seconds and memory, with their children, ended ones included. Needs Linux' /proc."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these processes and all below them, as far as their parents have seen them end."""
    total = 0.0
    for process in _trees(roots):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def peak_memory(roots: Iterable[int]) -> float:
    """The largest resident size, in MB, that one of these processes or of those below them has ever had."""
    peaks = [0.0]
    for process in _trees(roots):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
                peaks.append(int(found[1]) * 1024 / 1e6)
    return max(peaks)


def _trees(roots: Iterable[int]) -> Iterator[psutil.Process]:
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            yield process
            yield from process.children(recursive=True)
