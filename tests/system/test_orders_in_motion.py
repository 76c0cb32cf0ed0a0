"""Orders at random moments for workflows in motion, on real workers: whatever comes of them, the books are right."""

import random
import threading
import time

from orchestrator.errors import Conflict
from orchestrator.jsontype import Json
from orchestrator.ledger.orders import order
from orchestrator.moves.move import Control
from tests.system.installation import FINAL, Installation, definition, until
from tests.system.services import Reply, Services

HOW_MANY = 24
VERBS = ("pause", "resume", "cancel", "retry", "pause", "resume", "retry")


def flow(url: str) -> Json:
    """Two branches that both charge, and a step after them; every charge can be taken back."""

    def undone(name: str) -> Json:
        return {"targetUrl": f"{url}/undo-{name}", "retry": {"delay": 0.1, "jitter": "none"}}

    return {
        "a": {"next": ["b", "c"], "compensate": undone("a")},
        "b": {"next": ["d"], "compensate": undone("b")},
        "c": {"next": ["d"], "compensate": undone("c")},
        "d": {"compensate": undone("d")},
    }


def moody(service: str, before: int, body: Json) -> Reply:
    """Slow enough to be met in flight; now and then busy, and sometimes it refuses."""
    dice = random.random()
    if service.startswith("undo-"):
        return Reply(status=503 if before == 0 and dice < 0.2 else 200, delay=0.02)
    return Reply(status=402 if dice < 0.05 else 503 if dice < 0.2 else 200, delay=0.03 + dice / 10)


class Person(threading.Thread):
    """Orders anything, for any of the workflows, until it is told to stop."""

    def __init__(self, orchestrator: Installation, workflows: list[str], seed: int) -> None:
        super().__init__(daemon=True)
        self._orchestrator, self._workflows, self._dice = orchestrator, workflows, random.Random(seed)
        self.stopped = threading.Event()
        self.given, self.refused = 0, 0
        self.wrong: list[BaseException] = []

    def run(self) -> None:
        """One order after the other, at random moments."""
        while not self.stopped.wait(self._dice.uniform(0.0, 0.03)):
            try:
                self._order()
            except Conflict:
                self.refused += 1
            except BaseException as error:
                self.wrong.append(error)
                raise

    def _order(self) -> None:
        control = Control(self._dice.choice(self._workflows), self._dice.choice(VERBS), self.name)
        self._orchestrator.publish(order(self._orchestrator.ledger, control).publication)
        self.given += 1


def test_orders_at_any_moment_leave_books_and_ledger_in_agreement(
    orchestrator: Installation, services: Services
) -> None:
    """Four people at once order anything; then all is resumed, and every workflow has ended as its books say."""
    services.behaviour = moody
    what = definition(services.url, flow(services.url))
    workflows = [orchestrator.start(what) for _ in range(HOW_MANY)]
    people = [Person(orchestrator, workflows, seed) for seed in range(4)]
    for person in people:
        person.start()
    time.sleep(3)  # how long they order, not something that is waited for
    for person in people:
        person.stopped.set()
        person.join(30)
    assert [person.wrong for person in people] == [[]] * 4
    assert sum(person.given for person in people) > HOW_MANY
    assert sum(person.refused for person in people) > 0
    for workflow in workflows:
        until(lambda workflow=workflow: settled(orchestrator, workflow), 60, f"workflow {workflow} to end")  # type: ignore[misc]
        check(orchestrator, services, workflow)


def settled(orchestrator: Installation, workflow: str) -> bool:
    """Whether it has ended; one that was left paused is resumed."""
    status = orchestrator.row(workflow)["status"]
    if status == "paused":
        orchestrator.control(workflow, "resume")
    return status in FINAL


def check(orchestrator: Installation, services: Services, workflow: str) -> None:
    """What each service did for the workflow, by its own books, against how the workflow ended."""
    row, steps = orchestrator.row(workflow), orchestrator.steps(workflow)
    calls = [call for call in services.books if call.headers["x-workflow-id"] == workflow]
    for name in "abcd":
        charged = any(call.status == 200 for call in calls if call.service == name)
        undone = any(call.status == 200 for call in calls if call.service == f"undo-{name}")
        told = f"{name} of {workflow}, which is {row['status']}:\n{orchestrator.standing(workflow)}"
        assert charged or not undone, f"undone what was not done: {told}"
        assert undone is (charged and row["status"] != "completed"), f"charged {charged}, undone {undone}: {told}"
        assert len({call.key for call in calls if call.service == name and call.status == 200}) <= 1, told
        if row["status"] == "completed":
            assert steps[name]["status"] == "completed", told
    if row["status"] != "completed":
        assert row["compensation"] in ("none", "completed")
    started = [call.at for call in calls if call.service == "d"]
    ended = [call.ended for call in calls if call.service in "bc" and call.status == 200]
    assert not started or (len(ended) >= 2 and min(started) >= max(ended) - 0.001), "d came before b and c had ended"
