"""The environment is read once, whole, and never shown with its secrets."""

import base64
import pickle
from pathlib import Path

import pytest

from orchestrator.api_keys import Scope
from orchestrator.errors import SettingsError
from orchestrator.setting_texts import LoginHeader
from orchestrator.settings import NAMES, Secrets, Settings, bundled
from orchestrator.urls import client_url, masked, socket_url


def read(**variables: str) -> Settings:
    """Settings from these variables, written without their prefix."""
    return Settings.from_environment({f"ORCHESTRATOR_{name}": value for name, value in variables.items()})


def fault(**variables: str) -> str:
    """What the reader says about these variables."""
    with pytest.raises(SettingsError) as caught:
        read(**variables)
    return str(caught.value)


def test_nothing_need_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty environment gives SQLite and an embedded Redis in a data folder of the working directory."""
    monkeypatch.chdir(tmp_path)
    settings = read()
    assert settings.data == tmp_path / ".orchestrator"
    assert settings.database_url == f"sqlite:///{tmp_path}/.orchestrator/ledger.sqlite3"
    assert settings.redis_url is None
    assert settings.definitions == bundled("workflows")
    assert settings.concurrency == 100
    assert settings.processes >= 1
    assert not settings.data.exists(), "reading the environment makes no files"


def test_own_workflows_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `workflows` folder where the command is run wins over the bundled definitions."""
    (tmp_path / "workflows").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read().definitions == tmp_path / "workflows"


def test_an_empty_variable_counts_as_absent() -> None:
    """Compose files pass `${X:-}` for what nobody set."""
    assert read(REDIS_URL="", API_KEYS=" ", CONCURRENCY="") == read()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg_3(scheme: str) -> None:
    """Platforms hand out `postgres://`, SQLAlchemy wants the driver's name."""
    settings = read(DATABASE_URL=f"{scheme}://me:pw@db:5433/ledger?sslmode=require")
    assert settings.database_url == "postgresql+psycopg://me:pw@db:5433/ledger?sslmode=require"


