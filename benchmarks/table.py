"""The report: a table in Markdown, one row a figure, one column a peer."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.figures import Figure, Measured, Spread, ratio

YARDSTICK = "bare"


def cell(figure: Figure, rounds: Sequence[Measured], yardstick: Sequence[Measured]) -> str:
    """`3.5 ms (3.2–3.9) 1.2 ×`: median, lowest and highest round, ratio of the medians. A dash: nothing is known."""
    values = [measured[figure.name] for measured in rounds if figure.name in measured]
    if not values:
        return "–"
    spread = Spread.of(values)
    text = f"**{spread.middle:.{figure.digits}f}** {figure.unit}".rstrip()
    if len(values) > 1:
        text += f" ({spread.low:.{figure.digits}f}–{spread.high:.{figure.digits}f})"
    base = [measured[figure.name] for measured in yardstick if figure.compared and figure.name in measured]
    found = ratio(spread.middle, Spread.of(base).middle) if base else None
    return text if found is None else f"{text} {found:.2f} ×"


def table(
    title: str, figures: Sequence[Figure], peers: Mapping[str, str], results: Mapping[str, Sequence[Measured]]
) -> Iterator[str]:
    """The lines of one workload's table. `peers` are names and titles, `results` what each round of each gave."""
    yield f"### {title}"
    yield ""
    yield f"| | {' | '.join(peers.values())} | to reach |"
    yield f"|---|{'---|' * len(peers)}---|"
    for figure in figures:
        cells = [cell(figure, results.get(name, ()), results.get(YARDSTICK, ())) for name in peers]
        yield f"| {figure.title} | {' | '.join(cells)} | {figure.target} |"
    yield ""
