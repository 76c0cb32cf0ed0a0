"""Two hosts on one machine: this one, and a far one behind a router that can stop forwarding without telling anybody.

    here (servers, web, services, near workers) ── router ── far (far workers)

Both ends keep their links while the network between them is cut: packets just vanish. Linux, root and `ip netns` only.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence


def possible() -> str | None:
    """None where namespaces can be made here, else why not."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if shutil.which("ip") is None:
        return "there is no `ip` here"
    name = f"chaos-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"no network namespace can be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class TwoHosts:
    """The network, from `with` to its end. `here` is this host's address as the far one reaches it."""

    def __init__(self) -> None:
        pid = os.getpid()
        # Several runs may have networks of their own at the same time.
        near, far = (f"10.{200 + pid // 128 % 55}.{pid % 128 * 2 + place}" for place in (0, 1))
        self.here = f"{near}.1"
        self._near, self._far = near, far
        self._router, self._host = f"chaos-router-{pid}", f"chaos-far-{pid}"
        self._links = (f"ch{pid}a", f"ch{pid}b", f"ch{pid}c", f"ch{pid}d")

    def __enter__(self) -> "TwoHosts":
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (self._router, self._host):
            # Its links go with it, and so do their other ends.
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    @property
    def far(self) -> Sequence[str]:
        """What stands before a command that is to run on the far host."""
        return ("ip", "netns", "exec", self._host)

    def cut(self) -> None:
        """From now on nothing gets through."""
        self._forward(0)

    def mend(self) -> None:
        """From now on everything does."""
        self._forward(1)

    def _forward(self, on: int) -> None:
        _run("ip", "netns", "exec", self._router, "sysctl", "-qw", f"net.ipv4.ip_forward={on}")

    def _set_up(self) -> None:
        ours, routers, routers_far, theirs = self._links
        for name in (self._router, self._host):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "link", "add", ours, "type", "veth", "peer", "name", routers, "netns", self._router)
        _run("ip", "-n", self._router, "link", "add", routers_far, "type", "veth", "peer", "name", theirs)
        _run("ip", "-n", self._router, "link", "set", theirs, "netns", self._host)
        _run("ip", "addr", "add", f"{self._near}.1/24", "dev", ours)
        _run("ip", "link", "set", ours, "up")
        for name, link, address in (
            (self._router, routers, f"{self._near}.2/24"),
            (self._router, routers_far, f"{self._far}.1/24"),
            (self._host, theirs, f"{self._far}.2/24"),
        ):
            _run("ip", "-n", name, "addr", "add", address, "dev", link)
            _run("ip", "-n", name, "link", "set", link, "up")
        _run("ip", "route", "add", f"{self._far}.0/24", "via", f"{self._near}.2")
        _run("ip", "-n", self._host, "route", "add", "default", "via", f"{self._far}.1")
        self.mend()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
