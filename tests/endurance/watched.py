"""A worker that counts its own statements: `python -m tests.endurance.watched FOLDER`, the rest are Celery's options.

Every half second it writes into the folder what each of its threads has asked of the database until then, and the CPU
seconds that each has used. Production code knows nothing of this: SQLAlchemy tells of every statement.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, event

EVERY = 0.5
POOL = "calls"
"""Stands for all threads that make calls, which have numbers for names."""


@dataclass
class Tally:
    """Of one worker process, from its start: by thread, statements, seconds that they took, and CPU seconds.

    `texts` are the different statements of the threads that work in the background, each with parameters it once had.
    """

    pid: int
    at: float = 0.0
    statements: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    cpu: Counter[str] = field(default_factory=Counter)
    texts: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def minus(self, earlier: "Tally") -> "Tally":
        """What came between."""
        return Tally(
            self.pid,
            self.at - earlier.at,
            self.statements - earlier.statements,
            Counter({name: spent - earlier.seconds[name] for name, spent in self.seconds.items()}),
            Counter({name: spent - earlier.cpu[name] for name, spent in self.cpu.items()}),
            self.texts,
        )


def read(folder: Path, pid: int) -> Tally | None:
    """What that worker wrote last."""
    try:
        told = json.loads((folder / f"tally-{pid}.json").read_text())
    except FileNotFoundError:
        return None
    counters = {name: Counter(told[name]) for name in ("statements", "seconds", "cpu")}
    return Tally(told["pid"], told["at"], **counters, texts=told["texts"])


def _this_thread() -> str:
    name = threading.current_thread().name
    return POOL if name.startswith("ThreadPool") else name


class _Counting:
    """Listens to SQLAlchemy, and writes."""

    def __init__(self, folder: Path) -> None:
        self._tally = Tally(os.getpid())
        self._place = folder / f"tally-{os.getpid()}.json"
        self._lock = threading.Lock()
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        threading.Thread(target=self._write, name="tally", daemon=True).start()

    def _before(self, _connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _: bool) -> None:
        context.began_at = time.perf_counter()

    def _after(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        took, name = time.perf_counter() - context.began_at, _this_thread()
        with self._lock:
            self._tally.statements[name] += 1
            self._tally.seconds[name] += took
            if name != POOL and not many:
                self._tally.texts.setdefault(statement, (name, parameters))

    def _write(self) -> None:
        while True:
            time.sleep(EVERY)
            names = {thread.native_id: thread.name for thread in threading.enumerate()}
            cpu: Counter[str] = Counter()
            for thread in psutil.Process().threads():
                name = names.get(thread.id, "others")
                cpu[POOL if name.startswith("ThreadPool") else name] += thread.user_time + thread.system_time
            with self._lock:
                self._tally.at, self._tally.cpu = time.time(), cpu
                told = json.dumps(vars(self._tally), default=str)
            draft = self._place.with_suffix(".draft")
            draft.write_text(told)
            draft.rename(self._place)


def main(folder: str, *options: str) -> None:
    """Become a worker that counts."""
    from orchestrator.cli.celery_worker import main as work

    _Counting(Path(folder))
    work(list(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
