"""The moves of many threads in one transaction: none is too large for the database, none takes the others with it."""

from orchestrator.ledger.clerk import make_together
from orchestrator.ledger.tables import steps
from orchestrator.moves.move import Claim, Settle
from orchestrator.moves.settling import Settled
from orchestrator.states import StepStatus
from tests.integration.ledger.play import DONE, Play

WIDTH = 700
FAN_OUT = {"root": {"next": [f"leaf{i}" for i in range(WIDTH)]}, **{f"leaf{i}": {} for i in range(WIDTH)}}


def test_wide_workflows_settle_together(play: Play) -> None:
    """Their successors are more than PostgreSQL takes in one statement: the batch failed, again and again."""
    together = [play.start(FAN_OUT) for _ in range(12)]
    make_together(play.ledger, [Claim(each, "root", "worker-1") for each in together])
    made = make_together(play.ledger, [Settle(each, "root", 1, DONE, 0.5) for each in together])
    assert [one.reply for one in made] == [Settled.COMPLETED] * len(together)
    ready = [row for row in play.rows(steps) if row["status"] == StepStatus.PENDING and row["wake_at"] is not None]
    assert len(ready) == WIDTH * len(together)
