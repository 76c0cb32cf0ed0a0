"""What is deployed holds no secret, waits for what it needs, and says whether it is well."""

import re
from pathlib import Path

import pytest
import yaml

from orchestrator.jsontype import Json
from orchestrator.settings import NAMES

ROOT = Path(__file__).parents[2]
COMPOSE: Json = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Json] = COMPOSE["services"]
ONE_SHOT = {"migrate"}
SECRET = re.compile(r"PASSWORD|SECRET|KEY|AUTH|TOKEN")
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
)


def environment(service: str) -> dict[str, str]:
    """The variables of a service, by name."""
    found: dict[str, str] = SERVICES[service].get("environment") or {}
    return found


def test_everything_that_the_readme_promises_is_there() -> None:
    """Redis, PostgreSQL, the migration, web, workers, Flower."""
    assert {"redis", "postgres", "migrate", "web", "worker", "flower"} <= set(SERVICES)


@pytest.mark.parametrize("service", sorted(set(SERVICES) - ONE_SHOT))
def test_every_service_says_whether_it_is_well(service: str) -> None:
    """A health check with a bound; what ends by itself needs none."""
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= set(check)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_secret_is_written_down(service: str) -> None:
    """A variable that holds a secret takes it from the environment, and compose stops where it is not set."""
    for name, value in environment(service).items():
        if SECRET.search(name):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name} of {service} is not asked for"
        asked_for = re.sub(r"\$\{\w+:\?[^}]*\}", "$", value)
        assert re.findall(r"://[^/@]*:([^@]+)@", asked_for) in ([], ["$"]), f"{name} of {service} holds a password"


def test_every_asked_for_variable_is_in_the_example_and_empty() -> None:
    """`.env.example` lists them all and gives nobody a default password."""
    text = (ROOT / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked <= set(EXAMPLE)
    assert all(EXAMPLE[name] == "" for name in asked)


def test_only_settings_that_exist_are_set() -> None:
    """A misspelt setting would be refused at the start of the container."""
    ours = {name for service in SERVICES for name in environment(service) if name.startswith("ORCHESTRATOR_")}
    assert {name.removeprefix("ORCHESTRATOR_") for name in ours} <= set(NAMES)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_images_are_pinned_or_built_here(service: str) -> None:
    """No image of somebody else's changes its major version by itself."""
    if "build" in SERVICES[service]:
        assert SERVICES[service]["image"].startswith("celery-orchestrator:")
    else:
        assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)*-[a-z]+", SERVICES[service]["image"])


@pytest.mark.parametrize("service", ["web", "worker", "flower"])
def test_nothing_starts_before_the_tables_are_there(service: str) -> None:
    """The migration has ended and Redis answers first."""
    waits = SERVICES[service]["depends_on"]
    assert waits["migrate"] == {"condition": "service_completed_successfully"}
    assert waits["redis"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_redis_never_throws_a_message_away() -> None:
    """It keeps nothing on disk, and refuses to write when it is full."""
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert (options["--save"], options["--appendonly"]) == ("", "no")


def test_databases_are_not_reachable_from_outside() -> None:
    """They have no port on the host and sit in a network without a way out; what has a port listens on loopback."""
    for service in ("redis", "postgres"):
        assert SERVICES[service]["networks"] == ["inside"]
        assert "ports" not in SERVICES[service]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(re.match(r"\$\{\w+:-127\.0\.0\.1:\d+\}:\d+$", port) for port in published)


def test_the_worker_is_stopped_warmly() -> None:
    """Compose waits longer than the supervisor inside does."""
    from orchestrator.keeper import Program

    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > Program("worker", []).grace


def test_the_image_is_no_root_and_built_from_the_lock() -> None:
    """The last USER of the Dockerfile is a number above 0; versions come from requirements.lock."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    user = [line.split()[1] for line in lines if line.startswith("USER ")][-1]
    assert int(user) > 0
    assert any("pip install" in line and "requirements.lock" in line for line in lines)
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)


def test_what_the_dockerfile_copies_is_let_through() -> None:
    """`.dockerignore` shuts out all but that: a forgotten line would break the build, an open one leak `.env`."""
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        word
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == let_through
