"""Whom TLS connections trust, and which certificate they show."""

import ssl
from functools import cache, lru_cache
from pathlib import Path

import certifi

from orchestrator.call.credentials import CertificateFiles
from orchestrator.call.sockets import TimedTLSSocket
from orchestrator.call.unanswered import Unanswered


@cache
def tls_context() -> ssl.SSLContext:
    """One context a process, because loading the certificates takes tens of milliseconds.

    It trusts what the system trusts (a company's own authority, `SSL_CERT_FILE`) and what certifi lists.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.sslsocket_class = TimedTLSSocket
    return context


def client_context(files: CertificateFiles) -> ssl.SSLContext:
    """The context that shows this certificate; made anew where its files have changed. Raises Unanswered (`auth`)."""
    try:
        return _loaded(files, _changed(files.certificate), _changed(files.key))
    except (OSError, ValueError) as error:
        # Not the paths: they may come from anywhere. An ssl.SSLError is an OSError.
        reason = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        raise Unanswered("auth", f"the client certificate cannot be loaded: {reason or 'it is no such file'}") from None


@lru_cache(maxsize=64)
def _loaded(files: CertificateFiles, *_changed: int) -> ssl.SSLContext:
    """A context of its own: urllib3 keeps connections of different contexts apart."""
    context = tls_context.__wrapped__()
    # Without a password OpenSSL would ask for one at the terminal.
    context.load_cert_chain(files.certificate, files.key, password=files.password or "")
    return context


def _changed(path: str) -> int:
    return Path(path).stat().st_mtime_ns
