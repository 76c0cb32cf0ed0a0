"""One attempt over real sockets: what goes out, what comes back, and that nothing takes longer than it may."""

import gzip
import json
import logging
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.call import Caller, Request
from orchestrator.jsontype import Json
from orchestrator.outcome import Answer, NoAnswer
from tests.integration.raw_service import Behaviour, Visit, answering, http, once, serving

JSON = "Content-Type: application/json"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TIGHT = 0.3
"""Seconds; the time-out of calls that must run into it."""
SLACK = 0.5
"""Seconds that a call may take beyond its time-out on a busy machine."""


@pytest.fixture
def caller() -> Iterator[Caller]:
    """One that may call the machine it runs on, at one address only."""
    caller = Caller(allow_hosts=["127.0.0.1"])
    yield caller
    caller.close()


def get(url: str, timeout: float = 5.0, **headers: str) -> Request:
    """A GET; `x_step="a"` is the header `x-step`."""
    return Request("GET", url, {name.replace("_", "-"): value for name, value in headers.items()}, None, timeout)


def post(url: str, body: bytes = b'{"a": 1}', timeout: float = 5.0, **headers: str) -> Request:
    """A POST of JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", url, {"content-type": "application/json", **named}, body, timeout)


def exchange(caller: Caller, behaviour: Behaviour, timeout: float = 5.0) -> Answer | NoAnswer:
    """What one POST to a service of that behaviour comes to."""
    with serving(behaviour) as service:
        return caller.call(post(service.url, timeout=timeout))


def unanswered(outcome: Answer | NoAnswer, kind: str, *, sent: bool = True, status: int | None = None) -> NoAnswer:
    """The outcome, which must be the absence of an answer for that reason."""
    assert isinstance(outcome, NoAnswer), outcome
    assert (outcome.kind, outcome.sent, outcome.status) == (kind, sent, status), outcome
    return outcome


class TestWhatGoesOut:
    """The request on the wire."""

    def test_the_request_is_what_the_caller_gave(self, caller: Caller) -> None:
        """Method, path, query, headers and body, and hardly anything else."""
        with serving(answering(http())) as service:
            caller.call(post(f"{service.url}/a%20b?x=1&y=%C3%BC#part", idempotency_key="k-1", x_step="charge"))
        head, _, body = service.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /a%20b?x=1&y=%C3%BC HTTP/1.1"
        names = {line.split(":")[0].lower() for line in lines[1:]}
        assert names == {
            "host", "accept", "accept-encoding", "user-agent",
            "content-length", "content-type", "idempotency-key", "x-step",
        }  # fmt: skip
        assert {"idempotency-key: k-1", "Accept-Encoding: gzip"} <= set(lines)
        assert body == b'{"a": 1}'

    def test_a_post_without_a_body_says_that_it_is_empty(self, caller: Caller) -> None:
        """Services refuse a POST without a length (411)."""
        with serving(answering(http())) as service:
            caller.call(Request("POST", service.url, {}, None, 5.0))
        assert b"content-length: 0" in service.requests[0].lower()

    def test_cookies_are_neither_kept_nor_sent(self, caller: Caller) -> None:
        """One workflow's cookie must not travel with another's call."""
        with serving(answering(http("", "Set-Cookie: session=secret; Path=/"))) as service:
            first = caller.call(get(service.url))
            caller.call(get(service.url))
        assert isinstance(first, Answer)
        assert "set-cookie" not in first.headers
        assert not any(b"cookie" in request.lower() for request in service.requests)

    def test_the_environment_changes_nothing(self, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither a proxy nor netrc stands between a definition and its service."""
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        assert isinstance(exchange(caller, answering(http())), Answer)

    def test_connections_are_used_again(self, caller: Caller) -> None:
        """Ten calls, one connection."""
        with serving(answering(http('{"ok": true}', JSON))) as service:
            for _ in range(10):
                assert isinstance(caller.call(post(service.url)), Answer)
        assert (service.connections, len(service.requests)) == (1, 10)

    @pytest.mark.parametrize(
        ("request_", "kind"),
        [
            (get("ftp://example.com/secret"), "blocked"),
            (get("file:///etc/secret"), "blocked"),
            (get("secret"), "request"),
            (get("/secret"), "request"),
            (get(""), "request"),
            (get("http://"), "request"),
            (get("http:///secret"), "request"),
            (get("http://exa mple/secret"), "request"),
            (get("http://example.com:99999/secret"), "request"),
            (get("http://example.com:0/secret"), "request"),
            (get("http://[::1/secret"), "request"),
            (get("http://*/secret"), "request"),
            (get("http://" + "a" * 70 + ".com/secret"), "dns"),
            (get("http://a..b/secret"), "dns"),
            (get("http://user:secret@example.com/"), "blocked"),
            (get("http://127.0.0.1/", x="secret\r\nInjected: 1"), "request"),
            (get("http://127.0.0.1/", x="secret\n folded"), "request"),
            (get("http://127.0.0.1/", x="secret\0"), "request"),
            (get("http://127.0.0.1/", x="secret €"), "request"),
            (Request("GET", "http://127.0.0.1/", {"x y": "secret"}, None, 5.0), "request"),
            (Request("GET", "http://127.0.0.1/", {"": "secret"}, None, 5.0), "request"),
            (Request("GET", "http://127.0.0.1/", {"Content-Length": "5"}, b"secret", 5.0), "request"),
            (Request("GET", "http://127.0.0.1/", {"transfer-encoding": "chunked"}, b"secret", 5.0), "request"),
            (Request("GE T", "http://127.0.0.1/", {}, None, 5.0), "request"),
            (Request("GET\r\nX: y", "http://127.0.0.1/", {}, None, 5.0), "request"),
            (Request("CONNECT", "http://127.0.0.1/", {}, None, 5.0), "request"),
        ],
    )
    def test_what_cannot_be_sent_is_refused_without_showing_it(
        self, caller: Caller, request_: Request, kind: str
    ) -> None:
        """No stack trace, nothing on the wire, and no secret in the reason."""
        reason = unanswered(caller.call(request_), kind, sent=False).message
        assert reason
        assert "secret" not in reason


