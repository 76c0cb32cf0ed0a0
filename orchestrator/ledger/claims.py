"""A worker takes a step: the claim and everything its request is made of, in one transaction."""

from orchestrator.ledger.book import Ledger
from orchestrator.ledger.materials import Materials, materials_for
from orchestrator.moves.claiming import Claimed, Refusal
from orchestrator.moves.move import Claim


def claim_step(ledger: Ledger, workflow_id: str, step: str, worker: str) -> Materials | Refusal:
    """Take the step for one attempt, or say why it may not be taken."""
    with ledger.database.transaction() as connection:
        [made], workflows = ledger.make_in(connection, [Claim(workflow_id, step, worker)], context=True)
        if isinstance(made.reply, Claimed):
            return materials_for(connection, workflows[workflow_id], made.reply)
        return made.reply if made.reply is not None else Refusal.UNKNOWN
