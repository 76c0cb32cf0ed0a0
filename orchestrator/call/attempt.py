"""One attempt while it is under way: until when it may take, and how far it came.

Sockets, connections and pools are shared by all attempts of a process, and `requests` and urllib3 hand no context
through to them. So the attempt of the running thread is a context variable: whoever waits asks it how long he may.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from orchestrator.call.addresses import AllowedHosts
from orchestrator.call.credentials import CertificateFiles
from orchestrator.call.lookups import Lookups
from orchestrator.call.unanswered import Unanswered


@dataclass(slots=True)
class Attempt:
    """`deadline` is a monotonic time. `sent` says whether a part of a request may have reached a service.

    An attempt is one exchange, or several where the service redirects. `connected` and `sending` are about the exchange
    under way: whether it has a new connection (its TLS handshake may still be under way), and whether its request has
    begun to go out; `certificate` is what its TLS shows. `status` is that of the last answer that began to come;
    `seen_other` says that a request which changes something was answered with 303: it has been carried out, whatever
    comes of fetching the result.
    `may_send` is asked in the moment in which a request would go out. `private` is what must not come back.
    """

    deadline: float
    allowed: AllowedHosts
    lookups: Lookups
    sent: bool = False
    connected: bool = False
    sending: bool = False
    status: int | None = None
    seen_other: bool = False
    may_send: Callable[[], bool] = lambda: True
    certificate: CertificateFiles | None = None
    private: list[str] = field(default_factory=list)

    def begin_exchange(self, certificate: CertificateFiles | None = None) -> None:
        """The next request: the first one, or what a redirect asks for. TLS shows the certificate."""
        self.connected = self.sending = False
        self.certificate = certificate

    def begin_sending(self) -> None:
        """From here on nobody knows what has arrived, until an answer says so. Unanswered where it may not be sent."""
        if not self.sending and not self.may_send():
            raise Unanswered("connect", "nothing was sent: this worker stood still for so long that it counts as dead")
        self.sending = self.sent = True
        self.status = None

    def remaining(self) -> float:
        """The seconds that are left. Raises TimeoutError where there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the attempt's time is over")
        return left

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline


under_way: ContextVar[Attempt] = ContextVar("attempt under way")
