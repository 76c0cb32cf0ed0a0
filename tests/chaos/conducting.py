"""One run: processes, clients and faults from a seed, then a quiet while, then the record of what happened."""

import os
import random
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import func, select

from orchestrator.errors import Unavailable
from orchestrator.ledger.engine import Database
from orchestrator.ledger.tables import workflows
from tests.chaos.disk import SmallDisk, possible
from tests.chaos.drawing import CLOCKWORK, any_documents
from tests.chaos.faults import FAULTS, Course, Episode, NothingHappened, episodes
from tests.chaos.hosts import TwoHosts
from tests.chaos.load import PATIENCE, Load, planned
from tests.chaos.person import Person
from tests.chaos.record import Happened, Record, read_books, read_deliveries, read_ledger
from tests.chaos.replaying import FINAL
from tests.chaos.stage import Kind, Stage

TICK = 0.02
WARM = 3.0
"""Seconds of work before the first fault."""

LAST = "kill-claimed"
"""What a run ends with where it may happen: only a takeover mends it, and no later fault hides how long it took."""


@dataclass(frozen=True)
class Plan:
    """What a run is made of: with the same plan it is the same run, as far as real processes can be.

    `minutes` of faults; `calm` seconds at least between two of them (work must go on within 15 s); `scale` shortens
    the long ones; `rate` starts a second; `faults` are all there are where it is empty. With two `hosts` every other
    worker runs on the far one. `bound` is how long work may be held up after a fault: a machine that other programs
    keep busy cannot be held to the 15 s that are promised.
    """

    seed: int
    kind: Kind
    minutes: float
    workers: int = 3
    faults: tuple[str, ...] = ()
    calm: float = 16.0
    scale: float = 1.0
    rate: float = 3.0
    patience: float = 60.0
    hosts: int = 1
    bound: float = 15.0

    @property
    def command(self) -> str:
        """What to type to see the run again."""
        words = [f"python -m tests.chaos --seed {self.seed} --minutes {self.minutes:g} --database {self.kind}"]
        words.append(f"--workers {self.workers} --calm {self.calm:g} --scale {self.scale:g} --rate {self.rate:g}")
        if self.bound != 15.0:
            words.append(f"--bound {self.bound:g}")
        if self.hosts == 2:
            words.append("--hosts 2")
        if self.faults:
            words.append(f"--faults {','.join(self.faults)}")
        return " ".join(words)


def conduct(plan: Plan, folder: Path, tell: Callable[[str], None] = lambda line: None) -> Record:
    """Run it; what the processes wrote stays in `folder`."""
    documents = any_documents(plan.seed)
    with (
        TwoHosts() if plan.hosts == 2 else nullcontext() as network,
        SmallDisk(folder / "disk") if possible() is None else nullcontext() as disk,
        Stage(folder, plan.kind, documents, seed=plan.seed, workers=plan.workers, network=network, disk=disk) as stage,
    ):
        types = [str(document["type"]) for document in documents if document["type"] != CLOCKWORK]
        starts = planned(plan.seed, types, seconds=plan.minutes * 60 + 3 * WARM, rate=plan.rate)
        load = Load(stage.url, plan.seed, starts)
        person = Person(stage.url, stage.database_url, plan.seed)
        try:
            load.begin()
            person.begin()
            conductor = _Conductor(stage, plan, tell)
            happened = conductor.conduct()
            quiet_at = time.time()
            tell("quiet: until everything has ended")
            paused_at = _pause_schedule(stage)
            _tend_until(stage, lambda: not load.busy and _all_ended(stage), max(plan.patience, 4 * plan.bound))
        finally:
            load.stop()
            person.stop()
        stage.halt()
        told = read_ledger(stage.database_url, stage.definitions)
        at, books = time.time(), read_books(stage.books, stage.foreign_books)
        return Record(
            *(told, books.calls, load.starts, happened, quiet_at, at),
            said=books.said,
            decisions=person.decisions,
            heard=books.heard,
            deliveries=read_deliveries(stage.database_url),
            paused_at=paused_at,
            bound=plan.bound,
            loads=conductor.loads,
        )


def _pause_schedule(stage: Stage) -> float | None:
    """No more workflows are started by the clock; from when on, None where nobody could be told."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stage.tend()
        with suppress(requests.RequestException):
            address = f"{stage.url}/api/schedules/definition:{CLOCKWORK}/pause"
            if requests.post(address, timeout=PATIENCE).status_code == 200:
                return time.time()
        time.sleep(0.3)
    return None


class _Conductor:
    """Lets one episode after the other happen, and keeps the processes running meanwhile."""

    def __init__(self, stage: Stage, plan: Plan, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._plan = plan
        self._tell = tell
        self.loads: list[float] = []

    def conduct(self) -> list[Happened]:
        """Everything that happened in the plan's time."""
        end = time.monotonic() + WARM + self._plan.minutes * 60
        _tend_until(self._stage, lambda: False, WARM)
        happened = []
        for episode in episodes(self._plan.seed, self._places(), self._plan.faults, self._plan.calm):
            happened.append(self._play(episode))
            rest = min(episode.rest, end - time.monotonic())
            if rest <= 0:
                break
            _tend_until(self._stage, lambda: False, rest)
        if LAST in self._plan.faults or not self._plan.faults:
            happened.append(self._play(Episode(len(happened), (LAST,), 0.0)))
        return happened

    def _places(self) -> tuple[str, ...]:
        there = {"network": self._plan.hosts == 2, "disk": self._stage.disk is not None}
        return (self._plan.kind, *(place for place, is_there in there.items() if is_there))

    def _play(self, episode: Episode) -> Happened:
        dice = random.Random(f"episode {self._plan.seed} {episode.number}")
        began = time.time()
        self.loads.append(os.getloadavg()[0])
        courses = [FAULTS[name].begin(self._stage, dice, self._plan.scale) for name in episode.faults]
        self._tell(f"{episode.number:3} {' + '.join(episode.faults)}")
        try:
            met = [name for name, course in zip(episode.faults, self._together(courses), strict=True) if course]
        finally:
            for course in courses:
                course.close()
        takes_over = any(FAULTS[name].takes_over for name in met)
        return Happened(tuple(met) or episode.faults, began, time.time(), takes_over, met=bool(met))

    def _together(self, courses: list[Course]) -> list[bool]:
        """Each course's next act when its time has come, until all are over. Says which of them came to pass."""
        came = [True] * len(courses)
        due = dict.fromkeys(range(len(courses)), time.monotonic())
        while due:
            for number in [number for number, at in due.items() if at <= time.monotonic()]:
                try:
                    due[number] = time.monotonic() + next(courses[number])
                except (StopIteration, NothingHappened) as over:
                    came[number] = isinstance(over, StopIteration)
                    del due[number]
            self._stage.tend()
            time.sleep(TICK)
        return came


def _tend_until(stage: Stage, holds: Callable[[], bool], seconds: float) -> None:
    """Keep the processes running until something holds, at most for so long."""
    deadline = time.monotonic() + seconds
    looked_at = time.monotonic()
    while time.monotonic() < deadline:
        stage.tend()
        if time.monotonic() - looked_at > 0.5:
            if holds():
                return
            looked_at = time.monotonic()
        time.sleep(TICK)


def _all_ended(stage: Stage) -> bool:
    database = Database(stage.database_url, pool_size=1)
    try:
        with database.reading() as connection:
            left = connection.execute(
                select(func.count()).select_from(workflows).where(workflows.c.status.not_in(FINAL))
            ).scalar_one()
    except Unavailable:
        return False
    finally:
        database.close()
    return bool(left == 0)
