"""The measurements by command: `python -m tests.endurance idle --database sqlite`.

    idle        what an idle worker asks of the database beside 100,000 finished and 10,000 running workflows
    parked      what 100,000 steps that wait cost, and how fast they are woken
    backlog     50,000 workflows accepted while no worker runs, drained, Redis emptied on the way
    slow-host   2,000 steps that call a host which takes 30 s for each, and 2,000 others (`--share N`: a limit)
    soak        mixed load for `--minutes`, `--rate` starts a second: memory, threads and open files must stay flat

Options of all: `--database postgresql|sqlite`, and `--folder PATH` to keep logs. Exits with 1 where something costs
more than it may.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.endurance import backlog, idle, parked, slow_host, soak
from tests.endurance.place import Place

Measurement = Callable[[Path, argparse.Namespace], Sequence[str]]


def _idle(folder: Path, given: argparse.Namespace) -> Sequence[str]:
    with Place(folder, given.database, idle.STEPS) as place:
        return idle.measure(place, given.count or 100_000, 10_000, given.minutes * 60)


def _parked(folder: Path, given: argparse.Namespace) -> Sequence[str]:
    with Place(folder, given.database, parked.STEPS) as place:
        return parked.measure(place, given.count or 100_000)


def _backlog(folder: Path, given: argparse.Namespace) -> Sequence[str]:
    with Place(folder, given.database, backlog.STEPS) as place:
        return backlog.measure(place, given.count or 50_000)


def _slow_host(folder: Path, given: argparse.Namespace) -> Sequence[str]:
    with Place(folder, given.database, backlog.STEPS) as place:
        return slow_host.measure(place, given.share)


def _soak(folder: Path, given: argparse.Namespace) -> Sequence[str]:
    return soak.measure(folder, given.database, given.minutes, given.rate, _tell)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


MEASUREMENTS: dict[str, Measurement] = {
    "idle": _idle,
    "parked": _parked,
    "backlog": _backlog,
    "slow-host": _slow_host,
    "soak": _soak,
}


def main() -> int:
    """Run one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=MEASUREMENTS)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--share", type=int)
    parser.add_argument("--rate", type=float, default=8.0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="endurance-") as made:
        folder = given.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else where we are root
        try:
            lines = MEASUREMENTS[given.name](folder, given)
        except AssertionError as error:
            sys.stdout.write(f"{error}\n")
            return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
