"""Sockets whose every wait ends at the deadline of the attempt that uses them.

A socket's own time-out bounds one operation; a service that drips a byte now and then never runs into it. Here each
operation gets what is left of the attempt's time, so that connecting, TLS, sending, headers and body together cannot
take longer. A watchdog thread that shuts late sockets down would do the same, with a race (the socket may by then be
back in the pool, at work for another attempt), a heap under a lock that every call passes, and a thread that a fork
loses.
"""

import socket
import ssl
from typing import TYPE_CHECKING

from orchestrator.call.attempt import under_way

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class TimedSocket(socket.socket):
    """A TCP connection of the attempt under way."""

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(under_way.get().remaining())
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        self.settimeout(under_way.get().remaining())  # CPython counts it for the whole of sendall
        super().sendall(data, flags)


class TimedTLSSocket(ssl.SSLSocket):
    """A TLS connection of the attempt under way."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(under_way.get().remaining())
        super().do_handshake(block)

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(under_way.get().remaining())
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:  # sendall calls it once a record
        self.settimeout(under_way.get().remaining())
        return super().send(data, flags)