class TestTheAnswer:
    """What is kept of what came back."""

    @pytest.mark.parametrize(
        ("answer", "body"),
        [
            (http('{"id": 7}', JSON), {"id": 7}),
            (http('{"id": 7}', "Content-Type: application/problem+json; charset=utf-8"), {"id": 7}),
            (http('{"id": 1, "id": 2}', JSON), {"id": 2}),
            (http('\ufeff{"id": 7}', JSON), {"id": 7}),
            (http('{"id": 7}'), {"id": 7}),
            (http("not json"), "not json"),
            (http("NaN"), "NaN"),
            (http('{"id": 7}', "Content-Type: text/plain"), '{"id": 7}'),
            (http("grün", "Content-Type: text/html"), "grün"),
            (http("grün".encode("latin-1"), "Content-Type: text/html; charset=ISO-8859-1"), "grün"),
            (http('{"a": "grün"}'.encode("utf-16"), 'Content-Type: application/json; charset="utf-16"'), {"a": "grün"}),
            (http(gzip.compress(b'{"id": 7}'), JSON, "Content-Encoding: gzip"), {"id": 7}),
            (http(gzip.compress(b"[1") + gzip.compress(b",2]"), JSON, "Content-Encoding: x-gzip"), [1, 2]),
            (http("", JSON), None),
            (http("", JSON, "Content-Encoding: gzip"), None),
            (b"HTTP/1.1 204 No Content\r\n\r\n", None),
            (CHUNKED + b"3\r\n[1,\r\n2;x=y\r\n2]\r\n0\r\nT: x\r\n\r\n", [1, 2]),
            (b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[1]", [1]),
            (http("[1]", JSON, version="1.0"), [1]),
            (b"HTTP/1.1 100 Continue\r\n\r\n" + http("[1]"), [1]),
        ],
    )  # fmt: skip
    def test_json_is_decoded_and_text_stays_text(self, caller: Caller, answer: bytes, body: Json) -> None:
        """By the content type and its charset; without one, by what it is."""
        outcome = exchange(caller, once(answer))
        assert isinstance(outcome, Answer), outcome
        assert outcome.body == body

    def test_status_and_headers_come_as_they_are(self, caller: Caller) -> None:
        """Names in lower case; a header that comes twice is one list; a failure is an answer too."""
        answer = http("no", "X-Rate: 1", "X-Rate: 2", "Retry-After: 5", "X-Odd: a\tb", status="402 Payment Required")
        outcome = exchange(caller, once(answer))
        assert isinstance(outcome, Answer)
        assert (outcome.status, outcome.body) == (402, "no")
        assert outcome.headers == {"content-length": "2", "x-rate": "1, 2", "retry-after": "5", "x-odd": "a b"}

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (http("{", JSON), "not JSON"),
            (http("   ", JSON), "not JSON"),
            (http('{"a": "\\u0000"}', JSON), "NUL"),
            (http("a\0b", "Content-Type: text/plain"), "NUL"),
            (http('"\\ud800"', JSON), "lone surrogate"),
            (http("[NaN]", JSON), "NaN"),
            (http("1e999", JSON), "64-bit"),
            (http("9" * 5000, JSON), "64 bits"),
            (http("[" * 100_000, JSON), "nested deeper"),
            (http(b"\xff\xfe\xff", "Content-Type: text/plain"), "not text in utf-8"),
            (http(b"\x89PNG\r\n", "Content-Type: image/png"), "not text in utf-8"),
            (http(b"\xff", "Content-Type: text/plain; charset=ascii"), "not text in ascii"),
            (http("x", "Content-Type: text/plain; charset=klingon"), "klingon"),
            (http("x", "Content-Type: text/plain; charset=idna"), "idna"),
            (http("x", "Content-Type: text/plain; charset=hex"), "hex"),
            (http("x" * 1_000_001), "longer than 1000000 bytes"),
            (http(gzip.compress(b"x" * 1_000_001), "Content-Encoding: gzip"), "longer than 1000000 bytes"),
            (http(gzip.compress(b"[1]")[:-9], "Content-Encoding: gzip"), "ends in the middle"),
            (http("[1]", "Content-Encoding: gzip"), "not"),
            (http("[1]", "Content-Encoding: br"), "only gzip"),
            (http(gzip.compress(b"") * 200, "Content-Encoding: gzip"), "parts"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "HTTP"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 150 + b"\r\n", "HTTP"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HTTP"),
            (b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 5\r\n\r\nhello", "HTTP"),
            (http("", *(f"X-{n}: {'x' * 1000}" for n in range(80))), "headers are longer"),
        ],
    )
    def test_an_answer_that_cannot_be_kept_is_refused_with_its_status(
        self, caller: Caller, answer: bytes, reason: str
    ) -> None:
        """Clearly, quickly, and knowing that the service did what was asked."""
        began = time.process_time()
        assert reason in unanswered(exchange(caller, once(answer)), "answer", status=200).message
        assert time.process_time() - began < 1

    @pytest.mark.parametrize(
        "answer",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x00\x01\x02\x03\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/9.9 OK\r\n\r\n",
            b"HTTP/1.1 102 Processing\r\n\r\n" * 20 + http(),
        ],
    )
    def test_what_is_not_http_is_no_answer(self, caller: Caller, answer: bytes) -> None:
        """Nobody knows what such a service did."""
        unanswered(exchange(caller, once(answer)), "answer")

    def test_an_early_hint_is_not_the_answer(self, caller: Caller) -> None:
        """Taken for the answer, the real one would answer the next call on that connection."""

        def behaviour(visit: Visit) -> None:
            while request := visit.read():
                visit.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
                visit.send(http(request.split()[1]))

        with serving(behaviour) as service:
            answers = [caller.call(get(f"{service.url}/{number}")) for number in range(3)]
        assert [answer.body for answer in answers if isinstance(answer, Answer)] == ["/0", "/1", "/2"]

    def test_a_bomb_is_left_as_soon_as_it_is_too_long(self, caller: Caller) -> None:
        """A gigabyte in a megabyte takes neither memory nor time."""
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
        head = compressor.compress(b"x") + compressor.flush(zlib.Z_FULL_FLUSH)
        ten_megabytes = compressor.compress(bytes(10_000_000)) + compressor.flush(zlib.Z_FULL_FLUSH)
        bomb = head + ten_megabytes * 95
        assert len(bomb) < 1_000_000
        began = time.process_time()
        unanswered(exchange(caller, once(http(bomb, "Content-Encoding: gzip"))), "answer", status=200)
        assert time.process_time() - began < 0.5

    def test_an_endless_answer_is_left_as_soon_as_it_is_too_long(self, caller: Caller) -> None:
        """A stream without an end."""

        def behaviour(visit: Visit) -> None:
            visit.read()
            visit.send(CHUNKED)
            while True:
                visit.send(b"10000\r\n" + bytes(65536) + b"\r\n")

        assert "longer than" in unanswered(exchange(caller, behaviour), "answer", status=200).message


