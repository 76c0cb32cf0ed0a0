"""Ops are told of what failed: once an event, later where nobody answers, and nothing that is nobody's business."""

import logging
import subprocess
import sys
import threading

import pytest

from orchestrator.ledger.notices import GIVE_UP_AFTER, LEASE
from orchestrator.ledger.tables import notices
from orchestrator.ledger.views.standing import standing
from orchestrator.messenger import Messenger
from orchestrator.telling import SINGLY, Teller
from tests.integration.ledger.play import DONE, REFUSED, Play
from tests.integration.ledger.receiver import Receiver
from tests.servers import free_port, until

PUBLIC = "https://flows.example"


def tell(play: Play, url: str, rounds: int = 1) -> None:
    """What a worker does every few seconds."""
    teller = Teller(play.ledger, 0, Messenger(url), PUBLIC)
    for _ in range(rounds):
        teller.round()


def test_a_failed_workflow_is_told_once(play: Play, receiver: Receiver) -> None:
    """However many rounds follow."""
    workflow = play.failed()
    tell(play, receiver.url(), rounds=3)
    [text] = receiver.texts()
    assert workflow in text
    [row] = play.rows(notices)
    assert (row["due_at"], row["error"], row["attempts"]) == (None, None, 1)
    assert row["told_at"] is not None


def test_the_text_says_who_what_why_and_what_to_do(play: Play, receiver: Receiver) -> None:
    """Id, type, step, error, compensation, the command and the page; no context and no result."""
    workflow = play.start({"charge": {"next": ["ship"]}, "ship": {}})
    play.step(workflow, "charge", DONE)
    play.step(workflow, "ship", REFUSED)
    tell(play, receiver.url())
    assert receiver.messages[0]["title"] == "order failed at ship"
    assert receiver.messages[0]["message"].splitlines() == [
        f"Workflow {workflow} (order) is failed.",
        "Step: ship",
        "Error: answered 402 Payment Required",
        "Compensation: none",
        "",
        f"Next: orchestrator why {workflow}; once its cause is mended, "
        f"orchestrator retry {workflow} goes on from there",
        f"{PUBLIC}/workflows/{workflow}",
    ]


def test_an_undoing_that_failed_asks_for_a_person(play: Play, receiver: Receiver) -> None:
    """And names what was not undone."""
    undo = {"targetUrl": "http://s/refund", "retries": 0}
    workflow = play.start({"charge": {"next": ["ship"], "compensate": undo}, "ship": {}})
    play.step(workflow, "charge")
    play.step(workflow, "ship", REFUSED)
    play.step(workflow, "charge:undo", REFUSED)
    tell(play, receiver.url())
    [text] = receiver.texts()
    assert "order could not be undone: a person must look" in text
    assert "Compensation: failed, not undone: charge" in text
    assert f"orchestrator retry {workflow} sends the undoing again" in text


def test_a_deadline_that_passes_is_told_and_so_is_the_end_that_follows(play: Play, receiver: Receiver) -> None:
    """Two events, two notices: the second says how the undoing went."""
    workflow = play.start(
        {"charge": {"compensate": {"targetUrl": "http://s/refund"}, "next": ["ship"]}, "ship": {}}, deadline="1h"
    )
    play.step(workflow, "charge")
    play.pass_time(3_700)
    play.look(workflow)
    tell(play, receiver.url())
    play.step(workflow, "charge:undo")
    tell(play, receiver.url())
    first, second = receiver.texts()
    assert first.startswith("order did not end within its deadline")
    assert "Compensation: under way" in first
    assert second.startswith("order failed")
    assert "Compensation: completed" in second


def test_nothing_is_told_of_what_went_well(play: Play, receiver: Receiver) -> None:
    """Completed, and cancelled by a person with all undone."""
    play.completed()
    play.order(play.start(), "cancel")
    tell(play, receiver.url())
    assert play.rows(notices) == []
    assert receiver.paths == []


