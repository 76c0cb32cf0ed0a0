"""Who a call says it is, over real sockets: tokens that many threads share, certificates, signatures."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256

from orchestrator.call import Caller, CertificateFiles, Credentials, Grant, Request, Signing
from orchestrator.outcome import Answer, NoAnswer
from tests.integration.raw_service import RawService, Visit, answering, http, serving
from tests.integration.test_call_tls import certified

JSON = "Content-Type: application/json"
SECRET = "canary-client-secret"


class TokenServer:
    """Gives out `token-1`, `token-2` …, each after `delay` seconds, good for `life` seconds."""

    def __init__(self) -> None:
        self.given = 0
        self.delay = 0.0
        self.life: object = 3600
        self.refuses: bytes | None = None

    def __call__(self, visit: Visit) -> None:
        while visit.read():
            time.sleep(self.delay)
            if self.refuses is not None:
                visit.send(self.refuses)
                continue
            self.given += 1
            told = {"access_token": f"token-{self.given}", "token_type": "Bearer", "expires_in": self.life}
            visit.send(http(json.dumps(told), JSON))


class Guarded:
    """A service that takes the tokens in `good`; 401 for every other."""

    def __init__(self, *good: str) -> None:
        self.good = set(good)
        self.seen: list[str] = []

    def __call__(self, visit: Visit) -> None:
        while request := visit.read():
            token = header(request, "authorization").removeprefix("Bearer ")
            self.seen.append(token)
            visit.send(http("{}", JSON) if token in self.good else http("{}", JSON, status="401 Unauthorized"))


def header(request: bytes, name: str) -> str:
    """A header of a request as it was received; empty where there is none."""
    lines = [line.partition(": ") for line in request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]]
    return next((value for key, _, value in lines if key.lower() == name), "")


@pytest.fixture
def tokens() -> TokenServer:
    """How the token server behaves."""
    return TokenServer()


@pytest.fixture
def server(tokens: TokenServer) -> Iterator[RawService]:
    """The token server."""
    with serving(tokens) as service:
        yield service


@pytest.fixture
def caller() -> Iterator[Caller]:
    """One that may call the machine it runs on."""
    caller = Caller(allow_hosts=["127.0.0.1"])
    yield caller
    caller.close()


def post(url: str, who: Credentials, timeout: float = 5.0) -> Request:
    """A POST that says who it is from."""
    return Request("POST", url, {"Content-Type": "application/json", "Idempotency-Key": "k-1"}, b"{}", timeout, who)


def granted(server: RawService, **changes: str) -> Credentials:
    """A client's credentials at the token server."""
    return Credentials(grant=replace(Grant(f"{server.url}/token", "me", SECRET, scope="pay"), **changes))


