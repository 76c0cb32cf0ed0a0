"""A host's name → its addresses, without waiting longer than one may."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future

from orchestrator.call.unanswered import Unanswered

Found = tuple[socket.AddressFamily, str]
"""An address, and the family it belongs to."""

Resolve = Callable[[str, int], list[Found]]
"""Looks a host's name up, for a port. Raises OSError where it has no address."""


def resolve(host: str, port: int) -> list[Found]:
    """What the system says, in its order of preference."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(place[0])) for family, _, _, _, place in answers]


class Lookups:
    """DNS lookups in threads of their own, because nothing can interrupt getaddrinfo.

    A lookup that hangs keeps its thread until the resolver gives up (glibc: 5 s a server, twice), but not the attempt.
    All attempts that want the same name at the same time share one lookup, so hung ones cannot pile up. A pooled
    connection needs none.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Future[list[Found] | str]] = {}

    def addresses(self, host: str, port: int, seconds: float) -> list[Found]:
        """What the name resolves to, in the system's order of preference. Raises Unanswered."""
        try:
            found = self._join(host, port).result(seconds)
        except TimeoutError:
            raise Unanswered("dns", f"looking up {host} took too long") from None
        except RuntimeError as error:  # the system lets this process have no further thread
            raise Unanswered("dns", f"{host} cannot be looked up: {error}") from None
        if isinstance(found, str):
            raise Unanswered("dns", f"{host} cannot be looked up: {found}")
        return found

    def _join(self, host: str, port: int) -> Future[list[Found] | str]:
        with self._lock:
            lookup = self._running.get((host, port))
            if lookup is None:
                lookup = Future[list[Found] | str]()
                threading.Thread(target=self._look_up, args=(host, port, lookup), daemon=True).start()
                self._running[host, port] = lookup
        return lookup

    def _look_up(self, host: str, port: int, lookup: Future[list[Found] | str]) -> None:
        found: list[Found] | str
        try:
            found = self._resolve(host, port) or "no such name"
        except OSError as error:
            found = error.strerror or "no such name"
        except ValueError:  # UnicodeError: a label of the name is empty or longer than 63 characters
            found = "it is no host name"
        with self._lock:
            del self._running[host, port]
        lookup.set_result(found)
