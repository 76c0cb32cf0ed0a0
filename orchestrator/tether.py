"""Ties a child process to its parent's life: when the parent is gone, however it went, so is the child.

Linux can promise that (`PR_SET_PDEATHSIG`). Elsewhere a parent that is killed with SIGKILL leaves its children behind;
every other end of the parent ends them everywhere, because the parent does it itself.

This file is also the program that stands between the two for some 15 ms: it asks the kernel, then becomes the command.
That needs no code between fork and exec, which Python cannot run safely in a parent with threads.

The kernel watches the *thread* that started the child: start tethered children from one that lives as long as they
shall.
"""

import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tethered(command: Sequence[str], end_with: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command to start instead of `command`, so that it gets `end_with` when this process dies."""
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(end_with)), *command]


def _become(parent: int, end_with: int, command: list[str]) -> None:
    import ctypes  # here only: whoever imports `tethered` has no use for it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, end_with, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own, no shell reads it
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
