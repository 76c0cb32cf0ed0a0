"""The chaos proof by command: `python -m tests.chaos --seed 1 --minutes 5 --database postgresql`.

    --seed N            definitions, load, services' answers and faults are drawn from it
    --minutes M         how long there are faults; some of a minute for setting up and for the end come on top
    --database KIND     postgresql or sqlite
    --workers 3         worker processes
    --faults A,B        only these (see `tests.chaos.faults.FAULTS`); all of them otherwise
    --calm 16           seconds at least from the end of a fault to the next one
    --scale 1           what the durations of long faults are multiplied with
    --rate 3            starts a second
    --bound 15          seconds that work may be held up after a fault; more only on a machine that others keep busy
    --hosts 2           every other worker runs behind a router that stops forwarding now and then (root, PostgreSQL)
    --folder PATH       where logs, books and the ledger are kept; a temporary folder otherwise, kept where it fails

Prints the findings (there must be none), how long each fault held work up, and for a failing run how to see it again.
Exits with 1 where there are findings.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.checking import check
from tests.chaos.conducting import Plan, conduct
from tests.chaos.faults import FAULTS
from tests.chaos.hosts import possible
from tests.chaos.report import report


def main() -> int:
    """Run it once."""
    plan, folder = _asked()
    kept = folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    kept.mkdir(parents=True, exist_ok=True)
    kept.chmod(0o755)  # PostgreSQL runs as somebody else where we are root
    record = conduct(plan, kept, _tell)
    findings = check(record)
    for line in report(plan, record, findings):
        sys.stdout.write(f"{line}\n")
    if findings or folder:
        _tell(f"logs, books and ledger: {kept}")
    else:
        shutil.rmtree(kept, ignore_errors=True)
    return 1 if findings else 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _asked() -> tuple[Plan, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), required=True)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--faults", type=_faults, default=())
    parser.add_argument("--calm", type=float, default=16.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=3.0)
    parser.add_argument("--bound", type=float, default=15.0)
    parser.add_argument("--hosts", type=int, choices=(1, 2), default=1)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.hosts == 2 and (reason := possible()) is not None:
        parser.error(f"--hosts 2: {reason}")
    if given.hosts == 2 and given.database == "sqlite":
        parser.error("--hosts 2: a SQLite file is on one host only; take postgresql")
    plan = Plan(
        seed=given.seed,
        kind=given.database,
        minutes=given.minutes,
        workers=given.workers,
        faults=given.faults,
        calm=given.calm,
        scale=given.scale,
        rate=given.rate,
        hosts=given.hosts,
        bound=given.bound,
    )
    return plan, given.folder


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in names if name not in FAULTS]:
        raise argparse.ArgumentTypeError(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
