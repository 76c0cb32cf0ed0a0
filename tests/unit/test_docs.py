"""The docs are true: the reference is what the code says, examples are definitions, commands are commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from orchestrator.cli import orchestrator
from orchestrator.reading import read_definition
from orchestrator.settings import NAMES, PREFIX
from orchestrator.testkit.report import try_all
from orchestrator.testkit.script import read_script
from reference.pages import FOLDER, pages
from reference.settings import MEANINGS as VARIABLES
from reference.words import MEANINGS as EVENTS
from reference.words import recorded

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ALL = [ROOT / "README.md", *PAGES]
MANIFESTS = sorted((DOCS / "kubernetes").glob("*.yaml"))


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """Every `orchestrator …` in the page's blocks for a shell, as words."""
    for block in blocks(page, "sh"):
        block = re.sub(r"<<'END'.*?^END$", "", block, flags=re.DOTALL | re.MULTILINE)
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            found = re.match(r"(?:\S*/)?orchestrator (.*)", line.strip())
            if found:
                yield shlex.split(re.split(r" [|>&]", found[1])[0], comments=True)


@pytest.mark.parametrize("name", pages())
def test_a_page_of_the_reference_is_what_the_code_says(name: str) -> None:
    """Where it is not: python -m reference."""
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "out of date; write it: python -m reference"


def test_every_variable_and_every_event_has_a_meaning() -> None:
    """Whoever adds one says what it is for, in `reference`."""
    assert set(NAMES) == VARIABLES.keys()
    assert recorded().keys() == EVENTS.keys()


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_links_within_the_docs_lead_somewhere(page: Path) -> None:
    """No dead link, but to what the site makes."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_site_once() -> None:
    """The navigation names what is there."""

    def named(tree: object) -> Iterator[str]:
        match tree:
            case str():
                yield tree
            case list():
                for one in tree:
                    yield from named(one)
            case dict():
                for one in tree.values():
                    yield from named(one)

    there = sorted(str(page.relative_to(DOCS)) for page in PAGES)
    assert sorted(named(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])) == there


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_definitions_in_the_docs_are_definitions(page: Path) -> None:
    """A reader may copy them."""
    for number, block in enumerate(blocks(page, "yaml")):
        if re.search(r"^type:", block, re.MULTILINE) and re.search(r"^steps:", block, re.MULTILINE):
            read_definition(block, f"{page.name} {number}.yaml")


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_commands_in_the_docs_are_commands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With options that there are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "context.json").write_text("{}")
    for words in commands(page):
        words = [word.replace("$ID", "ID") for word in words]
        with click.Context(orchestrator) as context:
            name, command, rest = orchestrator.resolve_command(context, words)
            assert command is not None, words
            command.make_context(name, list(rest), parent=context)


WAITING = """
type: order
steps:
  render: {targetUrl: http://h/render, callback: {timeout: 4h}, next: [print]}
  print: {targetUrl: http://h/print, callback: {timeout: 4h}, retries: 1, next: [check]}
  check: {approval: {timeout: 7d}}
"""


def test_the_quickstart_and_the_test_cases_of_the_docs_hold(tmp_path: Path) -> None:
    """The quickstart's files as it writes them, and the how-to's cases on the same definition."""
    [definition, script] = re.findall(
        r"cat > (\S+) <<'END'\n(.*?)^END$", (DOCS / "quickstart.md").read_text(), re.DOTALL | re.MULTILINE
    )
    cases, later = blocks(DOCS / "how-to" / "test-definitions.md", "yaml")
    later += "tests: {they call back: {expect: {status: failed, calls: {print: 2, render: 1}}}}\n"
    for what, text in ((definition[1], script[1]), (definition[1], cases), (WAITING, later)):
        (tmp_path / "order.yaml").write_text(what)
        (tmp_path / "order.tests.yaml").write_text(text)
        read = read_script(tmp_path / "order.tests.yaml")
        assert [result.explanation() for result in try_all(read.definition, read.cases) if not result.passed] == []


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.name)
def test_manifests_for_kubernetes_say_what_there_is(manifest: Path) -> None:
    """Commands and variables exist, selectors find their pods, mounts their volumes, KEDA its deployment and list."""
    import celeryconfig

    objects = list(yaml.safe_load_all(manifest.read_text()))
    everything = [one for each in MANIFESTS for one in yaml.safe_load_all(each.read_text())]
    deployments = {one["metadata"]["name"]: one for one in everything if one["kind"] == "Deployment"}
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            pod = one["spec"]["template"]["spec"]
            [container] = pod["containers"]
            with click.Context(orchestrator) as context:
                name, command, rest = orchestrator.resolve_command(context, list(container["args"]))
                assert command is not None
                command.make_context(name, list(rest), parent=context)
            volumes = {volume["name"] for volume in pod["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        if one["kind"] == "Deployment":
            labels = one["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
        if one["kind"] == "ConfigMap":
            names = {name.removeprefix(PREFIX) for name in one["data"]}
            assert {name for name in names if not name.startswith(("VAR_", "SECRET_"))} <= set(NAMES)
        if one["kind"] == "ScaledObject":
            assert one["spec"]["scaleTargetRef"]["name"] in deployments
            lists = {trigger["metadata"]["listName"] for trigger in one["spec"]["triggers"]}
            assert lists == celeryconfig.task_queues.keys()
