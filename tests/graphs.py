"""Graphs for tests: small ones that show one thing each, random ones, and real ones where a folder has them."""

import json
import os
from pathlib import Path

from hypothesis import strategies as st

from orchestrator.graph import Graph


def graph(text: str) -> Graph:
    """A graph as `a; b < a; c < a b`: each step, and after `<` the steps it waits for."""
    after = {}
    for line in text.split(";"):
        name, _, before = line.partition("<")
        after[name.strip()] = before.split()
    return Graph(after)


def chain(length: int) -> Graph:
    """One step after another."""
    return Graph({f"s{n}": [f"s{n - 1}"] if n else [] for n in range(length)})


def fan(width: int) -> Graph:
    """One step, many beside each other, one that joins them, and one after that."""
    middle = [f"s{n}" for n in range(width)]
    return Graph({"first": []} | {name: ["first"] for name in middle} | {"join": middle, "last": ["join"]})


SMALL = {
    "one step": graph("a"),
    "the chain of the first guide": graph("validate; reserve < validate; pay < reserve; ship < pay; notify < ship"),
    "the diamond of the second guide": graph(
        "validate; charge < validate; provision < validate; welcome < charge provision"
    ),
    "two starts, two ends": graph("a; b; c < a b; d < c; e < c"),
    "no edges": graph("a; b; c"),
    "N: no nesting expresses it": graph("a; b; c < a; d < a b"),
    "a shortcut": graph("a; b < a; c < a b"),
    "a group next to a group": graph("a; b; c < a b; d < a b"),
    "three groups in a row": graph("a; b; c < a b; d < a b; e < c d; f < c d; g < e f"),
    "a branch that ends in a group": graph("s; a < s; b < a; c < a; d < s; join < b c d"),
    "chords inside a header": graph("a; b < a; c < a; d < b c; e < a; f < e; g < e; h < f g; join < d h; end < join"),
    "a ladder": graph("a; b < a; c < a b; d < b c; e < c d; f < d e"),
    "two apart": graph("a; b < a; x; y < x; z < x"),
}


def real_graphs() -> dict[str, Graph]:
    """The graphs in the folder that `ORCHESTRATOR_TEST_DAGS` names, else in `shared/dags` beside the project, if any.

    Each file is JSON with `nodes` and `edges`, pairs of names.
    """
    beside = Path(__file__).parents[2] / "shared" / "dags"
    folder = Path(os.environ.get("ORCHESTRATOR_TEST_DAGS", beside))
    graphs = {}
    for file in sorted(folder.glob("*.json")):
        document = json.loads(file.read_text())
        after: dict[str, list[str]] = {name: [] for name in document["nodes"]}
        for earlier, later in document["edges"]:
            after[later].append(earlier)
        graphs[file.stem] = Graph(after)
    return graphs


@st.composite
def graphs(draw: st.DrawFn, most: int = 14) -> Graph:
    """Any DAG of a few steps, its names in any order."""
    size = draw(st.integers(0, most))
    names = [f"s{number}" for number in range(size)]
    after = {
        name: draw(st.sets(st.sampled_from(names[:at]), max_size=4)) if at else () for at, name in enumerate(names)
    }
    return Graph({name: after[name] for name in draw(st.permutations(names))})


@st.composite
def nested_graphs(draw: st.DrawFn, most: int = 24) -> Graph:
    """Any series-parallel graph: steps replaced by two in series or in parallel, again and again."""
    before: dict[str, set[str]] = {"s0": set()}
    for number in range(1, draw(st.integers(1, most))):
        split, added = draw(st.sampled_from(sorted(before))), f"s{number}"
        if draw(st.booleans()):
            before[added] = set(before[split])
            for name in [name for name in before if split in before[name]]:
                before[name].add(added)
        else:
            for name in [name for name in before if split in before[name]]:
                before[name].remove(split)
                before[name].add(added)
            before[added] = {split}
    return Graph(before)
