"""Drawings: pictures, canvases as text, Mermaid; small plans whole, large ones shortened."""

import pytest
from hypothesis import given

from orchestrator.drawing import LEGEND, canvases, mermaid, picture
from orchestrator.graph import Graph
from orchestrator.lanes import lanes
from orchestrator.plan import plan
from tests.graphs import SMALL, chain, fan, graph, graphs

PICTURES = {
    "the chain of the first guide": """
        ●  validate
        ○  reserve
        ○  pay
        ○  ship
        ○  notify
    """,
    "the diamond of the second guide": """
        ●    validate
        ├─╮
        ○ │  charge
        │ ○  provision
        ├─╯
        ○    welcome
    """,
    "no edges": """
        ●  a
        ●  b
        ●  c
    """,
    "N: no nesting expresses it": """
        ●      a
        ├─╮
        │ │ ●  b
        ○ │ │  c
          ├─╯
          ●    d
    """,
    "a group next to a group": """
        ●      a
        ├─╮
        │ │ ●  b
        ├─┼─╯
        ● │    c
          ●    d
    """,
    "a branch that ends in a group": """
        ●      s
        ├─╮
        ○ │    a
        ├─│─╮
        │ ○ │  d
        ○ │ │  b
        │ │ ○  c
        ├─┴─╯
        ●      join
    """,
    "chords inside a header": """
        ●        a
        ├─┬─╮
        ○ │ │    b
        │ ○ │    c
        │ │ ○    e
        │ │ ├─╮
        ├─╯ │ │
        ○   │ │  d
        │   ○ │  f
        │   │ ○  g
        │   ├─╯
        │   ○    h
        ├───╯
        ○        join
        ○        end
    """,
}


def unindented(text: str) -> str:
    """A picture as it is drawn, without the indentation of this file."""
    return "\n".join(line.removeprefix(" " * 8) for line in text.strip("\n").splitlines()[:-1])


@pytest.mark.parametrize("name", PICTURES)
def test_small_graphs_are_drawn_as_a_person_would(name: str) -> None:
    """Branches side by side, joins in one line, crossed lanes whole."""
    assert picture(plan(SMALL[name])) == f"{unindented(PICTURES[name])}\n\n{LEGEND}"


@given(graphs())
def test_every_step_is_drawn_once_and_below_its_prerequisites(graph: Graph) -> None:
    """Any graph; between two rows no lane begins or ends in nothing."""
    rows = list(lanes(graph.reduced(), lambda name: "o"))
    drawn = [name for _, name in rows if name is not None]
    assert sorted(drawn) == sorted(graph.names)
    place = {name: at for at, name in enumerate(drawn)}
    assert all(place[before] < place[name] for name in drawn for before in graph.predecessors[name])
    for above, below in zip(["", *(lines for lines, _ in rows)], [*(lines for lines, _ in rows), ""], strict=True):
        for lane in range(0, max(len(above), len(below)), 2):
            leads_down = above[lane : lane + 1] not in "─ ╯╰┴" and above[lane : lane + 1] != "o"
            comes_from_above = below[lane : lane + 1] not in "─ ╮╭┬" and below[lane : lane + 1] != "o"
            assert not leads_down or below[lane : lane + 1] not in " ", (above, below)
            assert not comes_from_above or above[lane : lane + 1] not in " ", (above, below)


def test_a_graph_of_a_thousand_steps_is_a_table_of_its_layers() -> None:
    """Steps that only follow each other share a line."""
    assert picture(plan(fan(1_000)), columns=60).splitlines() == [
        "        layer   steps",
        "            1       1  first",
        "            2   1,000  s0, s1, s2, s3, s4, s5, s6, …, s999",
        "          3–4       2  join → last",
    ]
    assert picture(plan(chain(1_000)), columns=40).splitlines()[1:] == ["      1–1,000   1,000  s0 → … → s999"]


def test_a_picture_that_would_be_wider_than_the_screen_is_a_table_too() -> None:
    """Fifty lanes are no picture."""
    assert picture(plan(fan(50))).splitlines()[0].split() == ["layer", "steps"]


def test_canvases_are_shown_under_what_they_wait_for() -> None:
    """As nested text, on one line where that fits."""
    assert canvases(plan(SMALL["N: no nesting expresses it"])).splitlines() == [
        "at the start:",
        "    group(chain(a, c), b)",
        "after a, b:",
        "    d",
    ]
    assert canvases(plan(SMALL["the diamond of the second guide"]), columns=40).splitlines() == [
        "at the start:",
        "    chain(",
        "        validate,",
        "        chord([",
        "            charge,",
        "            provision,",
        "        ], welcome),",
        "    )",
    ]


def test_a_thousand_canvases_of_one_step_are_shown_as_one_line() -> None:
    """With their number."""
    assert canvases(plan(fan(1_000)), columns=60).splitlines()[:4] == [
        "at the start:",
        "    first",
        "after first:",
        "    s0, s1, s2, s3, …, s999  (1,000 steps, each by itself)",
    ]


def test_mermaid_tells_the_ledgers_arrows_from_the_canvases() -> None:
    """Solid: carried. Dotted: joined by the ledger."""
    assert mermaid(plan(SMALL["N: no nesting expresses it"])).splitlines() == [
        "flowchart LR",
        '    n0["a"]',
        '    n1["b"]',
        '    n2["c"]',
        '    n3["d"]',
        "    n0 --> n2",
        "    n0 -.-> n3",
        "    n1 -.-> n3",
    ]


def test_mermaid_reads_a_name_as_text() -> None:
    """Whatever is in it."""
    assert 'n0["say#34;#93;#35;1"]' in mermaid(plan(graph('say"]#1')))


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    """A plan without steps."""
    assert picture(plan(Graph({}))).strip() == LEGEND
    assert canvases(plan(Graph({}))) == ""
    assert mermaid(plan(Graph({}))) == "flowchart LR"
