"""What the services' books must say when a workflow has ended, whatever its ledger believes.

An auditor sees the definition, the final status that the client was shown, and the books: charges, refunds, and which
requests the services never answered properly. Nothing else: no row, no counter, no event.
"""

from orchestrator.definition import Definition, Step, Tolerance
from orchestrator.states import Compensation, WorkflowStatus
from orchestrator.workflow import Head, step_of
from tests.world.books import Books
from tests.world.invariants import check


def audit(definition: Definition, head: Head, books: Books) -> None:
    """Check the books of a workflow that has ended."""
    check(head.final, f"the workflow is {head.status}, not ended")
    for step in definition.steps:
        for name in books.rows_of(step):
            _done_once(name, books)
            _undone_for_a_reason(name, books)
    if head.status is WorkflowStatus.COMPLETED:
        _one_provider_served(definition, books)
    elif head.compensate and head.compensation is not Compensation.FAILED:
        _nothing_is_left(definition, books)
    if definition.compensation == "parallel" and not any(step.end == "completed" for step in definition.steps.values()):
        # Whatever is under way when a step ends the workflow so may fail, and is undone by itself.
        _undone_backwards(definition, books)
    if not any(step.join for step in definition.steps.values()):
        _done_forwards(definition, books)


def _done_once(step: str, books: Books) -> None:
    charges = books.charges_of(step)
    if step_of(step) not in books.careless:
        check(len(charges) <= 1, f"{step} was done {len(charges)} times, though its service honours keys")
    check(len(books.refunds.get(step, [])) <= 1, f"{step} was undone {len(books.refunds.get(step, []))} times")


def _undone_for_a_reason(step: str, books: Books) -> None:
    if books.refunds.get(step):
        happened = books.charges_of(step) or step in books.unanswered
        check(bool(happened), f"{step} was undone, though its service always said that it did nothing")


def _one_provider_served(definition: Definition, books: Books) -> None:
    for name in definition.route.names:
        chain = [one for one in definition.with_fallbacks(name) if books.left_of(one)]
        undoable = [one for one in chain if definition.steps[one].compensate is not None]
        check(len(chain) <= 1 or chain[:-1] != undoable[: len(chain) - 1], f"{chain} were all done for one {name}")


def _nothing_is_left(definition: Definition, books: Books) -> None:
    for name, step in definition.steps.items():
        if step.compensate is not None:
            left = books.left_of(name)
            check(not left, f"{name} was done and is not undone, though nobody is told so")


def _undone_backwards(definition: Definition, books: Books) -> None:
    undone = [name for name in dict.fromkeys(map(step_of, books.undoing)) if not _may_fail(definition.steps[name])]
    for at, later in enumerate(undone):
        for earlier in undone[:at]:
            check(
                not definition.graph.precedes(earlier, later), f"{earlier} was undone before {later}, which came after"
            )


def _may_fail(step: Step) -> bool:
    """Whether it, or one of its items, may be undone although the workflow goes on."""
    tolerates = step.for_each is not None and step.for_each.tolerate != Tolerance()
    return step.fallback is not None or step.optional or tolerates


def _done_forwards(definition: Definition, books: Books) -> None:
    done = list(dict.fromkeys(step_of(charge.step) for charge in books.charges))
    for at, later in enumerate(done):
        for earlier in done[:at]:
            check(
                not definition.graph.precedes(later, earlier), f"{earlier} was done before {later}, which it waits for"
            )
