"""A run is made of its seed: definitions that can be read, the same load, fates and faults each time."""

from itertools import islice

from orchestrator.shape import Chord
from tests.chaos.calling_back import Word, word_of
from tests.chaos.drawing import CLOCKWORK, any_documents, read
from tests.chaos.faults import FAULTS, episodes
from tests.chaos.forms import CALLBACK
from tests.chaos.load import planned
from tests.chaos.person import mind_of
from tests.chaos.services import CLEAN, Fate, fate_of

SEEDS = range(30)


def test_any_seed_draws_definitions_that_can_be_read() -> None:
    """Of every shape, with everything that steps may have."""
    drawn = [definition for seed in SEEDS for definition in read(any_documents(seed)).values()]
    steps = [step for definition in drawn for step in definition.steps.values()]
    for has in ("join", "when", "optional", "fallback", "compensate"):
        assert any(getattr(step, has) for step in steps), f"no step has {has}"
    assert any(not step.call.idempotent for step in steps)
    for has in ("callback", "poll", "approval", "wait", "for_each", "child", "task"):
        assert any(getattr(step, has) for step in steps), f"no step has {has}"
    assert any(step.call.limit for step in steps)
    assert any(definition.webhooks for definition in drawn)
    assert [definition.type for definition in drawn if definition.schedule] == [CLOCKWORK] * len(SEEDS)
    fragments = [definition.plan.fragments for definition in drawn]
    assert any(len(parts) > 1 for parts in fragments), "some graphs are not of one piece"
    assert any(isinstance(part.shape, Chord) for parts in fragments for part in parts)


def test_the_same_seed_gives_the_same_run() -> None:
    """As far as anything is drawn."""
    assert any_documents(3) == any_documents(3) != any_documents(4)
    assert planned(3, ["a", "b"], seconds=60, rate=3) == planned(3, ["a", "b"], seconds=60, rate=3)
    first, again = (list(islice(episodes(3, ("sqlite",), (), 16), 40)) for _ in range(2))
    assert first == again
    assert fate_of("3", "17", "a", "keyed", False, 0) == fate_of("3", "17", "a", "keyed", False, 0)


def test_every_fault_that_can_happen_comes_once_before_any_comes_twice() -> None:
    """A long run leaves none out, a short one has any."""
    for place in ("sqlite", "postgresql"):
        possible = {name for name, fault in FAULTS.items() if fault.only in (None, place)}
        chosen = [episode.faults[0] for episode in islice(episodes(5, (place,), (), 16), len(possible))]
        assert set(chosen) == possible


def test_a_service_that_does_not_know_keys_is_only_called_again_after_a_clean_refusal() -> None:
    """Otherwise its books could not tell a needless second call from one that had to be."""
    fates = {fate_of(str(seed), str(n), "a", "careless", True, 0)[0] for seed in SEEDS for n in range(50)}
    assert fates <= set(CLEAN)
    others = {fate_of(str(seed), str(n), "a", "keyed", True, 0)[0] for seed in SEEDS for n in range(50)}
    assert others == set(Fate)


def test_a_service_that_took_an_order_does_not_refuse_it_later() -> None:
    """Nor does it say that it failed: for who honours keys all attempts are one order."""
    draws = [word_of(str(seed), str(n), "a", 1, ordered=True) for seed in SEEDS for n in range(50)]
    assert all(word.value.acts and "unsure" not in word.value.says for word, _ in draws)
    others = {word_of(str(seed), str(n), "a", 0, ordered=False)[0] for seed in SEEDS for n in range(50)}
    assert others == set(Word)
    assert all(delay < CALLBACK for _, delay in draws), "it acts while its caller waits for it"


def test_a_person_decides_in_every_way() -> None:
    """Also twice, and never."""
    assert len({mind_of(seed, n, "a") for seed in SEEDS for n in range(20)}) == 5
