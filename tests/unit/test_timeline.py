"""The timeline shows a person what ran when, what was tried again, what was undone, and how it ended."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from orchestrator.demo.spans import Span, picture
from orchestrator.demo.timeline import timeline
from orchestrator.jsontype import Json

BIRTH = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(seconds: float | None) -> str | None:
    """A moment of the workflow as the API writes it."""
    if seconds is None:
        return None
    return (BIRTH + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def step(name: str, start: float | None = None, end: float | None = None, **more: Json) -> Json:
    """A step of a view: completed where it has an end, running where it has only a start."""
    status = "completed" if end is not None else "running" if start is not None else "pending"
    ran = {"attempts": int(start is not None), "startedAt": at(start), "completedAt": at(end)}
    return {"name": name, "status": status, "result": None, "error": None, "compensation": None, **ran, **more}


def view(*steps: Json, seconds: float | None = 2.0, **more: Json) -> Json:
    """A workflow that took so many seconds."""
    return {
        "workflowId": "w-1",
        "type": "subscription",
        "status": "completed" if seconds is not None else "running",
        "compensation": "none",
        "steps": list(steps),
        "error": None,
        "createdAt": at(0),
        "completedAt": at(seconds),
        "durationMs": None if seconds is None else round(seconds * 1000),
        **more,
    }


def event(seconds: float, kind: str, name: str) -> Json:
    """A line of the audit log."""
    return {"at": at(seconds), "type": f"step.{kind}", "step": name, "details": {}}


def printed(shown: Json, events: list[Json] | None = None, width: int = 80, encoding: str = "utf-8") -> list[str]:
    """The lines as a pipe gets them."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    Console(file=file, width=width).print(timeline(shown, events or []))
    file.flush()
    lines = raw.getvalue().decode(encoding).splitlines()
    file.close()
    return lines


def line_of(name: str, lines: list[str]) -> str:
    """The line of a step."""
    return next(line for line in lines if line[2:].startswith(name + " "))


DIAMOND = view(
    step("validate", 0.0, 0.2), step("charge", 0.2, 1.0), step("provision", 0.2, 1.6), step("welcome", 1.6, 2.0)
)


def test_bars_stand_where_their_time_is() -> None:
    """Branches that overlap in time stand below each other, the join begins where the longer one ends."""
    lines = printed(DIAMOND)
    validate, charge, provision, welcome = (line_of(step["name"], lines) for step in DIAMOND["steps"])
    assert charge.index("█") == provision.index("█") == validate.rindex("█")
    assert welcome.index("█") == provision.rindex("█")
    assert charge.count("█") < provision.count("█")
    assert all(line.startswith("✓ ") for line in (validate, charge, provision, welcome))


def test_durations_and_the_end_can_be_read() -> None:
    """Each line says how long, the last one how it ended; the first one what it is."""
    lines = printed(DIAMOND)
    assert lines[0] == "subscription  w-1"
    assert "0.80 s" in line_of("charge", lines)
    assert lines[-1] == "✓ completed in 2.00 s"
    assert lines[1].split() == ["0", "0.5", "s", "1", "s", "1.5", "s"]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 300])
def test_no_line_is_wider_than_the_console(width: int) -> None:
    """Long names, long errors and deep time stay in their lines."""
    failed = step("s" * 60, 0.1, 1.9, status="failed", attempts=1000, error={"kind": "http", "message": "no " * 200})
    wide = step("漢字" * 20, 0.0, 2.0)
    lines = printed(view(failed, wide, status="failed", error={"step": "s" * 90}), width=width)
    assert max(Console().render_str(line).cell_len for line in lines) <= width
    assert len(lines) <= 9


def test_retries_are_visible_without_events() -> None:
    """The number of attempts stands at the end of the line."""
    assert line_of("provision", printed(view(step("provision", 0, 2, attempts=3)))).endswith("2.00 s ×3")


def test_attempts_and_waits_are_drawn_from_events() -> None:
    """Two failures, the waits after them and the success are told apart, and a legend says which is which."""
    events = [
        event(0.0, "started", "provision"),
        event(0.4, "retrying", "provision"),
        event(0.8, "started", "provision"),
        event(1.0, "lost", "provision"),
        event(1.4, "started", "provision"),
        event(2.0, "completed", "provision"),
    ]
    shown = view(step("provision", 0, 2, attempts=3))
    spans = picture(shown, events).rows[0].spans
    assert spans == (
        Span(0.0, 0.4, "failed"),
        Span(0.4, 0.8, "waiting"),
        Span(0.8, 1.0, "failed"),
        Span(1.0, 1.4, "waiting"),
        Span(1.4, 2.0, "work"),
    )
    lines = printed(shown, events)
    bar = line_of("provision", lines)
    assert bar.index("▒") < bar.index("·") < bar.rindex("▒") < bar.rindex("·") < bar.index("█")
    assert any("▒ failed attempt" in line and "· waiting" in line for line in lines)