class TestTheDeadline:
    """`timeout` is for everything together, whatever the service does."""

    @staticmethod
    def timed(caller: Caller, request: Request) -> Answer | NoAnswer:
        """The outcome, which must be there in time."""
        began = time.monotonic()
        outcome = caller.call(request)
        assert request.timeout - 0.05 <= time.monotonic() - began < request.timeout + SLACK
        return outcome

    def test_a_service_that_never_answers(self, caller: Caller) -> None:
        """It accepts, reads, and that is all."""

        def behaviour(visit: Visit) -> None:
            visit.read()
            visit.gone(10)

        with serving(behaviour) as service:
            unanswered(self.timed(caller, post(service.url, timeout=TIGHT)), "timeout")

    @pytest.mark.parametrize(
        ("prompt", "dripped", "status"),
        [
            (b"", http("x" * 1000), None),
            (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 1000, 200),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"b" * 1000, 200),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"b" * 1000, 200),
            (CHUNKED, b"1\r\nx\r\n" * 1000, 200),
            (CHUNKED + b"0\r\n", b"T: x\r\n" * 1000, 200),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, None),
            (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1000\r\n\r\n", b"b" * 1000, 302),
        ],
    )
    def test_a_service_that_drips(self, caller: Caller, prompt: bytes, dripped: bytes, status: int | None) -> None:
        """Each byte comes well within any time-out of one read; together they take too long."""

        def behaviour(visit: Visit) -> None:
            visit.read()
            visit.send(prompt)
            visit.drip(dripped)

        with serving(behaviour) as service:
            outcome = self.timed(caller, get(service.url, timeout=TIGHT))
        unanswered(outcome, "timeout", status=status)

    @pytest.mark.parametrize("pause", [10, 0.02])
    def test_a_service_that_hardly_reads(self, caller: Caller, pause: float) -> None:
        """A request of some megabytes, taken in never, or a little at a time."""
        over = threading.Event()

        def behaviour(visit: Visit) -> None:
            while not over.wait(pause) and visit.connection.recv(1000):
                pass

        with serving(behaviour) as service:
            unanswered(self.timed(caller, post(service.url, bytes(20_000_000), timeout=TIGHT)), "timeout")
            over.set()

    def test_a_host_that_does_not_accept(self, caller: Caller) -> None:
        """Its backlog is full, so the connection never comes about; nothing was sent."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            waiting = [socket.socket() for _ in range(4)]
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/"
            outcome = self.timed(caller, post(url, timeout=TIGHT))
            for connection in waiting:
                connection.close()
        unanswered(outcome, "connect", sent=False)

    def test_redirects_share_the_time(self, caller: Caller) -> None:
        """Five slow redirects do not get five time-outs."""

        def behaviour(visit: Visit) -> None:
            while visit.read():
                if visit.gone(TIGHT * 0.4):
                    return
                visit.send(http("", "Location: /again", status="302 Found"))

        with serving(behaviour) as service:
            unanswered(self.timed(caller, get(service.url, timeout=TIGHT)), "timeout")
        assert len(service.requests) == 3

    def test_a_lookup_that_hangs(self) -> None:
        """Nothing interrupts getaddrinfo, but nobody has to wait for it; hung lookups of one name do not pile up."""
        answered = threading.Event()
        lookups: list[str] = []

        def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
            lookups.append(host)
            answered.wait(10)
            return [(socket.AF_INET, "127.0.0.1")]

        caller = Caller(allow_hosts=["127.0.0.1"], resolve=resolve)
        with ThreadPoolExecutor(20) as threads:
            calls = [threads.submit(self.timed, caller, get("http://slow.example/", TIGHT)) for _ in range(20)]
            for call in calls:
                assert "too long" in unanswered(call.result(), "dns", sent=False).message
        answered.set()
        assert lookups == ["slow.example"]

    def test_hundreds_of_slow_calls_run_side_by_side(self) -> None:
        """200 threads, one caller: each gets its own answer, and all together take little longer than one."""

        def behaviour(visit: Visit) -> None:
            while request := visit.read():
                visit.gone(0.5)
                visit.send(http(request.split()[1]))

        caller = Caller(pool_size=200, allow_hosts=["127.0.0.1"])
        with serving(behaviour) as service, ThreadPoolExecutor(200) as threads:
            for round_ in range(2):
                began = time.monotonic()
                paths = [f"/{round_}/{number}" for number in range(200)]
                answers = list(threads.map(lambda path: caller.call(get(service.url + path, timeout=10)), paths))
                assert [answer.body for answer in answers if isinstance(answer, Answer)] == paths
                assert time.monotonic() - began < 3
            caller.close()
        assert service.connections == 200


class TestConnectionsThatBreak:
    """What is known, and what is not, when there is no whole answer."""

    def test_a_port_where_nobody_listens(self, caller: Caller) -> None:
        """Refused: nothing was sent."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        unanswered(caller.call(post(f"http://127.0.0.1:{port}/")), "refused", sent=False)

    def test_a_name_that_does_not_exist(self, caller: Caller) -> None:
        """Nothing was sent, and the reason names the host."""
        outcome = unanswered(caller.call(post("http://no-such-host.invalid/path")), "dns", sent=False)
        assert "no-such-host.invalid" in outcome.message

    @pytest.mark.parametrize(
        ("answer", "status"),
        [
            (b"", None),
            (b"HTTP/1.1 200 OK\r\nContent-Le", 200),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 200),
            (b"HTTP/1.1 200 O", 200),
            (http("x" * 100)[:-1], 200),
            (CHUNKED + b"5\r\nhel", 200),
            (CHUNKED + b"5\r\nhello\r\n", 200),
            (CHUNKED + b"nonsense\r\nhello", 200),
            (CHUNKED + b"-1\r\nhello", 200),
            (CHUNKED + b"-5\r\nhello", 200),
        ],
    )
    def test_an_answer_that_is_cut_off(self, caller: Caller, answer: bytes, status: int | None) -> None:
        """Dropped: nobody knows what the service did."""
        unanswered(exchange(caller, once(answer)), "dropped", status=status)

    def test_a_connection_that_is_reset(self, caller: Caller) -> None:
        """The service's machine dies in the middle."""

        def behaviour(visit: Visit) -> None:
            visit.read()
            visit.send(http("x" * 100)[:-50])
            visit.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        unanswered(exchange(caller, behaviour), "dropped", status=200)

    def test_an_answer_before_the_whole_request_was_read(self, caller: Caller) -> None:
        """A service may refuse a large upload at once and close; its answer counts."""

        def behaviour(visit: Visit) -> None:
            visit.connection.recv(1000)
            visit.send(http("too large", status="413 Content Too Large"))
            visit.connection.shutdown(socket.SHUT_WR)
            while visit.connection.recv(65536):
                pass

        with serving(behaviour) as service:
            outcome = caller.call(post(service.url, bytes(5_000_000)))
        assert isinstance(outcome, Answer)
        assert outcome.status == 413

    def test_a_connection_that_was_closed_while_idle_is_no_failure(self, caller: Caller) -> None:
        """The service keeps connections for a while only; the next call notices and takes a new one."""
        closed = threading.Event()

        def behaviour(visit: Visit) -> None:
            visit.read()
            visit.send(http("ok"))
            visit.connection.shutdown(socket.SHUT_RDWR)
            closed.set()

        with serving(behaviour) as service:
            for number in range(3):
                closed.clear()
                assert isinstance(caller.call(post(service.url)), Answer), number
                assert closed.wait(5)
        assert len(service.requests) == 3

    def test_nothing_is_sent_twice(self, caller: Caller) -> None:
        """A service that closes a used connection on the next request gets that request once, and it is dropped."""

        def behaviour(visit: Visit) -> None:
            visit.read()
            visit.send(http("ok"))
            visit.read()

        with serving(behaviour) as service:
            assert isinstance(caller.call(get(service.url)), Answer)
            unanswered(caller.call(get(service.url)), "dropped")
        assert (service.connections, len(service.requests)) == (1, 2)


