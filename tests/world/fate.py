"""Who decides what happens next: a world in which nothing goes wrong but the services, or one in which anything may."""

import random
from collections.abc import Callable
from functools import partial

from orchestrator.definition import Definition
from orchestrator.states import StepStatus, Waiting, WorkflowStatus
from orchestrator.testkit.broker import Message
from orchestrator.testkit.rows import Rows
from orchestrator.workflow import UNDO
from tests.world.audit import audit
from tests.world.books import Behaviour
from tests.world.drawing import any_definition
from tests.world.invariants import Broken, check, prompt
from tests.world.world import SHARED, Promise, World

PATIENCE = 3000
"""Things that may happen before a workflow that does not end is said to go on for ever."""

_BAD: list[Behaviour] = [behaviour for behaviour in Behaviour if behaviour is not Behaviour.OK]
_MURKY = [Behaviour.TIMEOUT_AFTER, Behaviour.TIMEOUT_BEFORE, Behaviour.DROPPED_AFTER, Behaviour.GATEWAY_AFTER]


Fate = Callable[["World", random.Random], None]


def live(dice: random.Random, fate: Fate, rows: Callable[[Definition], Rows] = Rows, *, strict: bool = True) -> World:
    """A drawn world meets its fate, and the auditor comes; where anything is wrong, the whole story is told with it."""
    world = any_world(dice, rows)
    world.strict = strict
    try:
        fate(world, dice)
        audit(world.definition, world.rows.head, world.books)
    except Exception as error:
        error.add_note("\n".join(["", *map(str, world.definition.steps.values()), *world.story]))
        raise
    return world


def any_world(dice: random.Random, rows: Callable[[Definition], Rows] = Rows) -> World:
    """Any definition, any weather, some conditions that do not hold, some services that honour no keys."""
    definition = any_definition(dice)
    names = list(definition.steps)
    good, good_undo = dice.choice([0.5, 0.8, 0.95]), dice.choice([0.4, 0.7, 1.0])
    bad: list[Behaviour] = dice.choice([_BAD, _MURKY])
    not_taken = dice.choice([0.0, 0.15, 0.4])

    def weather(row: str) -> Behaviour:
        fine = dice.random() < (good_undo if row.endswith(UNDO) else good)
        return Behaviour.OK if fine else dice.choice(bad)

    return World(
        definition,
        weather,
        not_taken=frozenset(name for name in names if dice.random() < not_taken),
        # Only a service that honours no key and says so: any other is its definition's fault.
        careless=frozenset(name for name in names if not definition.steps[name].call.idempotent),
        rows=rows,
    )


def undisturbed(world: World, dice: random.Random) -> None:
    """Messages come at once and in order, calls take their time, only the services fail: everything starts promptly."""
    world.start()
    for _ in range(PATIENCE):
        if world.broker.bag:
            world.deliver(world.broker.bag[0], lasting=dice.uniform(0.1, 9.0))
            continue
        if (promise := _kept_at_once(world, dice)) is not None:
            world.now += dice.uniform(0.01, 0.5)
            world.answer(promise)
            continue
        settles_at = min((flight.ends_at for flight in world.flights), default=None)
        wakes_at = world.next_due()
        if settles_at is None and wakes_at is None:
            break
        if wakes_at is None or (settles_at is not None and settles_at <= wakes_at):
            flight = min(world.flights, key=lambda flight: flight.ends_at)
            world.now = flight.ends_at
            world.proceed(flight, room=dice.choice([0, 1, 2, 16]), lasting=lambda: dice.uniform(0.1, 9.0))
            continue
        world.now = max(world.now, wakes_at)
        for name in world.due():
            waits = name is None or world.rows.steps[name].status is StepStatus.WAITING
            check(waits, f"(3) {name} was ready, and its message never came")
        world.look(world.due())
    check(world.rows.head.final, f"(1) a world without faults ends, but this workflow is {world.rows.head.status}")
    if world.strict:
        prompt(world.invariants)


def _kept_at_once(world: World, dice: random.Random) -> Promise | None:
    """An answer that somebody gives before anything else happens; some wait, some never answer."""
    parked = [
        promise
        for promise in world.promises
        if world.rows.steps[promise.step].status is StepStatus.WAITING and not _due_soon(world)
    ]
    return dice.choice(parked) if parked and dice.random() < 0.3 else None


def _due_soon(world: World) -> bool:
    """Whether anything would be passed over if half a second went by."""
    times = [flight.ends_at for flight in world.flights] + [world.next_due()]
    return any(time is not None and time <= world.now + 0.5 for time in times)


