"""A peer: something that runs workflows of HTTP steps, with what every one of them must be able to do here."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.books import Services
from benchmarks.children import PYTHON, Child
from benchmarks.servers import PostgresServer, RedisServer
from benchmarks.shapes import Shape


@dataclass(frozen=True)
class Place:
    """What all peers find: the same servers, the same services, a folder to write to."""

    folder: Path
    services: Services
    redis: RedisServer
    postgres: PostgresServer


@dataclass(frozen=True)
class Crew:
    """How many worker processes, and how many calls each of them is to have under way at once."""

    processes: int
    concurrency: int


class Peer(ABC):
    """Set up, then started upon any number of times, then torn down; then it may be set up again."""

    name: ClassVar[str]
    title: ClassVar[str]
    uses_redis: ClassVar[bool] = False
    uses_postgres: ClassVar[bool] = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self.workers: list[Child] = []
        self.client: Child | None = None

    @classmethod
    def missing(cls) -> str | None:
        """What is not installed here that it needs; None where it can run."""
        return None

    @abstractmethod
    def set_up(self, crew: Crew) -> None:
        """Start everything, empty; return when it can work."""

    def start(self, base: str, shape: Shape, count: int) -> None:
        """Start so many workflows; return when all of them are accepted."""
        assert self.client is not None, "set up first"
        self.client.tell(json.dumps({"base": base, "shape": shape.name, "count": count}))
        self.client.hear()

    def recorded(self) -> bool:
        """Whether its own record says that all workflows have completed. Who keeps no record has nothing to add."""
        return True

    def tear_down(self) -> None:
        """End its processes and drop what it stored."""
        for child in self.own():
            child.end()
        self.workers, self.client = [], None

    def own(self) -> list[Child]:
        """All that was started for it alone, in the order in which it ends."""
        return [*([self.client] if self.client else []), *self.workers]

    def processes(self) -> list[int]:
        """Ids of all that works for it: workers, client, broker, database."""
        servers = [self.place.redis.child] if self.uses_redis else []
        servers += [self.place.postgres.child] if self.uses_postgres else []
        return [child.pid for child in (*self.own(), *servers)]

    def add_client(self, module: str, environment: dict[str, str]) -> None:
        """Start `benchmarks.starter` with the module's `start`."""
        self.client = Child([*PYTHON, "benchmarks.starter", module], self.log("client"), environment, talks=True)
        self.client.hear()

    def add_worker(self, command: Sequence[str], environment: dict[str, str], *, talks: bool = False) -> Child:
        """Start a process that works."""
        child = Child(command, self.log(f"worker-{len(self.workers)}"), environment, talks=talks)
        self.workers.append(child)
        return child

    def log(self, what: str) -> Path:
        """Where the output of one of its processes goes."""
        return self.place.folder / f"{self.name}-{what}.log"