def test_many_threads_share_one_token(caller: Caller, tokens: TokenServer, server: RawService) -> None:
    """Single flight: twenty calls at once ask the token server once."""
    tokens.delay = 0.2
    together = threading.Barrier(20)
    with serving(Guarded("token-1")) as service, ThreadPoolExecutor(20) as pool:

        def call(_: int) -> Answer | NoAnswer:
            together.wait()
            return caller.call(post(service.url, granted(server)))

        answers = list(pool.map(call, range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert tokens.given == 1
    asked = server.requests[0]
    assert base64.b64decode(header(asked, "authorization").removeprefix("Basic ")) == f"me:{SECRET}".encode()
    assert parse_qs(asked.split(b"\r\n\r\n")[1].decode()) == {"grant_type": ["client_credentials"], "scope": ["pay"]}
    assert header(asked, "idempotency-key") == ""


def test_a_token_is_renewed_before_it_ends(caller: Caller, tokens: TokenServer, server: RawService) -> None:
    """It must still be good when it arrives."""
    tokens.life = "1"
    with serving(Guarded("token-1", "token-2")) as service:
        for wait in (0.0, 0.0, 0.95):
            time.sleep(wait)
            assert isinstance(caller.call(post(service.url, granted(server))), Answer)
    assert tokens.given == 2


def test_a_401_renews_the_token_once(caller: Caller, tokens: TokenServer, server: RawService) -> None:
    """The service may have forgotten it; twenty calls that find that out at once still ask for one."""
    guarded = Guarded("token-1")
    with serving(guarded) as service, ThreadPoolExecutor(20) as pool:
        assert caller.call(post(service.url, granted(server))).status == 200
        guarded.good = {"token-2"}
        tokens.delay = 0.2
        answers = list(pool.map(lambda _: caller.call(post(service.url, granted(server))), range(20)))
        assert {answer.status for answer in answers} == {200}
        assert tokens.given == 2
        guarded.good = set()
        assert caller.call(post(service.url, granted(server))).status == 401
        assert tokens.given == 3
        guarded.seen.clear()
        assert caller.call(post(service.url, granted(server))).status == 401
        assert guarded.seen == ["token-3", "token-4"]  # a fresh one that is refused is not worth another


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (http('{"error": "invalid_client"}', JSON, status="401 Unauthorized"), "answered 401 (invalid_client)"),
        (http(f'{{"error": "{SECRET}"}}', JSON, status="400 Bad Request"), "answered 400"),
        (http(SECRET, status="503 Service Unavailable"), "answered 503"),
        (http(f'{{"token": "{SECRET}"}}', JSON), "without an access_token"),
        (http('{"access_token": "a\\nb"}', JSON), "without an access_token"),
        (http('{"access_token": "a", "token_type": "mac"}', JSON), "no bearer token"),
        (b"nonsense\r\n\r\n", "did not answer in HTTP"),
    ],
)
def test_no_token_means_that_nothing_was_sent(
    caller: Caller, tokens: TokenServer, server: RawService, refusal: bytes, said: str
) -> None:
    """And the reason repeats nothing that the server said."""
    tokens.refuses = refusal
    with serving(Guarded()) as service:
        outcome = caller.call(post(service.url, granted(server)))
        assert service.requests == []
    assert isinstance(outcome, NoAnswer)
    assert (outcome.kind, outcome.sent) == ("auth", False)
    assert said in outcome.message
    assert SECRET not in outcome.message


def test_a_token_server_that_hangs_costs_no_more_than_the_attempts_time(
    caller: Caller, tokens: TokenServer, server: RawService
) -> None:
    """Each waits until its own deadline; one with more time goes on where another's was over."""
    tokens.delay = 0.8
    with serving(Guarded("token-1", "token-2")) as service, ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        hasty = pool.submit(caller.call, post(service.url, granted(server), timeout=0.3))
        time.sleep(0.05)
        patient = pool.submit(caller.call, post(service.url, granted(server), timeout=5))
        failed = hasty.result()
        assert time.monotonic() - began < 0.8
        assert isinstance(failed, NoAnswer)
        assert (failed.kind, failed.sent) == ("auth", False)
        assert patient.result().status == 200


def test_after_a_401_no_new_token_is_as_if_nothing_had_been_sent(
    caller: Caller, tokens: TokenServer, server: RawService
) -> None:
    """The 401 says that nothing was done."""
    guarded = Guarded("token-1")
    with serving(guarded) as service:
        assert caller.call(post(service.url, granted(server))).status == 200
        guarded.good, tokens.refuses = set(), http(status="503 Service Unavailable")
        outcome = caller.call(post(service.url, granted(server)))
    assert isinstance(outcome, NoAnswer)
    assert (outcome.kind, outcome.sent) == ("auth", False)


def test_the_token_server_is_an_address_like_any_other() -> None:
    """It must be public or listed; and no redirect takes the client's secret elsewhere."""
    caller = Caller(allow_hosts=["127.0.0.1"])
    blocked = Credentials(grant=Grant("http://169.254.169.254/token", "me", SECRET))
    with serving(Guarded()) as service, serving(answering(http("{}", JSON))) as thief:
        outcome = caller.call(post(service.url, blocked))
        assert isinstance(outcome, NoAnswer)
        assert (outcome.kind, "not a public address" in outcome.message) == ("auth", True)
        moved = http("", f"Location: {thief.url}/token", status="307 Temporary Redirect")
        with serving(answering(moved)) as server:
            assert isinstance(caller.call(post(service.url, granted(server))), NoAnswer)
        assert thief.requests == service.requests == []
    caller.close()


