"""Where a step's CPU goes: which process, and within one worker process which component and which functions.

    python -m benchmarks.profile [--shape order] [--count 2000] [--sqlite] [--rate 100]

Samples come from py-spy, which looks at the worker from outside: at each tick, where the thread is that holds the
interpreter's lock. It looks without stopping the worker (stopping a hundred threads makes it four times slower), so
some stacks are torn; those that do not begin where a thread begins are left out. The samples are shared out over the
CPU time that the process has really used, so what runs without the lock (sending, compressing) is spread over all.
"""

import argparse
import re
import signal
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.accounting import cpu_seconds
from benchmarks.children import Child, until
from benchmarks.orchestrator_peer import OnSqlite, Orchestrator
from benchmarks.peer import Crew
from benchmarks.places import places
from benchmarks.shapes import ORDER, Shape, shape_named
from benchmarks.workloads import run

COMPONENTS = (
    ("the reconciler's thread", "tasks/reconciler.py"),
    ("JSON", "json/"),
    ("ledger: psycopg", "psycopg/"),
    ("ledger: SQLAlchemy, SQLite", "sqlalchemy/"),
    ("ledger: our own code", "orchestrator/ledger/ orchestrator/moves/ orchestrator/workflow.py"),
    ("HTTP call", "orchestrator/call/ requests/ urllib3/ http/client.py"),
    (
        "expressions, request, judging",
        "orchestrator/expressions/ orchestrator/request.py orchestrator/judging.py orchestrator/sealing.py jmespath/",
    ),
    ("Redis client", "redis/"),
    ("Celery and kombu", "celery/ kombu/ billiard/ vine/"),
    ("our task and dispatch", "tasks/ orchestrator/attempt.py orchestrator/making.py"),
    ("logging", "logging/"),
)
"""A component and where its files are. A sample belongs to the innermost frame that is of any; the standard library
works for whoever calls it."""

BEGINNINGS = ("Thread._bootstrap ", "_run_module_as_main ", "_bootstrap ")
"""Where the stack of a whole thread begins."""

WORKER = "the worker process"
SUPERVISOR = "its supervisor"
WHOLE_STACK = "the reconciler's thread"
"""Counts wherever in the stack it is seen."""


@dataclass
class Samples:
    """How many samples fell to each component, and to functions: where a sample was, and all that led there."""

    total: int = 0
    torn: int = 0
    components: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)

    def add(self, frames: Sequence[str], count: int) -> None:
        """A stack, outermost frame first, as py-spy writes it: `function (file:line)`."""
        if not frames[0].startswith(BEGINNINGS):
            self.torn += count
            return
        self.total += count
        self.components[component_of(frames)] += count
        functions = [re.sub(r":\d+\)$", ")", frame) for frame in frames]
        self.own[functions[-1]] += count
        self.within.update(dict.fromkeys(functions, count))


def component_of(frames: Sequence[str]) -> str:
    """The component that a stack's innermost frames work for."""
    files = [_file(frame) for frame in frames]
    if any(file.startswith(dict(COMPONENTS)[WHOLE_STACK]) for file in files):
        return WHOLE_STACK
    for file in reversed(files):
        for name, beginnings in COMPONENTS:
            if file.startswith(tuple(beginnings.split())):
                return name
    return "other"


def read_samples(lines: Iterable[str]) -> Samples:
    """py-spy's raw format: frames, outermost first, separated by semicolons, and how often they were seen."""
    samples = Samples()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if stack and count.isdigit():
            samples.add(stack.split(";"), int(count))
    return samples


def _file(frame: str) -> str:
    found = re.search(r"\((.*):\d+\)$", frame)
    return found[1] if found else ""


