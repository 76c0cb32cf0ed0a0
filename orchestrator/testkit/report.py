"""Cases → results, and a result that is not as expected as one reads it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.definition import Definition
from orchestrator.testkit.case import Case
from orchestrator.testkit.judgement import Unmet, unmet
from orchestrator.testkit.play import play
from orchestrator.testkit.run import Run


@dataclass(frozen=True, slots=True)
class Result:
    """A case that was played."""

    case: Case
    run: Run
    unmet: tuple[Unmet, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.unmet

    def explanation(self) -> list[str]:
        """What was expected and what happened instead, then all that happened."""
        lines: list[str] = []
        for one in self.unmet:
            lines += [one.place, f"    expected: {one.expected}", f"    happened: {one.happened}"]
        return [*lines, "", "what happened:", *(f"  {line}" for line in self.run.timeline())]


def try_case(definition: Definition, case: Case) -> Result:
    """Play the case, and hold what happened against what it expects."""
    run = play(definition, case)
    return Result(case, run, tuple(unmet(case.expect, run)))


def try_all(definition: Definition, cases: Iterable[Case]) -> Iterator[Result]:
    """One case after the other."""
    return (try_case(definition, case) for case in cases)


def place_of(path: Path, case: Case) -> str:
    """`order.tests.yaml:12`, where one clicks on it."""
    return str(path) if case.line is None else f"{path}:{case.line}"