def test_without_a_destination_nothing_is_written(ledger_url: str) -> None:
    """Nobody would ever send it."""
    play = Play(ledger_url, destinations=0)
    play.failed()
    assert play.rows(notices) == []
    play.close()


def test_each_destination_is_told_on_its_own(ledger_url: str, receiver: Receiver) -> None:
    """One that is dead does not keep the other from being told."""
    play = Play(ledger_url, destinations=2)
    play.failed()
    dead = Teller(play.ledger, 0, Messenger(f"http://127.0.0.1:{free_port()}/"), None)
    living = Teller(play.ledger, 1, Messenger(receiver.url()), None)
    dead.round()
    living.round()
    assert len(receiver.messages) == 1
    assert sorted((row["destination"], row["told_at"] is None) for row in play.rows(notices)) == [(0, True), (1, False)]
    play.close()


def test_a_retry_that_fails_again_is_told_again(play: Play, receiver: Receiver) -> None:
    """It is another event."""
    workflow = play.failed()
    play.order(workflow, "retry")
    play.step(workflow, "only", REFUSED)
    tell(play, receiver.url())
    assert len(receiver.messages) == 2


def test_whoever_was_down_is_told_later(play: Play) -> None:
    """The error is kept, the next try is not at once, and less and less often."""
    workflow = play.failed()
    port = free_port()
    tell(play, f"http://127.0.0.1:{port}/hook", rounds=3)
    [row] = play.rows(notices)
    assert row["attempts"] == 1, "it waits between two tries"
    assert "127.0.0.1" in row["error"]
    with Receiver(port) as receiver:
        receiver.status = 503
        play.pass_time(11)
        tell(play, receiver.url(), rounds=3)
        [row] = play.rows(notices)
        assert row["attempts"] == 2
        assert "503" in row["error"]
        receiver.status = 200
        play.pass_time(11)
        tell(play, receiver.url())
        assert receiver.messages == [], "the second delay is longer than the first"
        play.pass_time(31)
        tell(play, receiver.url())
        assert workflow in receiver.texts()[0]


def test_it_is_given_up_after_a_week_with_its_error_kept(play: Play) -> None:
    """Hours after hours; then the row stays as it is."""
    play.failed()
    url = f"http://127.0.0.1:{free_port()}/hook"
    tell(play, url)
    assert standing(play.ledger).untold == {"retrying": 1, "given_up": 0}
    play.pass_time(GIVE_UP_AFTER + 1)
    tell(play, url)
    assert standing(play.ledger).untold == {"retrying": 0, "given_up": 1}
    [row] = play.rows(notices)
    assert (row["due_at"], row["told_at"], row["attempts"]) == (None, None, 2)
    assert row["error"]


class Dying:
    """A worker that is killed after it sent and before it could say so."""

    name = "dying"

    def __init__(self, url: str) -> None:
        self._messenger = Messenger(url)

    def send(self, title: str, text: str) -> str | None:
        """The message is out."""
        assert self._messenger.send(title, text) is None
        raise InterruptedError("killed")


def test_a_crash_between_sending_and_saying_so_sends_it_again(play: Play, receiver: Receiver) -> None:
    """At least once; and not before the dead worker's lease is over."""
    workflow = play.failed()
    with pytest.raises(InterruptedError):
        Teller(play.ledger, 0, Dying(receiver.url()), None).round()
    tell(play, receiver.url())
    assert len(receiver.messages) == 1
    play.pass_time(LEASE + 1)
    tell(play, receiver.url(), rounds=2)
    assert [workflow in text for text in receiver.texts()] == [True, True]