def profiled(peer: Orchestrator, shape: Shape, count: int, rate: int) -> Iterator[str]:
    """Run the workflows and yield the report's lines."""
    peer.set_up(Crew(processes=1, concurrency=100))
    run(peer, shape, 50)
    ids = _processes(peer)
    raw = peer.log("samples")
    command = [
        _py_spy(),
        "record",
        "--pid",
        str(ids[WORKER]),
        "--rate",
        str(rate),
        "--format",
        "raw",
        "--gil",
        "--nonblocking",
    ]
    spy = Child([*command, "--output", str(raw), "--full-filenames"], peer.log("py-spy"), end_with=signal.SIGINT)
    spy.wait_ready(lambda: "Sampling process" in spy.said(), "py-spy")
    before = {name: cpu_seconds([pid]) for name, pid in ids.items()}
    took = run(peer, shape, count)
    cpu = {name: (cpu_seconds([pid]) - before[name]) / (count * shape.size) * 1000 for name, pid in ids.items()}
    cpu[SUPERVISOR] -= cpu[WORKER]  # its child
    spy.end()
    yield from _report(shape, count, took.seconds, cpu, read_samples(_shortened(raw)))


def _processes(peer: Orchestrator) -> dict[str, int]:
    client, supervisor = peer.client, peer.workers[0]
    assert client is not None, "the peer was set up"
    ids = {WORKER: _worker(supervisor.pid), SUPERVISOR: supervisor.pid, "the client that starts": client.pid}
    ids["Redis"] = peer.place.redis.child.pid
    if peer.uses_postgres:
        ids["PostgreSQL"] = peer.place.postgres.child.pid
    return ids


def _report(shape: Shape, count: int, seconds: float, cpu: Mapping[str, float], samples: Samples) -> Iterator[str]:
    yield f"{count} × {shape.name} in {seconds:.1f} s: {count * shape.size / seconds:.0f} steps a second."
    yield f"{samples.total} samples; {samples.torn} more were torn."
    yield from _table("process", "ms a step", {name: f"{each:.2f}" for name, each in cpu.items()})
    worker = cpu[WORKER]
    for title, counter, most in (
        ("component of the worker process", samples.components, 20),
        ("function of ours, with all that it calls", _of(samples.within, "orchestrator", "tasks"), 40),
        ("function of Celery's side, likewise", _of(samples.within, "celery", "kombu", "redis"), 30),
        ("function, by itself", samples.own, 25),
    ):
        rows = {
            f"`{name}`" if "(" in name else name: f"{seen / samples.total * worker:.3f} | {seen / samples.total:.1%}"
            for name, seen in counter.most_common(most)
        }
        yield from _table(title, "ms a step | share", rows)


def _table(title: str, columns: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"| {title} | {columns} |"
    yield f"|---|{'---|' * (columns.count('|') + 1)}"
    for name, cells in rows.items():
        yield f"| {name} | {cells} |"


def _of(counter: Counter[str], *packages: str) -> Counter[str]:
    return Counter({name: seen for name, seen in counter.items() if re.search(rf"\(({'|'.join(packages)})/", name)})


def _shortened(raw: Path) -> Iterator[str]:
    """Files as one writes them in an import: without where they are installed."""
    paths = sysconfig.get_paths()
    ours = str(Path(__file__).resolve().parent.parent)
    prefixes = "|".join(re.escape(path) for path in (paths["purelib"], paths["platlib"], paths["stdlib"], ours))
    for line in raw.read_text().splitlines():
        yield re.sub(rf"\((?:{prefixes})/", "(", line)


def _worker(supervisor: int) -> int:
    """The one worker process below its supervisor."""
    found: list[int] = []

    def look() -> bool:
        for child in psutil.Process(supervisor).children(recursive=True):
            if any("celery_worker" in part for part in child.cmdline()):
                found.append(child.pid)
        return bool(found)

    until(look, "the worker process to be seen")
    return found[-1]


def _py_spy() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "py-spy")


def main() -> None:
    """Read the command line, profile, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--shape", type=shape_named, default=ORDER, help="order, subscription, chain-N, wide-N")
    parser.add_argument("--count", type=int, default=2000, help="workflows; they should take 20 s or more")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite instead of PostgreSQL")
    parser.add_argument("--rate", type=int, default=100, help="samples a second")
    asked = parser.parse_args()
    with places() as place:
        peer = OnSqlite(place) if asked.sqlite else Orchestrator(place)
        try:
            for line in profiled(peer, asked.shape, asked.count, asked.rate):
                print(line)
        finally:
            peer.tear_down()


if __name__ == "__main__":
    main()
