"""The servers that the tests stand on are real, private, fresh, and gone afterwards."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import Databases, RedisServer, until

ROOT = Path(__file__).parents[2]


def test_each_test_finds_redis_empty(redis_url: str) -> None:
    """What another test left in database 0 is gone."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_redis_is_still_empty_for_the_next(redis_url: str) -> None:
    """The pair of the test above."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_a_restarted_redis_is_empty_on_the_same_port(redis_server: RedisServer) -> None:
    """Failure tests kill Redis and see what a wiped one means."""
    with redis_server.client() as client:
        client.set("a", "1")
        redis_server.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        redis_server.restart()
        assert client.get("a") is None


def test_a_paused_redis_answers_again(redis_server: RedisServer) -> None:
    """A frozen server keeps its connections and what it holds."""
    with redis_server.client() as client:
        client.set("a", "1")
        redis_server.pause()
        no_retry = Retry(NoBackoff(), retries=0)
        hasty = redis.Redis(port=redis_server.port, socket_timeout=0.2, retry=no_retry)
        with hasty, pytest.raises(redis.TimeoutError):
            hasty.ping()
        redis_server.resume()
        assert client.get("a") == b"1"


def test_databases_are_fresh_and_dropped(databases: Databases) -> None:
    """Two databases know nothing of each other, and a dropped one is gone even while somebody is connected."""
    first, second = databases.create(), databases.create()
    with psycopg.connect(first.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE here (id int)")
        connection.commit()
        with psycopg.connect(second.replace("+psycopg", "")) as other, pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("SELECT * FROM here")
        databases.drop(first)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    databases.drop(second)


def test_both_kinds_of_database_are_offered(database_url: str) -> None:
    """The ledger's tests run once on each."""
    assert database_url.startswith(("sqlite:///", "postgresql+psycopg://tests:"))


def ended(server: psutil.Process) -> bool:
    """Whether it has ended, waited for or not."""
    return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux promises to end a child with its killed parent")
def test_servers_die_with_a_killed_test_run(server_folder: Path) -> None:
    """SIGKILL of the tests leaves no server behind, one that runs as another account included."""
    folder = server_folder / "killed"
    folder.mkdir()
    program = textwrap.dedent(f"""
        import pathlib, time
        from tests.servers import PostgresServer, RedisServer
        folder = pathlib.Path({str(folder)!r})
        for server in (RedisServer(folder), PostgresServer(folder / "postgres")):
            server.start()
            print(server.child.pid, flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stdout is not None
        servers = [psutil.Process(int(run.stdout.readline())) for _ in range(2)]
        run.kill()
    until(lambda: all(ended(server) for server in servers), "the servers end")


def test_servers_end_with_an_interrupted_test_run(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a test ends the servers in good order."""
    (tmp_path / "test_forever.py").write_text(
        textwrap.dedent("""
            import time
            from tests.conftest import redis_server
            def test_forever(redis_server):
                print(redis_server.child.pid, flush=True)
                time.sleep(600)
        """)
    )
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stdout is not None
        server = psutil.Process(next(int(line) for line in run.stdout if line.strip().isdigit()))
        run.send_signal(signal.SIGINT)
        run.stdout.read()
    until(lambda: not server.is_running(), "the server ends")
