"""A host's name → a connected socket, at an address that may be called.

The addresses are looked up once and those very addresses are judged and connected to: a name that resolves to another
address a moment later (DNS rebinding) gains nothing.
"""

import socket
from ipaddress import ip_address

from orchestrator.call.attempt import Attempt
from orchestrator.call.lookups import Found
from orchestrator.call.sockets import TimedSocket
from orchestrator.call.unanswered import Unanswered


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
        return attempt.lookups.addresses(host, port, attempt.remaining())
    return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, str(literal))]


def _blocked(host: str, address: str) -> Unanswered:
    shown = host if host == address else f"{host} ({address})"
    return Unanswered(
        "blocked",
        f"{shown} is not a public address, and steps may not call it. If it is yours, "
        f"add {host} to ORCHESTRATOR_ALLOW_HOSTS (host names, addresses or networks, separated by commas).",
    )