class TestRedirects:
    """Where a redirect leads, and what goes along."""

    def test_a_get_is_redirected_with_its_headers_on_the_same_origin(self, caller: Caller) -> None:
        """Relative or absolute."""
        with serving(answering(http("", "Location: ../b?x=1", status="302 Found"), http("there"))) as service:
            outcome = caller.call(get(f"{service.url}/a/a", authorization="Bearer t"))
        assert isinstance(outcome, Answer)
        assert outcome.body == "there"
        assert service.requests[1].startswith(b"GET /b?x=1 ")
        assert b"authorization: Bearer t" in service.requests[1]
        assert service.connections == 1

    @pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
    def test_a_post_is_sent_again_on_the_same_origin(self, caller: Caller, status: str) -> None:
        """With its body and its key."""
        with serving(answering(http("", "Location: /b", status=status), http("there"))) as service:
            caller.call(post(f"{service.url}/a", idempotency_key="k"))
        assert service.requests[1].startswith(b"POST /b ")
        assert b"idempotency-key: k" in service.requests[1]
        assert service.requests[1].endswith(b'\r\n\r\n{"a": 1}')

    @pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found"])
    def test_a_post_that_would_become_a_get_is_not_followed(self, caller: Caller, status: str) -> None:
        """The redirect is the answer."""
        with serving(answering(http("", "Location: /b", status=status))) as service:
            outcome = caller.call(post(f"{service.url}/a"))
        assert isinstance(outcome, Answer)
        assert outcome.status == int(status[:3])
        assert len(service.requests) == 1

    def test_after_a_303_the_result_is_fetched(self, caller: Caller) -> None:
        """With GET and without the body."""
        with serving(answering(http("", "Location: /result", status="303 See Other"), http("done"))) as service:
            outcome = caller.call(post(f"{service.url}/a"))
        assert isinstance(outcome, Answer)
        assert outcome.body == "done"
        assert service.requests[1].startswith(b"GET /result ")
        assert b"content-type" not in service.requests[1]

    def test_a_result_that_cannot_be_fetched_does_not_undo_the_303(self, caller: Caller) -> None:
        """The POST was carried out, whatever its result's address answers."""
        answers = http("", "Location: /result", status="303 See Other"), http("", status="404 Not Found")
        assert "404" in unanswered(exchange(caller, answering(*answers)), "answer", status=303).message
        cut = http("", "Location: http://127.0.0.1:1/", status="303 See Other")
        unanswered(exchange(caller, answering(cut)), "refused", status=303)

    def test_nothing_of_the_callers_goes_to_another_origin(self, caller: Caller) -> None:
        """Another port is another origin; so a GET goes there bare."""
        with serving(answering(http("there"))) as other:
            moved = http("", f"Location: {other.url}/b", status="302 Found")
            with serving(answering(moved)) as service:
                outcome = caller.call(get(service.url, authorization="Bearer t", idempotency_key="k", x_api_key="s"))
        assert isinstance(outcome, Answer)
        assert outcome.body == "there"
        for name in (b"authorization", b"idempotency-key", b"x-api-key"):
            assert name in service.requests[0]
            assert name not in other.requests[0]

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_what_changes_something_is_not_sent_on_to_another_origin(self, caller: Caller, method: str) -> None:
        """It would have to go without its key and credentials, or give them away."""
        with serving(answering(http("there"))) as other:
            moved = http("", f"Location: {other.url}/b", status="307 Temporary Redirect")
            with serving(answering(moved)) as service:
                outcome = caller.call(Request(method, service.url, {}, None, 5.0))
        assert other.url in unanswered(outcome, "blocked", status=307).message
        assert other.requests == []

    @pytest.mark.parametrize(
        ("location", "kind"),
        [
            ("http://127.0.0.2:9/", "blocked"),
            ("http://169.254.169.254/latest/meta-data", "blocked"),
            ("http://[::ffff:127.0.0.2]/", "blocked"),
            ("http://user:secret@127.0.0.1/", "blocked"),
            ("ftp://127.0.0.1/", "answer"),
            ("http://[bad/", "answer"),
            ("http://127.0.0.1:99999/", "answer"),
            ("//", "answer"),
        ],
    )
    def test_a_redirect_to_where_no_step_may_go_is_refused(self, caller: Caller, location: str, kind: str) -> None:
        """Each hop is judged by the address that it would connect to."""
        with serving(answering(http("", f"Location: {location}", status="302 Found"))) as service:
            outcome = unanswered(caller.call(get(service.url)), kind, status=302)
        assert "secret" not in outcome.message

    def test_a_circle_of_redirects_ends(self, caller: Caller) -> None:
        """After the fifth."""
        with serving(answering(http("", "Location: /again", status="302 Found"))) as service:
            outcome = caller.call(get(service.url))
        assert "more than 5" in unanswered(outcome, "answer", status=302).message
        assert len(service.requests) == 6


