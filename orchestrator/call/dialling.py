"""A host's name → a connected socket, at an address that may be called.

The addresses are looked up once and those very addresses are judged and connected to: a name that resolves to another
address a moment later (DNS rebinding) gains nothing.
"""

import socket
import threading
from concurrent.futures import Future
from ipaddress import ip_address

from orchestrator.call.attempt import Attempt, Unanswered
from orchestrator.call.sockets import TimedSocket

Found = tuple[socket.AddressFamily, str]


def dial(host: str, port: int, attempt: Attempt) -> TimedSocket:
    """A connection to `host`, tried address after address in the order of the lookup, each with its share of the time.

    Raises Unanswered: `dns`, `blocked`, `refused` or `connect`. Nothing has been sent then.
    """
    found = _addresses(host, port, attempt)
    permitted = [place for place in found if attempt.allowed.permits(host, place[1])]
    if not permitted:
        raise _blocked(host, found[0][1])
    failure = Unanswered("connect", f"{host}:{port} has no address")
    for tried, (family, address) in enumerate(permitted):
        try:
            return _connect(family, address, port, attempt.remaining() / (len(permitted) - tried))
        except ConnectionRefusedError:
            failure = Unanswered("refused", f"{host}:{port} refused the connection")
        except TimeoutError:
            failure = Unanswered("connect", f"{host}:{port} did not accept the connection in time")
        except OSError as error:
            failure = Unanswered("connect", f"{host}:{port} cannot be reached: {error.strerror or 'no connection'}")
    raise failure


def _connect(family: socket.AddressFamily, address: str, port: int, seconds: float) -> TimedSocket:
    connection = TimedSocket(family, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(seconds)
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return connection


def _addresses(host: str, port: int, attempt: Attempt) -> list[Found]:
    try:
        literal = ip_address(host.strip("[]"))
    except ValueError:
        return _lookups.addresses(host, port, attempt.remaining())
    return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, str(literal))]


def _blocked(host: str, address: str) -> Unanswered:
    shown = host if host == address else f"{host} ({address})"
    return Unanswered(
        "blocked",
        f"{shown} is not a public address, and steps may not call it. If it is yours, "
        f"add {host} to ORCHESTRATOR_ALLOW_HOSTS (host names, addresses or networks, separated by commas).",
    )


class _Lookups:
    """DNS lookups in threads of their own, because nothing can interrupt getaddrinfo.

    A lookup that hangs keeps its thread until the resolver gives up (glibc: 5 s a server, twice), but not the attempt.
    All attempts that want the same name at the same time share one lookup, so hung ones cannot pile up. A pooled
    connection needs none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Future[list[Found] | str]] = {}

    def addresses(self, host: str, port: int, seconds: float) -> list[Found]:
        """What the name resolves to, in the system's order of preference. Raises Unanswered."""
        try:
            found = self._join(host, port).result(seconds)
        except TimeoutError:
            raise Unanswered("dns", f"looking up {host} took too long") from None
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
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = [(family, str(place[0])) for family, _, _, _, place in answers]
        except OSError as error:
            found = error.strerror or "no such name"
        except ValueError:  # UnicodeError: a label of the name is empty or longer than 63 characters
            found = "it is no host name"
        with self._lock:
            del self._running[host, port]
        lookup.set_result(found)


_lookups = _Lookups()
