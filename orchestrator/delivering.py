"""Webhooks are delivered: one round takes the messages that are due, sends them signed, and records what came of it."""

import json
import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.call import Caller, Request
from orchestrator.errors import ExpressionError, OrchestratorError
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.deliveries import (
    BATCH,
    LEASE,
    Letter,
    Tried,
    delivered,
    endpoint_of,
    is_gone,
    not_delivered,
    put_back,
    take_letters,
)
from orchestrator.outcome import NoAnswer
from orchestrator.request import Surroundings
from orchestrator.retrying import LONGEST_WAIT, parse_retry_after
from orchestrator.sealing import merged
from orchestrator.signing import secrets_in, signed

log = logging.getLogger("orchestrator")

IDLE = 1.0
"""Seconds between two looks."""

TIMEOUT = 15.0
"""Seconds for one delivery, in all."""

AT_ONCE = 8
"""Endpoints that one worker delivers to side by side."""

_PAUSE = 30.0
_LONGEST_ROUND = LEASE / 2


@dataclass(frozen=True, slots=True)
class Addressed:
    """A message with where it goes and what signs it."""

    letter: Letter
    url: str
    secrets: Sequence[str]


class Courier:
    """Delivers. Any number of processes may do so: a message is with one at a time.

    Delivered at least once: who dies between sending and recording it leaves it to the next, once the lease is over;
    the receiver knows it again by its `webhook-id`. `secrets` sign where the definition names none.
    """

    def __init__(
        self, ledger: Ledger, caller: Caller, around: Surroundings, secrets: Sequence[str], *, lease: float = LEASE
    ) -> None:
        self._ledger = ledger
        self._caller = caller
        self._around = around
        self._secrets = secrets
        self._lease = lease

    def round(self) -> float:
        """Deliver what is due; returns the seconds until the next round."""
        taken = take_letters(self._ledger, lease=self._lease)
        by_endpoint: dict[str, list[Addressed]] = defaultdict(list)
        for letter in taken:
            if (addressed := self._addressed(letter)) is not None:
                by_endpoint[addressed.url].append(addressed)
        self._side_by_side(list(by_endpoint.values()))
        return 0.0 if len(taken) == BATCH else IDLE

    def _side_by_side(self, groups: list[list[Addressed]]) -> None:
        """Not with a pool, whose threads would keep a worker from ending for as long as a receiver hangs."""

        def work() -> None:
            while (group := _popped(groups)) is not None:
                self._deliver_all(group)

        threads = [
            threading.Thread(target=work, name=f"webhook-{number}", daemon=True)
            for number in range(min(AT_ONCE, len(groups)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _addressed(self, letter: Letter) -> Addressed | None:
        """None where the address or the secret cannot be had: that is an attempt that failed, as others are."""
        try:
            return Addressed(letter, *self._address(letter))
        except (OrchestratorError, ValueError, KeyError) as error:
            reason = f"the secret {error} is not set" if isinstance(error, KeyError) else str(error)
            self._failed(letter, Tried(time.time(), None, reason, 0.0), None)
            return None

    def _address(self, letter: Letter) -> tuple[str, Sequence[str]]:
        if letter.place is None:
            return letter.url or "", self._secrets
        webhook = letter.definition.webhooks[letter.place]
        scope = {
            "context": merged(letter.context, self._around.sealer.open(letter.sealed)),
            "workflow": {"id": letter.workflow_id, "type": letter.definition.type, "createdAt": None},
            "vars": self._around.variables,
            "secret": self._around.secrets,
        }
        url = webhook.url.render({**scope, "workflow": {**scope["workflow"], "createdAt": letter.data["createdAt"]}})
        if not isinstance(url, str):
            raise ExpressionError("the webhook's url is not a text")
        own = None if webhook.secret is None else secrets_in(self._around.secrets[webhook.secret])
        return url, own or self._secrets

    def _deliver_all(self, group: Sequence[Addressed]) -> None:
        """To one endpoint, one after the other. Once it cannot be reached the others wait too, untried."""
        give_up_at = time.monotonic() + _LONGEST_ROUND
        for at, addressed in enumerate(group):
            try:
                reached = self._deliver(addressed)
            except Exception:
                # The lease ends, and it is tried again; the others of the round must have their turn.
                log.exception("delivery %s broke off", addressed.letter.id)
                reached = False
            if (not reached or time.monotonic() > give_up_at) and (rest := group[at + 1 :]):
                put_back(self._ledger, [one.letter for one in rest], 0.0 if reached else _PAUSE)
                return

    def _deliver(self, addressed: Addressed) -> bool:
        """Send it and record what came of it; false where the endpoint cannot be reached or is overloaded."""
        letter, endpoint = addressed.letter, endpoint_of(addressed.url)
        at, began = time.time(), time.monotonic()
        if is_gone(self._ledger, endpoint):
            self._failed(letter, Tried(at, 410, "the endpoint is gone: it answered 410 before", 0.0), endpoint)
            return True
        answer = self._caller.call(_request(addressed, at))
        took = time.monotonic() - began
        if isinstance(answer, NoAnswer):
            self._failed(letter, Tried(at, answer.status, answer.message, took), endpoint)
            return False
        if 200 <= answer.status < 300:
            delivered(self._ledger, letter, Tried(at, answer.status, None, took))
            return True
        wait = min(parse_retry_after(answer.headers.get("retry-after", ""), at) or 0.0, LONGEST_WAIT)
        self._failed(letter, Tried(at, answer.status, f"answered {answer.status}", took), endpoint, wait)
        return answer.status < 500 and answer.status != 429

    def _failed(self, letter: Letter, tried: Tried, endpoint: str | None, wait: float = 0.0) -> None:
        share = random.random()  # noqa: S311 - spreading, not a secret
        given_up = not_delivered(self._ledger, letter, tried, endpoint=endpoint, share=share, wait=wait)
        line = "delivery %s of %s for workflow %s failed (attempt %d): %s"
        log.log(
            logging.ERROR if given_up else logging.WARNING,
            line + ("; it is given up" if given_up else ""),
            *(letter.id, letter.event, letter.workflow_id, letter.attempts, tried.error),
        )


def _popped(groups: list[list[Addressed]]) -> list[Addressed] | None:
    """The next group; None where other threads have taken them all."""
    try:
        return groups.pop()
    except IndexError:
        return None


def body_of(letter: Letter) -> str:
    """What is sent, the same at every try: the output, and the state in which the workflow ended."""
    data: dict[str, Json] = dict(letter.data)
    if letter.event == "workflow.completed":
        data["output"] = letter.output
    message = {"type": letter.event, "timestamp": letter.data["completedAt"], "data": data}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _request(addressed: Addressed, at: float) -> Request:
    body = body_of(addressed.letter)
    headers = {
        "Content-Type": "application/json",
        **signed(addressed.letter.id, at, body, addressed.secrets),
        "X-Workflow-Id": addressed.letter.workflow_id,
    }
    return Request("POST", addressed.url, headers, body.encode(), TIMEOUT, follows=False)
