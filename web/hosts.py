"""Which names this installation goes by: a page elsewhere that has its own name lead here (DNS rebinding) is refused.

A browser lets every page speak to the host that the page came from. Whoever owns a name can have it lead to 127.0.0.1
once his page is loaded, and the page may then ask whatever listens there. Its requests still say the name that he owns.
An address as the host is nobody's name: it cannot be led elsewhere, so any address is let in.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit


def own_hosts(public_url: str | None) -> frozenset[str]:
    """The names of this installation besides those of loopback."""
    host = urlsplit(public_url).hostname if public_url else None
    return frozenset({host}) if host else frozenset()


def is_own(header: str, names: Iterable[str]) -> bool:
    """Whether a `Host` header names this installation: by an address, a name of loopback, or one of `names`."""
    try:
        host = (urlsplit(f"//{header.strip()}").hostname or "").rstrip(".")
    except ValueError:
        return False
    return host == "localhost" or host.endswith(".localhost") or _is_address(host) or host in names


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