def test_a_failure_and_its_undoing_are_told() -> None:
    """The failed step with its error, the undone ones below in the order of their undoing, and the sum of it."""
    undone_later = {"status": "completed", "attempts": 1, "error": None, "startedAt": at(1.7), "completedAt": at(1.9)}
    undone_first = {**undone_later, "startedAt": at(1.5), "completedAt": at(1.6)}
    lines = printed(
        view(
            step("payment", 0.0, 0.5, compensation=undone_later),
            step("stock", 0.0, 0.5, compensation=undone_first),
            step("shipment", 0.5, 1.4, status="failed", error={"kind": "http", "message": "no truck", "status": 503}),
            step("confirmation"),
            status="failed",
            compensation="completed",
            error={"step": "shipment", "message": "no truck"},
        )
    )
    assert line_of("shipment", lines).startswith("✗")
    assert lines[lines.index(line_of("shipment", lines)) + 1].strip() == "503: no truck"
    assert lines.index(line_of("undo stock", lines)) < lines.index(line_of("undo payment", lines))
    assert line_of("undo payment", lines).startswith("↺")
    assert line_of("confirmation", lines).endswith("pending")
    assert lines[-1] == "✗ failed in 2.00 s  at shipment  (what took effect is undone)"


def test_an_undo_that_failed_calls_for_a_person() -> None:
    """It is the one thing that nobody may overlook."""
    undo = {"status": "failed", "attempts": 9, "error": {"message": "closed"}, "startedAt": at(1), "completedAt": at(2)}
    lines = printed(view(step("payment", 0, 1, compensation=undo), status="failed", compensation="failed"))
    assert line_of("undo payment", lines).startswith("✗")
    assert lines[-1].endswith("(an undo failed: a person must look)")


def test_what_still_runs_is_drawn_up_to_now() -> None:
    """A running step's bar reaches the end of the axis, and its state stands where a duration would."""
    lines = printed(view(step("charge", 0.0, 1.0), step("ship", 1.0), step("mail"), seconds=None))
    assert line_of("ship", lines).endswith("running")
    assert lines[-1] == "▶ running"
    later = picture(view(step("ship", 1.0), seconds=None), now=BIRTH + timedelta(seconds=5))
    assert later.rows[0].spans == (Span(1.0, 5.0, "work"),)
    assert later.seconds == 5


def test_a_skipped_step_has_no_bar() -> None:
    """A branch that was not taken."""
    line = line_of("extra", printed(view(step("extra", status="skipped"))))
    assert line.startswith("–")
    assert line.split() == ["–", "extra", "skipped"]


def test_a_workflow_that_has_not_begun_can_be_shown() -> None:
    """Nothing has a time yet."""
    lines = printed(view(step("a"), seconds=None))
    assert line_of("a", lines).endswith("pending")
    assert printed(view(seconds=0.0))[-1] == "✓ completed in 0 ms"


def test_where_only_ascii_goes_ascii_is_written() -> None:
    """A log file or an old terminal gets no question marks."""
    lines = printed(view(step("charge", 0, 2, attempts=2)), encoding="ascii")
    assert line_of("charge", lines).startswith("v ")
    assert "####" in line_of("charge", lines)
    assert line_of("charge", lines).endswith("x2")
    foreign = step("zahlung-für-ё" * 9, 0, 2, status="failed", error={"message": "geht nicht: ü " * 50})
    assert any("geht nicht: ?" in line for line in printed(view(foreign, status="failed"), encoding="ascii"))


def test_a_terminal_gets_colour_and_a_pipe_none() -> None:
    """Escape sequences belong to terminals."""
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="standard").print(timeline(DIAMOND))
    assert "\x1b[32m" in file.getvalue()
    assert "\x1b" not in "".join(printed(DIAMOND))


def test_a_services_words_cannot_write_on_the_terminal() -> None:
    """Escape sequences and line breaks in an error are no commands."""
    error = {"kind": "http", "message": "\x1b[2J\nfake line\r\x07[red]x[/red]"}
    lines = printed(view(step("a", 0, 2, status="failed", error=error)))
    assert not any("\x1b" in line or "\x07" in line for line in lines)
    assert any("fake line" in line and "[red]x[/red]" in line for line in lines)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.004, "4 ms"), (0.25, "0.25 s"), (12.34, "12.3 s"), (59.99, "1m 00s"), (3700, "1h 01m"), (200_000, "2d 07h")],
)
def test_durations_have_the_precision_of_their_size(seconds: float, said: str) -> None:
    """From milliseconds to days."""
    lines = printed(view(step("a", 0, seconds), seconds=seconds))
    assert line_of("a", lines).endswith(said)
    assert lines[-1].endswith(f"in {said}")
