"""The call over TLS: who is trusted, and that the deadline holds inside the handshake and the records too."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.call import Caller, Request
from orchestrator.call.tls import tls_context
from orchestrator.outcome import Answer, NoAnswer
from tests.integration.raw_service import Behaviour, Visit, answering, http, once, serving

TIGHT = 0.4
"""Seconds; the time-out of calls that must run into it."""


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A service's TLS context with a certificate for `name`, and the file that whoever trusts it loads."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    place = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([place]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    folder.joinpath(f"{name}.pem").write_bytes(public)
    folder.joinpath(f"{name}.key").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context, folder / f"{name}.pem"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The context of a service at 127.0.0.1 that this process trusts, as it would trust a company's own authority."""
    context, public = certified(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    tls_context().load_verify_locations(public)
    return context


@pytest.fixture
def caller() -> Iterator[Caller]:
    """One that may call the machine it runs on."""
    caller = Caller(allow_hosts=["127.0.0.1"])
    yield caller
    caller.close()


def post(url: str, body: bytes = b"{}", timeout: float = 5.0) -> Request:
    """A POST."""
    return Request("POST", url, {}, body, timeout)


def failed(outcome: Answer | NoAnswer, kind: str, *, sent: bool) -> str:
    """The reason, which must be of that kind."""
    assert isinstance(outcome, NoAnswer), outcome
    assert (outcome.kind, outcome.sent) == (kind, sent), outcome
    return outcome.message


def test_a_trusted_service_is_called_over_one_connection(caller: Caller, trusted: ssl.SSLContext) -> None:
    """Handshakes are the dearest part of a call."""
    with serving(answering(http("[1]")), trusted) as service:
        for _ in range(5):
            outcome = caller.call(post(service.url))
            assert isinstance(outcome, Answer), outcome
            assert outcome.body == [1]
    assert (service.connections, len(service.requests)) == (1, 5)


def test_a_service_that_nobody_vouches_for_is_sent_nothing(caller: Caller, tmp_path: Path) -> None:
    """The reason is OpenSSL's."""
    context, _ = certified(tmp_path, "127.0.0.1")
    with serving(answering(http()), context) as service:
        assert "self-signed" in failed(caller.call(post(service.url)), "tls", sent=False)
    assert service.requests == []


def test_a_certificate_for_another_name_is_refused(caller: Caller, tmp_path: Path) -> None:
    """Trusted, but somebody else's."""
    context, public = certified(tmp_path, "other.example")
    tls_context().load_verify_locations(public)
    with serving(answering(http()), context) as service:
        assert "mismatch" in failed(caller.call(post(service.url)), "tls", sent=False)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x01\x00\x02ab"])
def test_a_service_that_does_not_speak_tls_is_sent_nothing(caller: Caller, answer: bytes) -> None:
    """A wrong port, usually."""

    def behaviour(visit: Visit) -> None:
        visit.connection.recv(1000)
        visit.send(answer)

    with serving(behaviour) as service:
        failed(caller.call(post(service.url.replace("http:", "https:"))), "tls", sent=False)


@pytest.mark.parametrize("dripped", [b"", b"\x16\x03\x03\x40\x00" + b"x" * 1000])
def test_a_handshake_that_never_ends(caller: Caller, dripped: bytes) -> None:
    """Nothing was sent yet."""

    def behaviour(visit: Visit) -> None:
        visit.connection.recv(1000)
        visit.drip(dripped)
        visit.gone(10)

    with serving(behaviour) as service:
        began = time.monotonic()
        outcome = caller.call(post(service.url.replace("http:", "https:"), timeout=TIGHT))
        assert time.monotonic() - began < TIGHT + 0.5
    assert "in time" in failed(outcome, "tls", sent=False)


def _never(visit: Visit) -> None:
    visit.read()
    visit.gone(10)


def _drips(visit: Visit) -> None:
    visit.read()
    visit.send(http("x" * 1000)[:-1000])
    visit.drip(b"x" * 1000)


@pytest.mark.parametrize("behaviour", [_never, _drips])
def test_a_service_that_never_finishes_its_answer(
    caller: Caller, trusted: ssl.SSLContext, behaviour: Behaviour
) -> None:
    """Record by record the time runs out."""
    with serving(behaviour, trusted) as service:
        began = time.monotonic()
        outcome = caller.call(post(service.url, timeout=TIGHT))
        assert TIGHT - 0.05 < time.monotonic() - began < TIGHT + 0.5
    failed(outcome, "timeout", sent=True)


def test_a_service_that_hardly_reads(caller: Caller, trusted: ssl.SSLContext) -> None:
    """Each record goes out in time, all of them do not."""
    over = threading.Event()

    def behaviour(visit: Visit) -> None:
        while not over.wait(0.02) and visit.connection.recv(1000):
            pass

    with serving(behaviour, trusted) as service:
        began = time.monotonic()
        outcome = caller.call(post(service.url, bytes(20_000_000), timeout=TIGHT))
        assert time.monotonic() - began < TIGHT + 0.5
        over.set()
    failed(outcome, "timeout", sent=True)


def test_an_answer_that_is_cut_off_is_dropped(caller: Caller, trusted: ssl.SSLContext) -> None:
    """With or without TLS's own goodbye."""
    with serving(once(http("x" * 100)[:-1]), trusted) as service:
        failed(caller.call(post(service.url)), "dropped", sent=True)


def test_a_connection_that_was_closed_while_idle_is_no_failure(caller: Caller, trusted: ssl.SSLContext) -> None:
    """The next call takes a new one."""
    closed = threading.Event()

    def behaviour(visit: Visit) -> None:
        visit.read()
        visit.send(http("ok"))
        visit.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(behaviour, trusted) as service:
        for _ in range(3):
            closed.clear()
            assert isinstance(caller.call(post(service.url)), Answer)
            assert closed.wait(5)
    assert len(service.requests) == 3
