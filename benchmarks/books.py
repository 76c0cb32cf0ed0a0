"""What the services' books say: the books of one run, fetched, and the hops in them."""

import http.client
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.children import PYTHON, Child
from benchmarks.shapes import Shape


class Call(NamedTuple):
    """A step that was called: when its request arrived and when it was answered, in seconds of one clock."""

    workflow: str
    step: str
    arrived: float
    answered: float


def hops(calls: Iterable[Call], shape: Shape) -> list[float]:
    """Seconds from the answer of a step to the arrival of the next: for a join, from the last of those it waits for.

    Steps that wait for nothing have no hop. Of a step that was called twice the first call counts.
    """
    first: dict[tuple[str, str], Call] = {}
    for call in calls:
        first.setdefault((call.workflow, call.step), call)
    found = []
    for call in first.values():
        waited = [first[call.workflow, step].answered for step in shape.before[call.step]]
        if waited:
            found.append(call.arrived - max(waited))
    return found


class Services:
    """The process that plays the services, and what one asks it."""

    def __init__(self, folder: Path) -> None:
        self.child = Child([*PYTHON, "benchmarks.services"], folder / "services.log", talks=True)
        self.port = int(self.child.hear())
        self.url = f"http://127.0.0.1:{self.port}"

    def after(self, milliseconds: int) -> str:
        """The base of URLs that are answered so much later."""
        return f"{self.url}/after/{milliseconds}" if milliseconds else self.url

    def reset(self) -> None:
        """Empty the books."""
        self._ask("POST", "/reset", 10)

    def wait(self, count: int, *, seconds: float) -> None:
        """Until so many calls have been answered; raises TimeoutError."""
        try:
            self._ask("GET", f"/wait?count={count}", seconds)
        except TimeoutError:
            came = len(self.calls())
            raise TimeoutError(f"not within {seconds:g} s: {count} calls; there were {came}") from None

    def calls(self) -> list[Call]:
        """The books since the last reset."""
        return [Call(*row) for row in json.loads(self._ask("GET", "/books", 30))]

    def end(self) -> None:
        """Stop it."""
        self.child.end()

    def _ask(self, method: str, path: str, seconds: float) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()