def test_many_workers_tell_each_event_once(play: Play, receiver: Receiver) -> None:
    """Four processes take from the same rows at the same time while workflows go on failing."""
    failed: list[str] = []
    over = threading.Event()

    def worker() -> None:
        teller = Teller(play.another_ledger(), 0, Messenger(receiver.url()), None)
        while not over.is_set():
            teller.round()

    workers = [threading.Thread(target=worker) for _ in range(4)]
    for thread in workers:
        thread.start()
    try:
        failed.extend(play.failed() for _ in range(40))
        until(lambda: all(row["told_at"] for row in play.rows(notices)), "everything to be told", 60)
    finally:
        over.set()
        for thread in workers:
            thread.join()
    texts = receiver.texts()
    assert [sum(workflow in text for text in texts) for workflow in failed] == [1] * 40


def test_a_storm_is_one_message(play: Play, receiver: Receiver) -> None:
    """It counts what failed, tells the first in full and names the rest."""
    failed = [play.failed() for _ in range(30)]
    tell(play, receiver.url(), rounds=3)
    [text] = receiver.texts()
    assert text.startswith("30 workflows want attention\n30 × order failed at only")
    assert sum(f"Next: orchestrator why {workflow};" in text for workflow in failed) == 20
    assert [line.removeprefix("order failed at only: ") for line in text.splitlines()[-10:]] == failed[20:]
    assert SINGLY < 30


def test_a_receiver_that_never_answers_costs_a_bounded_time(play: Play, receiver: Receiver) -> None:
    """And is not sent another message while the first one hangs."""
    play.failed()
    go_on = threading.Event()
    receiver.wait = go_on.wait
    messenger = Messenger(receiver.url(), seconds=0.3)
    assert messenger.send("a", "b") == "no answer within 0.3 s"
    assert messenger.send("a", "b") == "an earlier message is still being sent"
    go_on.set()
    until(lambda: messenger.send("a", "b") is None, "the hanging message to end")


def test_a_webhook_keeps_its_query_and_its_name_is_safe_to_log(receiver: Receiver) -> None:
    """What is behind the question mark is the webhook's, not an option of Apprise's."""
    messenger = Messenger(receiver.url("/a/topsecret?token=topsecret&rto=x"))
    assert messenger.send("a", "b <i> & ${c}\nd") is None
    assert receiver.paths[0].rstrip("&") in (
        "/a/topsecret?token=topsecret&rto=x",
        "/a/topsecret/?token=topsecret&rto=x",
    )
    assert receiver.messages[0]["message"] == "b <i> & ${c}\nd"
    assert "topsecret" not in messenger.name


def test_a_url_that_nobody_knows_is_said_without_its_secrets(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and in the row."""
    play.failed()
    with caplog.at_level("DEBUG"):
        tell(play, "nonsense://topsecret@host/topsecret")
    [row] = play.rows(notices)
    assert "Apprise does not know such a URL" in row["error"]
    # pytest listens to Apprise's own logger too, which reaches nobody else.
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "apprise")
    assert not logging.getLogger("apprise").propagate
    assert "destination 1 of ORCHESTRATOR_NOTIFY (nonsense://***)" in ours
    assert "topsecret" not in ours + row["error"]


def test_a_reason_with_a_token_in_it_is_kept_without(receiver: Receiver) -> None:
    """Some services repeat what they were called with."""
    from orchestrator.messenger import _without_secrets

    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert _without_secrets("no TIiajkdnlazkcOXrIdevi7FQ at host", url) == "no *** at host"


TRICKLING = """
import socket, threading
from orchestrator.messenger import Messenger
server = socket.create_server(("127.0.0.1", 0))
def trickle():
    connection, _ = server.accept()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n")
    while True:
        threading.Event().wait(0.2)
        connection.sendall(b"x")
threading.Thread(target=trickle, daemon=True).start()
print(Messenger(f"http://127.0.0.1:{server.getsockname()[1]}/", seconds=3).send("a", "b"))
"""


def test_a_message_that_hangs_keeps_no_worker_from_ending() -> None:
    """Each byte comes in time, the answer never ends: no time-out of the libraries below would ever pass."""
    done = subprocess.run([sys.executable, "-c", TRICKLING], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "no answer within 3 s\n"