def test_a_redirect_to_another_origin_takes_no_credentials_along(caller: Caller) -> None:
    """Neither headers nor query parameters."""
    who = Credentials({"X-Api-Key": SECRET}, {"key": SECRET})
    with serving(answering(http("{}", JSON))) as elsewhere:
        moved = http("", f"Location: {elsewhere.url}/result", status="303 See Other")
        with serving(answering(moved)) as service:
            assert caller.call(post(service.url, who)).status == 200
            assert service.requests[0].count(SECRET.encode()) == 2
        assert SECRET.encode() not in elsewhere.requests[0]


class TestMutualTLS:
    """A client certificate."""

    @pytest.fixture
    def strict(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """A service that asks for a certificate, and trusts the one in `127.0.0.2.pem`."""
        context, public = certified(tmp_path, "127.0.0.1")
        _, clients = certified(tmp_path, "127.0.0.2")
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
        return context

    def test_it_is_shown_to_who_asks(self, caller: Caller, strict: ssl.SSLContext, tmp_path: Path) -> None:
        """A call with another one gets no connection of a call with this one."""
        stranger = CertificateFiles(str(tmp_path / "127.0.0.1.pem"), str(tmp_path / "127.0.0.1.key"))
        files = CertificateFiles(str(tmp_path / "127.0.0.2.pem"), str(tmp_path / "127.0.0.2.key"))
        with serving(answering(http("{}", JSON)), strict) as service:
            for _ in range(2):
                assert caller.call(post(service.url, Credentials(certificate=files))).status == 200
            assert service.connections == 1
            assert not isinstance(caller.call(post(service.url, Credentials(certificate=stranger))), Answer)
            assert len(service.requests) == 2

    @pytest.mark.parametrize(("wrong", "kind"), [("none.key", "auth"), ("127.0.0.1.key", "auth")])
    def test_one_that_cannot_be_loaded_sends_nothing(
        self, caller: Caller, strict: ssl.SSLContext, tmp_path: Path, wrong: str, kind: str
    ) -> None:
        """No such file, or another certificate's key."""
        files = CertificateFiles(str(tmp_path / "127.0.0.2.pem"), str(tmp_path / wrong))
        with serving(answering(http("{}", JSON)), strict) as service:
            outcome = caller.call(post(service.url, Credentials(certificate=files)))
        assert isinstance(outcome, NoAnswer)
        assert (outcome.kind, outcome.sent) == (kind, False)
        assert str(tmp_path) not in outcome.message

    def test_without_tls_there_is_nobody_to_show_it_to(self, caller: Caller, tmp_path: Path) -> None:
        """The call would otherwise go out as nobody's."""
        with serving(answering(http())) as service:
            outcome = caller.call(post(service.url, Credentials(certificate=CertificateFiles("c", "k"))))
            assert isinstance(outcome, NoAnswer)
            assert (outcome.kind, outcome.sent, service.requests) == ("request", False, [])


class Keys(HTTPSignatureKeyResolver):
    """The service's copy of the shared secret."""

    def resolve_public_key(self, key_id: str) -> bytes:
        """For the one key that there is."""
        assert key_id == 'orders "1"'
        return SECRET.encode()


@pytest.mark.parametrize("path", ["", "/charge?b=2&a=%20x", "/a%2Fb/"])
def test_a_signature_is_verified_by_a_library_for_rfc_9421(caller: Caller, path: str) -> None:
    """Method, host, path, query, digest of the body, idempotency key: what was received is what was signed."""
    who = Credentials(signing=Signing('orders "1"', SECRET))
    with serving(answering(http("{}", JSON))) as service:
        assert caller.call(post(service.url + path, who)).status == 200
        received = service.requests[0]
        host = urlsplit(service.url).netloc
    head, _, body = received.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    got = requests.Request(method, f"http://{host}{target}", headers, data=body).prepare()
    verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=Keys())
    [verified] = verifier.verify(got)
    covered = {name.strip('"') for name in verified.covered_components}
    assert covered >= {"@method", "@authority", "@path", "@query", "content-digest", "idempotency-key"}
    assert SECRET.encode() not in received


def test_no_credentials_are_shown_by_repr() -> None:
    """They travel beside requests, which end up in tracebacks."""
    who = Credentials(
        {"A": SECRET},
        {"b": SECRET},
        Grant("https://x", "me", SECRET),
        Signing("k", SECRET),
        CertificateFiles("c", "k", SECRET),
    )
    assert SECRET not in repr(Request("GET", "https://x", {}, None, 1.0, who))
