"""The services of a chaos run, in a process of their own: `python -m tests.chaos.services HOST PORT BOOKS SEED`.

Each request's fate is drawn from the seed, the workflow's number, the step and how many requests for it came before.
`BOOKS` gets a line of JSON when a request comes (`asked`), when it takes effect (`acted`) and when it is answered; and
for an order that is carried out later, whatever was said of it (`said`); and each webhook's message (`heard`).
SIGUSR1 closes the door (new connections are refused), SIGUSR2 opens it again.
"""

import asyncio
import json
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TextIO
from urllib.parse import parse_qs, urlsplit

from orchestrator.jsontype import Json
from tests.chaos.calling_back import Address, Word, tell, word_of
from tests.chaos.drawing import TIMEOUT
from tests.chaos.forms import CALLBACK
from tests.chaos.hooks import Heard, answer_to, is_genuine


class Lot(NamedTuple):
    """What a request gets.

    `acts`: it takes effect, where its key was not used before. `status` is its answer's; None: the connection is cut
    instead. `hangs`: that comes only after the caller has given up.
    """

    acts: bool
    status: int | None
    hangs: bool = False


class Fate(Enum):
    """What may become of a request."""

    OK = Lot(True, 200)
    REFUSES = Lot(False, 402)
    ERROR = Lot(False, 500)
    BUSY = Lot(False, 503)
    GATEWAY_AFTER = Lot(True, 502)
    GATEWAY_BEFORE = Lot(False, 504)
    TIMEOUT_AFTER = Lot(True, 200, hangs=True)
    TIMEOUT_BEFORE = Lot(False, None, hangs=True)
    DROPPED_AFTER = Lot(True, None)
    DROPPED_BEFORE = Lot(False, None)
    GARBLED = Lot(True, 299)


TELLERS = 32
"""Services that call back at the same time."""

CLEAN = (Fate.OK, Fate.REFUSES, Fate.ERROR, Fate.BUSY)
_WEIGHTS = {
    "good": (86, 1.5, 4, 2, 1, 1, 1, 1, 1, 1, 0.5),
    "poor": (50, 22, 10, 4, 2, 2, 2, 2, 2, 2, 2),
    "undo": (84, 0.4, 6, 2, 1, 1, 1, 1, 2, 2, 0),
}


def fate_of(seed: str, n: str, step: str, kind: str, poor: bool, before: int) -> tuple[Fate, float]:
    """What becomes of a request, and how long it takes (seconds). Drawn, but the same each time."""
    dice = random.Random(f"{seed}/{n}/{step}/{kind}/{before}")
    weights = _WEIGHTS["undo" if kind == "undo" else "poor" if poor else "good"]
    fate = dice.choices(list(Fate), weights)[0]
    if kind == "careless" and fate not in CLEAN:
        fate = Fate.OK  # who does not know keys is only called again after a clean refusal, or when the caller died
    delay = dice.uniform(0.8, 1.5) if dice.random() < 0.1 else min(dice.expovariate(8), 0.8)
    return fate, TIMEOUT + 1 if fate.value.hangs else delay


@dataclass(frozen=True)
class Asked:
    """A request as far as the services care: `address` and `polled` say that it is an order for later."""

    number: int
    n: str
    workflow: str
    step: str
    kind: str
    key: str
    poor: bool
    address: Address | None = None
    polled: bool = False

    @property
    def order(self) -> tuple[str, str, str]:
        """What is the same in all attempts, for a service that honours keys."""
        return self.workflow, self.step, self.key

    @property
    def honoured(self) -> bool:
        """Whether its service honours keys."""
        return self.kind in ("keyed", "undo")


