"""pytest: every case in a `*.tests.yaml` file is a test, and the fixture `workflow_test` plays one that is written in
Python.

Installed with the package, pytest finds it by itself. It imports nothing of the orchestrator until it is used.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from orchestrator.definition import Definition
    from orchestrator.jsontype import Json
    from orchestrator.testkit.case import Case
    from orchestrator.testkit.run import Run

_SUFFIXES = (".tests.yaml", ".tests.yml", ".tests.json")


class Play(Protocol):
    """What the fixture `workflow_test` gives."""

    def __call__(
        self,
        definition: str | Path,
        context: "Json" = None,
        answers: "Json" = None,
        *,
        expect: "Json" = None,
        **more: "Json",
    ) -> "Run":
        """Play the definition in a file, and give back what became of it.

        `answers`, `expect`, and in `more` `vars`, `secrets` and `orders` are written as in a script of cases. Where
        something is otherwise than `expect` says, that fails the test. Raises DefinitionError for a fault in any.
        """


@pytest.fixture
def workflow_test(request: pytest.FixtureRequest) -> Play:
    """Plays a definition, whose path is seen from the test's own file, on scripted answers."""

    def play(
        definition: str | Path,
        context: "Json" = None,
        answers: "Json" = None,
        *,
        expect: "Json" = None,
        **more: "Json",
    ) -> "Run":
        from orchestrator.reading import read_file
        from orchestrator.testkit.report import try_case
        from orchestrator.testkit.script import case_of

        __tracebackhide__ = True
        read = read_file(request.path.parent / definition)
        case = case_of({"context": context or {}, "answers": answers or {}, "expect": expect or {}, **more}, read)
        result = try_case(read, case)
        if not result.passed:
            pytest.fail("\n".join(result.explanation()), pytrace=False)
        return result.run

    return play


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScriptFile | None":
    """Scripts of cases are collected wherever pytest looks for tests."""
    if file_path.name.lower().endswith(_SUFFIXES):
        collected: ScriptFile = ScriptFile.from_parent(parent, path=file_path)
        return collected
    return None


class ScriptFile(pytest.File):
    """A file of cases."""

    def collect(self) -> Iterator["ScriptCase"]:
        """Its cases; a fault in it is an error of the collection."""
        from orchestrator.errors import DefinitionError
        from orchestrator.testkit.script import read_script

        try:
            script = read_script(self.path)
        except DefinitionError as error:
            raise self.CollectError(str(error)) from None
        for case in script.cases:
            item: ScriptCase = ScriptCase.from_parent(self, name=case.name)
            item.attach(script.definition, case)
            yield item


class ScriptCase(pytest.Item):
    """One case."""

    _try: Callable[[], None]

    def attach(self, definition: "Definition", case: "Case") -> None:
        """What it plays, and where it stands."""
        from orchestrator.testkit.report import try_case

        def play() -> None:
            result = try_case(definition, case)
            if not result.passed:
                pytest.fail("\n".join(result.explanation()), pytrace=False)

        self._line = case.line
        self._try = play

    def runtest(self) -> None:
        """Play it."""
        self._try()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that it is."""
        return self.path, None if self._line is None else self._line - 1, self.name
