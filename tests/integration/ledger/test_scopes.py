"""What an attempt reads of other steps: the same things at every attempt, for they go out under the same key."""

from orchestrator.ledger.clerk import make_together
from orchestrator.ledger.materials import Materials
from orchestrator.ledger.tables import steps
from orchestrator.moves.move import Claim, Look, Settle
from orchestrator.outcome import Failed, StepError
from orchestrator.states import Effect
from tests.integration.ledger.play import Play

TIMED_OUT = Failed(StepError("timeout", "http://s did not answer in time"), Effect.UNKNOWN, retryable=True)


def test_attempts_of_a_step_that_goes_on_are_not_seen(play: Play) -> None:
    """`join: any` began while the other branch was still trying: a body that counts its attempts changed with them."""
    after = {"waitFor": ["quick", "slow"], "join": "any", "payload": {"all": "${steps}"}}
    workflow = play.start({"quick": {}, "slow": {}, "after": after})
    play.step(workflow, "quick")
    play.step(workflow, "slow", TIMED_OUT)
    seen = []
    for attempt in (1, 2):
        [made] = make_together(play.ledger, [Claim(workflow, "after", "worker-1")])
        assert isinstance(made.reply, Materials)
        seen.append(made.reply.steps)
        make_together(play.ledger, [Settle(workflow, "after", attempt, TIMED_OUT, 0.0)])
        play.pass_time(60)
        play.ledger.make([Look(workflow, name) for name in ("slow", "after")])
        play.step(workflow, "slow", TIMED_OUT)
    assert [row["attempts"] for row in play.rows(steps, workflow) if row["name"] == "slow"] == [3]
    assert seen[0] == seen[1]