@pytest.mark.parametrize(
    ("given", "celery", "client"),
    [
        ("redis://:pw@cache:6380/2", "redis://:pw@cache:6380/2", "redis://:pw@cache:6380/2"),
        ("unix:///run/r.sock?db=3", "redis+socket:///run/r.sock?virtual_host=3", "unix:///run/r.sock?db=3"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0", "unix:///run/r.sock?db=0"),
        (
            "redis+socket:///run/r.sock?virtual_host=1",
            "redis+socket:///run/r.sock?virtual_host=1",
            "unix:///run/r.sock?db=1",
        ),
        ("unix://u:pw@/r.sock", "redis+socket://u:pw@/r.sock?virtual_host=0", "unix://u:pw@/r.sock?db=0"),
    ],
)
def test_a_redis_url_is_spelt_for_celery_and_for_redis_py(given: str, celery: str, client: str) -> None:
    """The two libraries spell a Unix socket differently; people may write either."""
    assert read(REDIS_URL=given).redis_url == celery
    assert client_url(celery) == client


def test_a_socket_path_is_quoted() -> None:
    """A folder with a space or a question mark in its name still makes a URL."""
    assert socket_url("/a b/?/r.sock") == "redis+socket:///a%20b/%3F/r.sock?virtual_host=0"


def test_variables_and_secrets_are_gathered_by_name() -> None:
    """What follows VAR_ and SECRET_ is the name that definitions use."""
    settings = read(VAR_SERVICES_URL="http://s", SECRET_API="hunter2", SECRET_empty="")
    assert settings.vars == {"SERVICES_URL": "http://s"}
    assert dict(settings.secrets) == {"API": "hunter2", "empty": ""}


def test_lists_are_separated_by_commas_or_spaces() -> None:
    """Keys, hosts and notification addresses are lists without doubles."""
    settings = read(
        API_KEYS="a-key-of-the-first-kind, a-key-of-another-kind:start+read",
        ALLOW_HOSTS="Localhost,127.0.0.0/8 10.1.2.3/8,::1,[::1],svc.internal",
        NOTIFY="https://hooks.example/x mailto://u:p@example.com",
    )
    assert [key.secret for key in settings.api_keys] == ["a-key-of-the-first-kind", "a-key-of-another-kind"]
    assert settings.api_keys[1].scopes == {"start", "read"}
    assert settings.allow_hosts == ("localhost", "127.0.0.0/8", "10.0.0.0/8", "::1", "svc.internal")
    assert settings.notify == ("https://hooks.example/x", "mailto://u:p@example.com")


def test_numbers_and_levels() -> None:
    """Whole numbers may be grouped with _, levels written in any case."""
    settings = read(CONCURRENCY="1_000", PROCESSES="3", MAX_ANSWER_BYTES="5000000", LOG_LEVEL="debug")
    assert (settings.concurrency, settings.processes) == (1000, 3)
    assert (settings.max_answer_bytes, settings.log_level) == (5_000_000, "DEBUG")


def test_a_rate_is_so_many_in_a_time() -> None:
    """And is said again as it was written."""
    settings = read(START_RATE="600/m")
    assert settings.start_rate is not None
    assert (settings.start_rate.count, settings.start_rate.seconds, str(settings.start_rate)) == (600, 60, "600/m")


def test_durations_are_seconds() -> None:
    """Without ORCHESTRATOR_RETENTION nothing is ever deleted."""
    assert (read().retention, read().stuck_after) == (None, 3600)
    assert read(RETENTION="90d", STUCK_AFTER="15m").retention == 90 * 86_400
    assert read(STUCK_AFTER="15m").stuck_after == 900


def test_a_comma_within_a_url_for_notices_separates_nothing() -> None:
    """Mail goes to several people with `?to=a,b`."""
    mail = "mailto://u:p@example.com?to=a@x.example,b@x.example"
    assert read(NOTIFY=f"{mail},https://hooks.example/x, slack://a/b/c,").notify == (
        mail,
        "https://hooks.example/x",
        "slack://a/b/c",
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "mysql://u:topsecret@db/x", "mysql is not supported"),
        ("DATABASE_URL", "sqlite://", "seen by one process only"),
        ("DATABASE_URL", "sqlite:///:memory:", "seen by one process only"),
        ("DATABASE_URL", "postgresql://me:topsecret", "not a URL"),
        ("DATABASE_URL", "postgresql://me:top/secret@db/x", "%2F"),
        ("DATABASE_URL", "postgresql://", "no host"),
        ("DATABASE_URL", "ledger.db", "no scheme is not supported"),
        ("REDIS_URL", "amqp://guest@rabbit", "amqp is not supported"),
        ("REDIS_URL", "redis://", "no host"),
        ("REDIS_URL", "unix://relative/r.sock", "absolute path"),
        ("REDIS_URL", "unix:///r.sock?db=first", "'first' is not a number"),
        ("DEFINITIONS", "/no/such/folder", "there is no folder /no/such/folder"),
        ("DATA", __file__, "is a file"),
        ("API_KEYS", "topsecret", "shorter than 16"),
        ("API_KEYS", "topsecret:start+read", "shorter than 16"),
        ("API_KEYS", "topsecret-topsecret:reed", "did you mean read?"),
        ("API_KEYS", "topsecret-topsecret:read topsecret-topsecret", "given twice"),
        ("ENCRYPTION_KEY", "topsecret", "not 32 bytes in base64"),
        ("PUBLIC_URL", "example.com", "is not an address that services can call"),
        ("PUBLIC_URL", "https://example.com/?a=b", "is not an address that services can call"),
        ("NOTIFY", "https://ok.example topsecret", "entry 2 is not a URL"),
        ("ALLOW_HOSTS", "10.0.0.0/99", "'10.0.0.0/99' is neither"),
        ("ALLOW_HOSTS", "localhost:8000", "'localhost:8000' is neither"),
        ("ALLOW_HOSTS", "10.1.2", "'10.1.2' is neither"),
        ("CONCURRENCY", "0", "'0' is not a whole number from 1"),
        ("CONCURRENCY", "many", "'many' is not a whole number from 1"),
        ("PROCESSES", "1.5", "'1.5' is not a whole number from 1"),
        ("MAX_ANSWER_BYTES", "1MB", "'1MB' is not a whole number from 1000"),
        ("LOG_LEVEL", "loud", "'loud' is no level; one of DEBUG, INFO"),
        ("LOG_FORMAT", "xml", "'xml' is no format; one of console, json"),
        ("START_RATE", "100", "'100' is no rate; write such as 100/s"),
        ("START_RATE", "0/s", "'0/s' is no rate"),
        ("RETENTION", "90", "'90' is not a duration from 1m to 36500d; write such as 90s"),
        ("RETENTION", "0d", "'0d' is not a duration from 1m"),
        ("STUCK_AFTER", "soon", "'soon' is not a duration from 1s"),
        ("VAR_A-B", "x", "'A-B' is no name"),
        ("SECRET_", "topsecret", "'' is no name"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: str, said: str) -> None:
    """A fault names its variable and what would be right, and repeats no secret."""
    message = fault(**{name: value})
    assert message.startswith(f"ORCHESTRATOR_{name}: ")
    assert said in message
    assert "topsecret" not in message
    assert "secret@" not in message


def test_all_faults_come_at_once() -> None:
    """Three wrong variables are three lines."""
    assert len(fault(CONCURRENCY="x", LOG_LEVEL="x", DATABASE_URL="x").splitlines()) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_variable_is_no_silence(name: str) -> None:
    """A setting that nobody reads would be found missing much later."""
    assert f"ORCHESTRATOR_{name}X: no such setting; did you mean ORCHESTRATOR_{name}?" in fault(**{f"{name}X": "1"})


def test_variables_of_kubernetes_and_of_tests_are_let_be() -> None:
    """Kubernetes sets links for a service called orchestrator; they are not ours."""
    links = {"PORT": "tcp://10.0.0.1:80", "SERVICE_HOST": "10.0.0.1", "PORT_8000_TCP_ADDR": "10.0.0.1"}
    assert read(**links, TEST_POSTGRES_URL="postgresql://x") == read()


def test_repr_shows_no_secret() -> None:
    """Settings may be logged: no password, key or token is in them."""
    settings = read(
        DATABASE_URL="postgresql://me:topsecret@db/x?password=topsecret",
        REDIS_URL="redis://:topsecret@cache/0",
        SECRET_API="topsecret",
        API_KEYS="topsecret-topsecret",
        ENCRYPTION_KEY=base64.urlsafe_b64encode(b"topsecret".ljust(32)).decode(),
        NOTIFY="slack://topsecret/topsecret",
        PUBLIC_URL="https://me:topsecret@example.com/",
    )
    for shown in (repr(settings), str(settings), f"{settings.secrets}", f"{settings.secrets!r}"):
        assert "topsecret" not in shown
        assert base64.urlsafe_b64encode(b"topsecret".ljust(32)).decode() not in shown
        assert "API=***" in shown
    assert "postgresql+psycopg://me:***@db/x" in repr(settings)


def test_secrets_are_not_pickled() -> None:
    """A secret that is put into a Celery message by mistake raises instead of travelling."""
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Secrets({"API": "hunter2"}))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("postgresql://u:p%40w@h/d", "postgresql://u:***@h/d"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("redis+socket:///r.sock?virtual_host=0", "redis+socket:///r.sock?virtual_host=0"),
        ("unix:///r.sock?db=0&password=pw", "unix:///r.sock?db=0&password=***"),
        ("postgresql://u:p/w@x@h/d", "postgresql://u:***@h/d"),
        ("http://h:80/path", "http://h:80/path"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """Everything but the password stays readable."""
    assert masked(url) == shown


def test_a_configured_encryption_key_is_used(tmp_path: Path) -> None:
    """With a key in the environment no file is made."""
    given = base64.urlsafe_b64encode(b"k" * 32).decode()
    settings = read(ENCRYPTION_KEY=given, DATA=str(tmp_path / "d"))
    assert settings.key() == given
    assert not settings.data.exists()


def test_an_encryption_key_is_made_once(tmp_path: Path) -> None:
    """Without one, the first use makes a key that only its owner may read, and every later use finds it."""
    settings = read(DATA=str(tmp_path / "d"))
    first = settings.key()
    assert len(base64.urlsafe_b64decode(first)) == 32
    assert Settings.from_environment({"ORCHESTRATOR_DATA": str(tmp_path / "d")}).key() == first
    assert settings.key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.data.glob("encryption*")] == ["encryption.key"]


def test_the_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """A folder made by `prepare` is closed to others and to git; one that was there keeps its permissions."""
    settings = read(DATA=str(tmp_path / "deep" / "down"))
    settings.prepare()
    settings.prepare()
    assert settings.data.stat().st_mode & 0o777 == 0o700
    assert (settings.data / ".gitignore").read_text() == "*\n"
    shared = read(DATA=str(tmp_path))
    before = tmp_path.stat().st_mode
    shared.prepare()
    assert tmp_path.stat().st_mode == before


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A data folder below a file gives a sentence, not a stack trace."""
    (tmp_path / "file").write_text("")
    settings = read(DATA=str(tmp_path / "file" / "data"))
    with pytest.raises(SettingsError, match="cannot be a data folder: Not a directory"):
        settings.prepare()


def test_bundled_folders_are_there() -> None:
    """Definitions and migrations come with the orchestrator."""
    assert bundled("workflows").is_dir()
    assert bundled("migrations").is_dir()


def test_a_header_is_a_login_only_of_proxies_and_only_where_others_need_a_key() -> None:
    """A header that everybody may send, or a door that stands open anyway, is a mistake."""
    key = "k" * 32
    settings = read(LOGIN_HEADER="X-Forwarded-User:read", LOGIN_PROXIES="10.0.0.5,10.1.0.0/16", API_KEYS=key)
    assert settings.login_header == LoginHeader("X-Forwarded-User", frozenset({Scope.READ}))
    assert "LOGIN_PROXIES which addresses" in fault(LOGIN_HEADER="X-User", API_KEYS=key)
    assert "without ORCHESTRATOR_API_KEYS" in fault(LOGIN_HEADER="X-User", LOGIN_PROXIES="10.0.0.5")
    for wrong in ("X_User", "Cookie", "X-User:root", "X User"):
        assert "write such as" in fault(LOGIN_HEADER=wrong, LOGIN_PROXIES="10.0.0.5", API_KEYS=key)
    assert "10.0.0.5, 10.1.0.0/16" in fault(LOGIN_PROXIES="proxy.example")
