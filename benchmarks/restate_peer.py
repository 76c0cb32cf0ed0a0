"""Restate: a server written in Rust keeps the journal, the steps are Python. Its server comes from npm."""

import http.client
import importlib.util
import json
import shutil

from benchmarks.children import PYTHON, ROOT, Child
from benchmarks.peer import Crew, Peer
from benchmarks.servers import free_port
from orchestrator.jsontype import Json

NODE = ROOT / "benchmarks" / ".node"
"""Where `npm install --prefix benchmarks/.node @restatedev/restate-server` puts it."""


class Restate(Peer):
    """One server, and the handler served by Hypercorn as the documentation configures it."""

    name = "restate"
    title = "Restate"
    _server: Child | None = None

    @classmethod
    def missing(cls) -> str | None:
        """The server, or the SDK."""
        if importlib.util.find_spec("restate") is None or importlib.util.find_spec("hypercorn") is None:
            return "pip install restate-sdk hypercorn"
        return None if _binary() else "npm install --prefix benchmarks/.node @restatedev/restate-server"

    def set_up(self, crew: Crew) -> None:
        """The server, the handlers, and the one told of the other."""
        self._admin, ingress, node, handlers = (free_port() for _ in range(4))
        environment = {"BENCH_INGRESS_PORT": str(ingress), "BENCH_CONCURRENCY": str(crew.concurrency)}
        self._add_handlers(crew, handlers, environment)
        folder = self.place.folder / "restate"
        shutil.rmtree(folder, ignore_errors=True)
        settings = {
            "RESTATE_BASE_DIR": str(folder),
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self._admin}",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "DO_NOT_TRACK": "1",
        }
        self._server = Child([str(_binary())], self.log("server"), settings)
        self._server.wait_ready(lambda: _answers(self._admin, "/health"), "Restate's admin")
        self._server.wait_ready(lambda: _answers(ingress, "/restate/health"), "Restate's ingress")
        self._ask("POST", "/deployments", {"uri": f"http://127.0.0.1:{handlers}"})
        self.add_client("benchmarks.restate_app", environment)

    def recorded(self) -> bool:
        """Not asked: its handler ends with the last answer, and a query of its journal costs as much as workflows."""
        return True

    def own(self) -> list[Child]:
        """Its server too."""
        return [*super().own(), *([self._server] if self._server else [])]

    def tear_down(self) -> None:
        """And forget its journal."""
        super().tear_down()
        self._server = None
        shutil.rmtree(self.place.folder / "restate", ignore_errors=True)

    def _add_handlers(self, crew: Crew, port: int, environment: dict[str, str]) -> None:
        configuration = self.place.folder / "hypercorn.toml"
        configuration.write_text(
            f'bind = "127.0.0.1:{port}"\nworkers = {crew.processes}\nh2_max_concurrent_streams = 2147483647\n'
            "keep_alive_max_requests = 2147483647\nkeep_alive_timeout = 2147483647\n"
        )
        command = [*PYTHON, "hypercorn", "--config", str(configuration), "benchmarks.restate_app:app"]
        self.add_worker(command, environment).wait_ready(lambda: _listens(port), "Restate's handlers")

    def _ask(self, method: str, path: str, body: Json) -> Json:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin, timeout=30)
        try:
            connection.request(
                method, path, json.dumps(body), {"Content-Type": "application/json", "Accept": "application/json"}
            )
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"Restate answered {answer.status} to {path}: {said[:500]!r}")
        return json.loads(said)


def _binary() -> str | None:
    """The server itself, not npm's script around it, which would be one more process."""
    found = sorted(NODE.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    return str(found[0]) if found else shutil.which("restate-server")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True