class TestAddresses:
    """What is judged is the address that would be connected to."""

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]"]
    )
    def test_the_machine_itself_may_not_be_called_however_it_is_written(self, host: str) -> None:
        """And the reason says how to allow it."""
        with serving(answering(http())) as service:
            outcome = unanswered(Caller().call(get(f"http://{host}:{service.port}/")), "blocked", sent=False)
        assert "ORCHESTRATOR_ALLOW_HOSTS" in outcome.message
        assert service.connections == 0

    def test_a_name_is_judged_by_where_it_leads(self) -> None:
        """A public name that resolves to a private address is one of DNS's oldest tricks."""
        caller = Caller(resolve=lambda host, port: [(socket.AF_INET, "127.0.0.1")])
        with serving(answering(http())) as service:
            outcome = unanswered(caller.call(get(f"http://example.com:{service.port}/")), "blocked", sent=False)
        assert "example.com (127.0.0.1)" in outcome.message
        assert service.connections == 0

    def test_what_was_judged_is_what_is_connected_to(self) -> None:
        """A second lookup could lead elsewhere, so there is none."""
        lookups: list[str] = []

        def rebinding(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
            lookups.append(host)
            return [(socket.AF_INET, "127.0.0.1" if len(lookups) == 1 else "127.0.0.2")]

        caller = Caller(allow_hosts=["127.0.0.1"], resolve=rebinding)
        with serving(answering(http("ok"))) as service:
            assert isinstance(caller.call(get(f"http://example.com:{service.port}/")), Answer)
            caller.close()
        assert lookups == ["example.com"]
        assert b"Host: example.com" in service.requests[0]

    def test_of_several_addresses_those_that_may_be_called_are_tried_in_turn(self) -> None:
        """One forbidden, one refusing, one right."""
        places = ["10.0.0.1", "127.0.0.2", "127.0.0.1"]
        caller = Caller(
            allow_hosts=["127.0.0.0/8"], resolve=lambda host, port: [(socket.AF_INET, place) for place in places]
        )
        with serving(answering(http("ok"))) as service:
            assert isinstance(caller.call(get(f"http://example.com:{service.port}/")), Answer)
            caller.close()


def test_neither_bodies_nor_headers_nor_urls_are_logged(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, not even where a service sends headers that cannot be parsed."""
    caplog.set_level(logging.DEBUG)
    odd = b"HTTP/1.1 200 OK\r\nbroken secret-header\r\nX: secret\r\nContent-Length: 6\r\n\r\nsecret"
    with serving(answering(odd, http("", "Location: /secret", status="302 Found"), http("secret"))) as service:
        for _ in range(2):
            caller.call(get(f"{service.url}/secret?key=secret", authorization="secret"))
    assert "secret" not in caplog.text
    assert json.dumps([record.getMessage() for record in caplog.records]).count("secret") == 0