class Books:
    """What was asked and done, written down at once."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._asked = 0
        self._heard: list[str] = []
        self._seen: dict[tuple[str, str, str], int] = {}
        self._keys: set[tuple[str, str, str]] = set()
        self._orders: set[tuple[str, str, str]] = set()

    def ask(self, path: str, headers: dict[str, str]) -> tuple[Asked, int]:
        """A request has come; also says how many for the same step came before."""
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        kind, _ = parts.path.strip("/").split("/")[-2:]
        step = headers["x-step"].removesuffix(":undo")
        self._asked += 1
        n, workflow, key = query["n"][0], headers["x-workflow-id"], headers["idempotency-key"]
        url = headers.get("x-callback-url")
        address = None if url is None else Address(url, headers["x-callback-token"], workflow, step)
        asked = Asked(self._asked, n, workflow, step, kind, key, "poor" in query, address, "later" in query)
        before = self._seen.get((workflow, kind, step), 0)
        self._seen[workflow, kind, step] = before + 1
        details = {"n": n, "workflow": workflow, "step": step, "kind": kind, "key": key}
        self._write("asked", asked, **details)
        return asked, before

    def knows(self, asked: Asked) -> bool:
        """Whether this order took effect before, in the books of a service that honours keys."""
        return asked.honoured and asked.order in self._keys

    def take(self, asked: Asked) -> None:
        """It is an order that will be carried out."""
        self._orders.add(asked.order)

    def has_taken(self, asked: Asked) -> bool:
        """Whether the same order was taken before by a service that honours keys."""
        return asked.honoured and asked.order in self._orders

    def act(self, asked: Asked) -> None:
        """The request takes effect, unless it is known to have done so."""
        if self.knows(asked):
            return
        self._keys.add(asked.order)
        self._write("acted", asked)

    def say(self, asked: Asked, **details: Json) -> None:
        """Somebody said later what came of it."""
        self._write("said", asked, **details)

    def hear(self, body: str, headers: dict[str, str]) -> int:
        """How a workflow has ended; the status that it is answered with."""
        message, number = json.loads(body), headers["webhook-id"]
        status = answer_to(number, self._heard.count(number))
        self._heard.append(number)
        heard = Heard(message["data"]["workflowId"], message["type"], number, is_genuine(body, headers), status)
        self._out.write(json.dumps({"what": "heard", "at": time.time(), **asdict(heard)}) + "\n")
        return status

    def answer(self, asked: Asked, fate: Fate, status: int | None) -> None:
        """The request is answered, or cut."""
        self._write("answered", asked, fate=fate.name.lower(), status=status)

    def _write(self, what: str, asked: Asked, **details: Json) -> None:
        self._out.write(json.dumps({"what": what, "number": asked.number, "at": time.time(), **details}) + "\n")
        self._out.flush()


class Door:
    """The server, its door open or closed."""

    def __init__(self, host: str, port: int, seed: str, books: Books) -> None:
        self._host, self._port = host, port
        self._seed = seed
        self._books = books
        self._server: asyncio.Server | None = None
        self._jobs: dict[str, str] = {}
        self._later: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Take connections."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connection, self._host, self._port, backlog=1024, reuse_address=True
            )

    def close(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if head[0].startswith("GET"):
            writer.write(self._standing(head[0].split(" ")[1]))
            return True
        if "webhook-id" in headers:
            writer.write(_written(self._books.hear(body.decode(), headers), b"{}"))
            return True
        asked, before = self._books.ask(head[0].split(" ")[1], headers)
        fate, delay = fate_of(self._seed, asked.n, asked.step, asked.kind, asked.poor, before)
        if asked.kind != "undo" and (asked.address or asked.polled):
            status = await self._take_order(asked, fate, delay, before)
        else:
            status = await self._carry_out(asked, fate, delay)
        self._books.answer(asked, fate, status)
        if status is None:
            return False
        writer.write(_answer(status, asked))
        await writer.drain()
        return True

    async def _carry_out(self, asked: Asked, fate: Fate, delay: float) -> int | None:
        """The effect comes in the middle of the delay, and at once where the answer will be too late."""
        if not fate.value.hangs:
            await asyncio.sleep(delay / 2)
        known = self._books.knows(asked)
        if fate.value.acts:
            self._books.act(asked)
        await asyncio.sleep(delay if fate.value.hangs else delay / 2)
        # Who honours a key gives the answer again that it gave before.
        return 200 if known and fate is Fate.REFUSES else fate.value.status

    # Orders that are carried out later

    async def _take_order(self, asked: Asked, fate: Fate, delay: float, before: int) -> int | None:
        """Answer it, and see to it that it is carried out; at once where the caller will not know that it was taken."""
        if not fate.value.hangs:
            await asyncio.sleep(delay / 2)
        ordered = self._books.has_taken(asked)
        if ordered and fate is Fate.REFUSES:
            fate = Fate.OK
        if fate.value.acts:
            word, after = word_of(self._seed, asked.n, asked.step, before, ordered=ordered)
            if fate is not Fate.OK:
                self._books.act(asked)
                word = word if word.value.acts else Word.DONE
            if word.value.acts:
                self._books.take(asked)
            self._jobs[str(asked.number)] = "working"
            acts = word.value.acts and fate is Fate.OK
            order = asyncio.ensure_future(self._deliver(asked, word, 0.0 if word.value.early else after, acts=acts))
            self._later.add(order)
            order.add_done_callback(self._later.discard)
            if word.value.early:
                await asyncio.wait([order], timeout=TIMEOUT / 2)
        await asyncio.sleep(delay if fate.value.hangs else delay / 2)
        return fate.value.status

    async def _deliver(self, asked: Asked, word: Word, after: float, *, acts: bool) -> None:
        await asyncio.sleep(after)
        if acts:
            self._books.act(asked)
        if word is not Word.NEVER:
            self._jobs[str(asked.number)] = "done" if word.value.acts else "failed"
        if asked.address is not None:
            if word.value.late:
                await asyncio.sleep(CALLBACK)
            await tell(asked.address, word, lambda **details: self._books.say(asked, **details))

    def _standing(self, path: str) -> bytes:
        """How an order stands; nothing where the question is whether anybody is here."""
        kind, _, number = path.strip("/").partition("/")
        if kind != "state":
            return b"HTTP/1.1 204 here\r\n\r\n"
        dice = random.Random(f"{number}/{time.monotonic()}")
        status = dice.choices([200, 500, 503], [92, 4, 4])[0]
        return _written(status, json.dumps({"state": self._jobs.get(number, "unknown")}).encode())


def _answer(status: int, asked: Asked) -> bytes:
    body = b"{" if status == 299 else json.dumps({"by": asked.step, "number": asked.number}).encode()
    more = "Retry-After: 1\r\n" if status == 503 else f"Location: /state/{asked.number}\r\n" if asked.polled else ""
    return _written(status, body, more)


def _written(status: int, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(host: str, port: int, books: Path, seed: str) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(TELLERS))
    with books.open("a", buffering=1) as out:
        door = Door(host, port, seed, Books(out))
        await door.open()
        loop.add_signal_handler(signal.SIGTERM, done.set)
        loop.add_signal_handler(signal.SIGUSR1, door.close)
        loop.add_signal_handler(signal.SIGUSR2, lambda: asyncio.ensure_future(door.open()))
        await done.wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
