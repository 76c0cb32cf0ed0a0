"""The one `requests` session of a process: pooled connections, one attempt, no environment, no cookies, no redirects.

What `requests` and urllib3 do by themselves and must not do here: follow redirects (reading a body of any size on the
way), keep cookies, read proxies and netrc from the environment, send again, load the certificates anew for each
connection, connect to any address, take an interim answer for the final one, log URLs.
"""

import logging
import socket
from collections.abc import Iterable
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from orchestrator.call.attempt import under_way
from orchestrator.call.dialling import dial
from orchestrator.call.final_response import FinalResponse
from orchestrator.call.request import Origin
from orchestrator.call.tls import client_context, tls_context
from orchestrator.call.unanswered import Unanswered

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, SupportsRead

_MAX_HOSTS = 256


def pooled_session(pool_size: int) -> requests.Session:
    """A session that keeps up to `pool_size` idle connections a host. Safe to use from any number of threads."""
    _keep_urllib3_quiet()
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.adapters.clear()
    adapter = OneAttemptAdapter(_MAX_HOSTS, pool_size)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _OneAttempt(HTTPConnection):
    """A connection to an address that may be called, which marks the attempt when something goes out."""

    response_class = FinalResponse

    def _new_conn(self) -> socket.socket:
        attempt = under_way.get()
        connection = dial(self._dns_host, self.port, attempt)
        attempt.connected = True
        return connection

    def send(self, data: "SupportsRead[bytes] | Iterable[ReadableBuffer] | ReadableBuffer | str") -> None:
        if self.sock is None:
            self.connect()
        # Before, not after: where sending fails half-way, a part may have arrived.
        under_way.get().begin_sending()
        super().send(data)


class PlainConnection(_OneAttempt):
    """HTTP."""


class TLSConnection(_OneAttempt, HTTPSConnection):
    """HTTPS."""


class PlainPool(HTTPConnectionPool):
    """Connections to one host and port."""

    ConnectionCls = PlainConnection


class TLSPool(HTTPSConnectionPool):
    """TLS connections to one host and port."""

    ConnectionCls = TLSConnection


class OneAttemptAdapter(HTTPAdapter):
    """Sends a prepared request exactly once.

    A pooled connection that the service closed while it was idle is noticed before anything is sent on it (urllib3
    looks whether it is readable) and replaced. What remains: the service may close it in the very moment in which the
    request goes out. Then the attempt has been sent and is `dropped`, with unknown effect; sending it again would be a
    second attempt, and whether that is right is not decided here.
    """

    def __init__(self, hosts: int, pool_size: int) -> None:
        # False: the error itself comes back, with no retry of any kind
        super().__init__(pool_connections=hosts, pool_maxsize=pool_size, max_retries=urllib3.Retry(False))

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object) -> None:
        self.poolmanager = urllib3.PoolManager(num_pools=connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TLSPool}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: object, proxies: object = None, cert: object = None
    ) -> HTTPConnectionPool:
        """The pool of the request's origin; connections that show a client certificate are for those who have it."""
        origin = Origin.of(str(request.url))
        certificate = under_way.get().certificate
        tls = {}
        if certificate is not None:
            if origin.scheme != "https":
                raise Unanswered("request", f"a client certificate can be shown by TLS only, and {origin} has none")
            tls = {"ssl_context": client_context(certificate)}
        elif origin.scheme == "https":
            tls = {"ssl_context": tls_context()}
        pool: HTTPConnectionPool = self.poolmanager.connection_from_host(origin.host, origin.port, origin.scheme, tls)
        return pool

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Nothing: the TLS context verifies."""

    def build_response(self, req: requests.PreparedRequest, resp: urllib3.BaseHTTPResponse) -> requests.Response:
        """Only what `call` reads: no cookies are looked for."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        response.request = req
        return response


def _keep_urllib3_quiet() -> None:
    """urllib3 logs paths with their queries (DEBUG) and malformed header lines (WARNING): secrets may be in both."""
    logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