def disturbed(world: World, dice: random.Random) -> None:
    """Anything may happen, for a while; then nothing bad does any more, and the workflow must end. Perhaps it is
    retried then, and all begins anew."""
    world.start()
    scarce = dice.choice([0.0, 0.0, 0.2])
    world.rows.limited = lambda _: scarce > 0
    world.held_back = lambda _: dice.choice([0.0, SHARED, 300.0]) if dice.random() < scarce else None
    for _ in range(dice.choice([1, 1, 2, 3])):
        for _ in range(dice.randint(0, dice.choice([20, 80]))):
            _something(world, dice)
        calm(world)
        if world.rows.head.status is WorkflowStatus.COMPLETED or dice.random() < 0.4:
            return
        if world.order("retry") is not None:
            return
    calm(world)


def calm(world: World) -> None:
    """No more faults: what is on its way arrives, what is in flight ends, the reconciler looks at what is due."""
    for _ in range(PATIENCE):
        if world.broker.bag:
            world.deliver(world.broker.bag[0])
        elif world.flights:
            world.settle(world.flights[0])
        elif world.due():
            world.look(world.due())
        elif world.promises:
            world.answer(world.promises[0])
        elif world.rows.head.status is WorkflowStatus.PAUSED:
            check(world.order("resume") is None, "a paused workflow can be resumed")
        elif (wakes_at := world.next_due()) is not None:
            world.now = max(world.now, wakes_at)
        else:
            check(world.rows.head.final, f"(1) the workflow is {world.rows.head.status}, and nothing will ever move it")
            return
    raise Broken("(1) the workflow goes on for ever")


def _something(world: World, dice: random.Random) -> None:
    """One thing of all that can happen now, the likely ones more often."""
    possible: list[tuple[int, Callable[[], object]]] = [(2, lambda: _time_passes(world, dice)), (1, world.flush)]
    if world.broker.bag:
        message = dice.choice(world.broker.bag)
        possible += [
            (30, lambda: world.deliver(message)),
            (5, lambda: world.deliver(message, keep=True)),
            (2, lambda: world.broker.bag.remove(message)),
            (2, lambda: _crash_at_once(world, dice, message)),
        ]
    if world.flights:
        flight = dice.choice(world.flights)
        possible += [
            (30, lambda: world.settle(flight)),
            (15, lambda: world.proceed(flight, room=dice.choice([1, 2, 16]), again=dice.random() < 0.2)),
            (2, lambda: world.settle(flight, again=True)),
            (2, lambda: world.settle(flight, publish=False)),
            (2, lambda: world.crash(flight, again=dice.random() < 0.5, noticed=dice.random() < 0.7)),
            (2, lambda: world.bury(flight)),
        ]
    if world.promises:
        promise = dice.choice(world.promises)
        possible += [
            (10, lambda: world.answer(promise)),
            (3, lambda: world.answer(promise, keep=True)),
            (1, lambda: world.promises.remove(promise) if promise.source is not Waiting.CHILD else None),
            (1, lambda: world.beat(promise)),
        ]
    forged = Message(dice.choice([*world.definition.steps, *world.rows.steps, "nobody"]))
    possible.append((1, lambda: world.deliver(forged, keep=True)))
    if due := world.due():
        chosen = due if dice.random() < 0.5 else [dice.choice(due)]
        possible += [(15, lambda: world.look(chosen)), (3, lambda: world.look(chosen, publish=False))]
    else:
        possible.append((1, lambda: world.look([dice.choice([*world.rows.steps, None])])))
    orders = [(2, "pause"), (4, "resume"), (1, "cancel"), (1, "retry")]
    possible += [(weight, partial(_order, world, dice, verb)) for weight, verb in orders]
    [chosen_one] = dice.choices([action for _, action in possible], [weight for weight, _ in possible])
    if dice.random() < 0.5:
        world.now += 0.25
    chosen_one()


def _time_passes(world: World, dice: random.Random) -> None:
    wakes_at = world.next_due()
    world.now = max(world.now, wakes_at) if wakes_at is not None and dice.random() < 0.5 else world.now + 2.0


def _crash_at_once(world: World, dice: random.Random, message: Message) -> None:
    flight = world.deliver(message)
    if flight is not None:
        world.crash(flight, again=dice.random() < 0.5)


def _order(world: World, dice: random.Random, verb: str) -> None:
    world.order(verb, compensate=verb != "cancel" or dice.random() < 0.5)
