"""The API as a typed client: small, synchronous, and safe to try again.

client = Client("http://127.0.0.1:8000", api_key="…")
workflow_id = client.start("order-processing", {"amount": 42.5}, key="order-17")
print(client.wait(workflow_id, timeout=60).output)
"""

import random
import time
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from urllib.parse import quote

import requests

from orchestrator.client.answers import Event, Why, Workflow, event_of, why_of, workflow_of
from orchestrator.client.refusals import ApiError, NotNow, refusal_of
from orchestrator.jsontype import Json
from orchestrator.states import WorkflowStatus

__all__ = ["ApiError", "Client"]

_AGAIN = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE = 10.0
_POLL_FIRST, _POLL_MOST = 0.2, 5.0


class Client:
    """One installation's API; may be used by several threads.

    `timeout` is seconds for one request, `tries` how often it is made while the orchestrator cannot be reached or asks
    to come back later. That is safe for all of them: a start and a rerun carry a start key (a fresh one where none is
    given), and other orders change nothing more when they come twice. Every method raises `ApiError` (see
    `orchestrator.client.refusals`).
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout: float = 10.0, tries: int = 4) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._tries = tries
        self._session = requests.Session()
        if api_key is not None:
            self._session.headers["Authorization"] = f"Bearer {api_key}"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def start(
        self,
        workflow_type: str,
        context: Mapping[str, Json],
        *,
        key: str | None = None,
        delay: float | str | None = None,
        not_before: str | None = None,
        priority: str | None = None,
    ) -> str:
        """Start a workflow; gives back its id. `key` is the start key: the same one never starts a second.

        `delay` (seconds, or such as `15m`) and `not_before` (RFC 3339) put the beginning off. `priority` is high,
        normal or low; left out: as its definition says.
        """
        wish: dict[str, Json] = {"type": workflow_type, "context": dict(context)}
        beside = (("delay", delay), ("notBefore", not_before), ("priority", priority))
        wish |= {name: value for name, value in beside if value is not None}
        return str(self._post("/api/workflows", wish, key=key or str(uuid.uuid4()))["workflowId"])

    def get(self, workflow_id: str) -> Workflow:
        """The workflow as it stands."""
        return workflow_of(self._get(_path(workflow_id)))

    def wait(self, workflow_id: str, *, timeout: float | None = None) -> Workflow:
        """The workflow once it is over, however it ended. Raises TimeoutError after `timeout` seconds (None: never)."""
        give_up_at = None if timeout is None else time.monotonic() + timeout
        pause = _POLL_FIRST
        while not (workflow := self.get(workflow_id)).is_over:
            left = pause if give_up_at is None else give_up_at - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"workflow {workflow_id} is still {workflow.status} after {timeout:g} s")
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _POLL_MOST)
        return workflow

    def events(self, workflow_id: str) -> Iterator[Event]:
        """The audit log, oldest first, page by page."""
        cursor: str | None = None
        while True:
            page = self._get(f"{_path(workflow_id)}/events", {} if cursor is None else {"cursor": cursor})
            yield from (event_of(told) for told in page["events"])
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def why(self, workflow_id: str) -> Why:
        """Why it is not moving."""
        return why_of(self._get(f"{_path(workflow_id)}/why"))

    def cancel(self, workflow_id: str, *, compensate: bool = True) -> WorkflowStatus:
        """Start nothing more, undo what took effect (unless `compensate` is false), end as cancelled."""
        return self._order(workflow_id, "cancel", {} if compensate else {"compensate": "false"})

    def pause(self, workflow_id: str) -> WorkflowStatus:
        """Start nothing new; what runs ends."""
        return self._order(workflow_id, "pause")

    def resume(self, workflow_id: str) -> WorkflowStatus:
        """Go on where the pause stopped it."""
        return self._order(workflow_id, "resume")

    def retry(self, workflow_id: str) -> WorkflowStatus:
        """Run the failed steps again, keep the rest."""
        return self._order(workflow_id, "retry")

    def rerun(
        self,
        workflow_id: str,
        *,
        start_from: str | None = None,
        context: Mapping[str, Json] | None = None,
        key: str | None = None,
    ) -> str:
        """Start a fresh copy (from a step on, with another context, where those are given); gives back its id."""
        query = {} if start_from is None else {"from": start_from}
        body = None if context is None else {"context": dict(context)}
        told = self._post(f"{_path(workflow_id)}/rerun", body, query, key=key or str(uuid.uuid4()))
        return str(told["workflowId"])

    def _order(self, workflow_id: str, verb: str, query: Mapping[str, str] | None = None) -> WorkflowStatus:
        return WorkflowStatus(self._post(f"{_path(workflow_id)}/{verb}", None, query)["status"])

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        return self._asked("GET", path, query)

    def _post(self, path: str, body: Json, query: Mapping[str, str] | None = None, *, key: str | None = None) -> Json:
        return self._asked("POST", path, query, body, {} if key is None else {"Idempotency-Key": key})

    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        for tried in range(1, self._tries + 1):
            try:
                answer = self._session.request(
                    method, self._url + path, params=query, json=body, headers=headers, timeout=self._timeout
                )
            except requests.RequestException as error:
                if tried == self._tries:
                    raise NotNow(f"{self._url} cannot be reached: {type(error).__name__}") from error
                time.sleep(_pause(tried))
                continue
            told = _json(answer)
            if answer.ok and isinstance(told, dict):
                return told
            if answer.status_code not in _AGAIN or tried == self._tries:
                raise refusal_of(answer.status_code, told)
            time.sleep(_pause(tried, answer.headers.get("Retry-After", "")))
        raise ValueError("tries must be 1 or more")


def _path(workflow_id: str) -> str:
    return f"/api/workflows/{quote(workflow_id, safe='')}"


def _json(answer: requests.Response) -> Json:
    try:
        return answer.json()
    except ValueError:
        return None


def _pause(tried: int, asked: str = "") -> float:
    """Seconds: what was asked for, else longer each time; never all clients at the same moment."""
    wanted = float(asked) if asked.isascii() and asked.isdigit() else 0.25 * 2**tried
    return min(wanted, _LONGEST_PAUSE) * random.uniform(1.0, 1.2)  # noqa: S311 - spreading, not a secret
