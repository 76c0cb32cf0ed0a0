"""The command without servers: what it answers, on which stream, with which exit status."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from orchestrator.cli import orchestrator
from orchestrator.cli.checks.broker import check_memory, check_visibility
from orchestrator.cli.checks.workers import judge_workers
from orchestrator.cli.exits import CONFLICT, FAILED, NOT_FOUND, UNAVAILABLE, WRONG, status_of
from orchestrator.cli.filling import filling
from orchestrator.cli.following import Lines, follow
from orchestrator.cli.group import Sections
from orchestrator.cli.plain import plain
from orchestrator.cli.printing import brief, seconds
from orchestrator.cli.rendering import summary
from orchestrator.demo.stories import STORIES, Story
from orchestrator.errors import (
    Conflict,
    DefinitionError,
    Fault,
    NotFound,
    OrchestratorError,
    StartKeyReused,
    Unavailable,
)
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.engine import Database
from orchestrator.ledger.starting import Start, start
from orchestrator.reading import read_document, read_file

ROOT = Path(__file__).parents[2]
DOCUMENT = {"type": "greeting", "steps": {"hello": {"targetUrl": "http://127.0.0.1:9/hello"}}}
NOBODY = "00000000-0000-7000-8000-000000000000"


class Terminal:
    """A person at a terminal, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str | None] = {
            name: None for name in os.environ if name.startswith("ORCHESTRATOR_")
        }
        self.environment["ORCHESTRATOR_DATA"] = str(folder / "data")

    def types(self, *words: str, stdin: str = "") -> Result:
        """Run the command."""
        return CliRunner().invoke(orchestrator, words, env=self.environment, input=stdin)

    @property
    def ledger(self) -> Ledger:
        """The ledger that the command works on, its tables made."""
        assert self.types("migrate").exit_code == 0
        return Ledger(Database(f"sqlite:///{self.folder / 'data' / 'ledger.sqlite3'}"))


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A person in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def workflow(terminal: Terminal) -> Iterator[str]:
    """A workflow that was started, with no worker to go on with it."""
    ledger = terminal.ledger
    yield start(ledger, read_document(DOCUMENT), Start({"name": "Ada"})).workflow_id
    ledger.database.close()


def test_help_lists_every_command_under_a_heading_and_the_exit_statuses(terminal: Terminal) -> None:
    """`--help` is the map of the command."""
    shown = terminal.types("--help")
    assert shown.exit_code == 0
    assert isinstance(orchestrator, Sections)
    for name in orchestrator.commands:
        assert f"\n  {name} " in shown.stdout, name
    for heading in ("Run:", "Workflows:", "Definitions:", "Installation:", "Exit status:"):
        assert heading in shown.stdout


def test_help_imports_neither_database_nor_celery_nor_flask() -> None:
    """`orchestrator --help` answers at once."""
    program = (
        "import sys, click.testing; from orchestrator.cli import orchestrator; "
        "click.testing.CliRunner().invoke(orchestrator, ['--help']); "
        "print([name for name in ('sqlalchemy', 'celery', 'flask', 'rich', 'yaml') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DefinitionError([Fault("steps", "is missing")]), WRONG),
        (NotFound("no such workflow"), NOT_FOUND),
        (Conflict("it is completed"), CONFLICT),
        (StartKeyReused("used"), CONFLICT),
        (Unavailable("the database is away"), UNAVAILABLE),
        (OrchestratorError("something"), WRONG),
    ],
)
def test_an_error_is_a_message_on_standard_error_with_its_exit_status(error: OrchestratorError, status: int) -> None:
    """No error that the orchestrator raises on purpose shows a traceback."""

    @click.group(cls=Sections)
    def frame() -> None:
        """A frame like the command's."""

    @frame.command()
    def fails() -> None:
        raise error

    shown = CliRunner().invoke(frame, ["fails"])
    assert shown.exit_code == status == status_of(error)
    assert shown.stdout == ""
    assert shown.stderr == f"Error: {error}\n"


def test_every_fault_of_every_file_is_listed(terminal: Terminal) -> None:
    """`validate` goes on after the first faulty file, and exits with 2."""
    (terminal.folder / "a.yaml").write_text("type: a\nsteps:\n  one: {targetUrl: 'http://x', next: [tow]}\n  two: {}\n")
    (terminal.folder / "b.yaml").write_text("type: b\nsteps: {}\n")
    shown = terminal.types("validate", str(terminal.folder / "a.yaml"), str(terminal.folder / "b.yaml"))
    assert shown.exit_code == WRONG
    assert f"{terminal.folder / 'a.yaml'}:3: steps.one.next" in shown.stderr
    assert "a.yaml:4: steps.two" in shown.stderr
    assert "b.yaml:2: steps" in shown.stderr


def test_sound_definitions_are_said_to_be_so(terminal: Terminal) -> None:
    """The bundled definitions have no fault, given as a folder or as files."""
    shown = terminal.types("validate", str(ROOT / "workflows"))
    assert shown.exit_code == 0
    assert shown.stdout == "order-processing: 3 steps, no fault\nsubscription: 4 steps, no fault\n"
    assert terminal.types("validate", str(ROOT / "workflows" / "subscription.yaml")).exit_code == 0


def test_a_plan_is_drawn_and_written_as_canvases(terminal: Terminal) -> None:
    """`plan` shows the graph and what Celery will be given; `--mermaid` the graph for a page."""
    file = str(ROOT / "workflows" / "subscription.yaml")
    assert "chain(validate, chord([charge, provision], welcome))" in terminal.types("plan", file).stdout
    assert terminal.types("plan", file, "--mermaid").stdout.startswith("flowchart")


def test_the_schema_is_json(terminal: Terminal) -> None:
    """`schema` prints one JSON document and nothing else."""
    assert json.loads(terminal.types("schema").stdout)["title"] == "Workflow definition"


def test_settings_that_cannot_be_meant_are_all_named(terminal: Terminal) -> None:
    """A misspelt variable and a wrong value are two messages, and exit status 2."""
    terminal.environment |= {"ORCHESTRATOR_DATABSE_URL": "sqlite:///x", "ORCHESTRATOR_PROCESSES": "many"}
    shown = terminal.types("list")
    assert shown.exit_code == WRONG
    assert "ORCHESTRATOR_DATABSE_URL: no such setting; did you mean ORCHESTRATOR_DATABASE_URL?" in shown.stderr
    assert "ORCHESTRATOR_PROCESSES: 'many' is not a whole number" in shown.stderr


def test_without_a_ledger_the_way_to_one_is_told(terminal: Terminal) -> None:
    """Reading makes no empty database file."""
    shown = terminal.types("list")
    assert shown.exit_code == UNAVAILABLE
    assert "orchestrator migrate" in shown.stderr
    assert not (terminal.folder / "data" / "ledger.sqlite3").exists()


def test_a_ledger_without_tables_is_named_as_such(terminal: Terminal) -> None:
    """A file that is there but was never migrated is no stack trace."""
    (terminal.folder / "data").mkdir()
    (terminal.folder / "data" / "ledger.sqlite3").touch()
    shown = terminal.types("list")
    assert shown.exit_code == UNAVAILABLE
    assert "orchestrator migrate" in shown.stderr


def test_migrating_twice_changes_nothing(terminal: Terminal) -> None:
    """The second time says the same as the first."""
    first, second = terminal.types("migrate"), terminal.types("migrate")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == second.stdout


def test_a_type_that_there_is_not_is_answered_with_the_nearest(terminal: Terminal) -> None:
    """A typing error costs one look."""
    shown = terminal.types("start", "subscripton")
    assert shown.exit_code == NOT_FOUND
    assert "did you mean subscription?" in shown.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"plan"', "the context cannot be taken: not JSON"),
        ("[1]", "the context must be a JSON object"),
        ("no-such-file.json", "no-such-file.json cannot be read: No such file or directory"),
        ("[" * 100_000, "the context cannot be taken"),
        ('{"amount": 1, "amount": 2}', "a key comes twice in one object: amount"),
    ],
)
def test_a_context_that_is_no_object_is_a_usage_error(terminal: Terminal, given: str, said: str) -> None:
    """The message says what was given and what is wanted."""
    shown = terminal.types("start", "subscription", "--context", given)
    assert shown.exit_code == WRONG
    assert said in shown.stderr


@pytest.mark.parametrize("how", ["argument", "file", "standard input"])
def test_every_fault_of_a_context_is_listed(terminal: Terminal, how: str) -> None:
    """A context that does not fit starts nothing, wherever it came from."""
    assert terminal.types("migrate").exit_code == 0
    context = '{"plan": "", "card": 4}'
    (terminal.folder / "context.json").write_text(context)
    given = {"argument": context, "file": str(terminal.folder / "context.json"), "standard input": "-"}[how]
    shown = terminal.types("start", "subscription", "--context", given, stdin=context)
    assert shown.exit_code == WRONG
    for place in ("context.email", "context.plan", "context.card"):
        assert place in shown.stderr
    assert json.loads(terminal.types("list", "--json").stdout)["workflows"] == []


def test_a_workflow_is_listed_and_shown(terminal: Terminal, workflow: str) -> None:
    """As a table for people, as the API's JSON for scripts."""
    listed = terminal.types("list")
    assert workflow in listed.stdout
    assert "running" in listed.stdout
    assert "hello" in terminal.types("show", workflow).stdout
    shown = json.loads(terminal.types("show", workflow, "--json").stdout)
    assert (shown["workflowId"], shown["status"], shown["context"]) == (workflow, "running", {"name": "Ada"})
    assert json.loads(terminal.types("list", "--status", "completed", "--json").stdout)["workflows"] == []


def test_a_list_goes_on_where_a_page_ended(terminal: Terminal, workflow: str) -> None:
    """The cursor is told on standard error, so that the table stays a table."""
    ledger = terminal.ledger
    newer = start(ledger, read_document(DOCUMENT), Start({})).workflow_id
    ledger.database.close()
    first = terminal.types("list", "--limit", "1")
    assert newer in first.stdout
    assert workflow not in first.stdout
    assert workflow in terminal.types("list", "--cursor", first.stderr.split("--cursor ")[1].strip()).stdout
    assert terminal.types("list", "--cursor", "nonsense").exit_code == WRONG


def test_the_audit_log_and_the_reason_are_told(terminal: Terminal, workflow: str) -> None:
    """`events` says what happened, `why` what is waited for."""
    assert "workflow.started" in terminal.types("events", workflow).stdout
    why = terminal.types("why", workflow)
    assert "a worker: none is alive" in why.stdout
    assert "orchestrator worker" in why.stdout


@pytest.mark.parametrize("verb", ["show", "events", "why", "cancel", "pause", "resume", "retry", "rerun"])
@pytest.mark.parametrize("name", [NOBODY, "not-even-an-id"])
def test_a_workflow_that_there_is_not_is_not_found(terminal: Terminal, verb: str, name: str) -> None:
    """Every command that takes an id says so alike."""
    assert terminal.types("migrate").exit_code == 0
    shown = terminal.types(verb, name)
    assert (shown.exit_code, shown.stdout) == (NOT_FOUND, "")
    assert name in shown.stderr


def test_orders_are_carried_out_and_refused(terminal: Terminal, workflow: str) -> None:
    """Pausing and cancelling work without a worker; what the status forbids is exit status 4."""
    assert terminal.types("pause", workflow).stdout == f"{workflow} is paused\n"
    assert terminal.types("cancel", workflow).stdout == f"{workflow} is cancelled\n"
    assert terminal.types("cancel", workflow).exit_code == 0
    refused = terminal.types("resume", workflow)
    assert refused.exit_code == CONFLICT
    assert "only a paused workflow can be resumed" in refused.stderr


def test_what_services_write_does_not_steer_the_terminal() -> None:
    """Escape sequences, bells and marks that turn the direction of text are replaced."""
    assert plain("\x1b[2J\x07ok\u202etxt\x9b31m") == "�[2J�ok�txt�31m"
    assert brief({"message": "a\x1b[31mb\nc"}) == '{"message": "a\\u001b[31mb\\nc"}'
    assert brief("two\nlines\x1b") == "two lines�"
    assert len(brief("x" * 500)) == 60


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(None, ""), (0, "0 ms"), (999, "999 ms"), (1_250, "1.2 s"), (61_000, "1 min 01 s"), (7_260_000, "2 h 01 min")],
)
def test_durations_are_said_as_people_say_them(milliseconds: int | None, said: str) -> None:
    """Each size in its unit."""
    assert seconds(milliseconds) == said


def seen(status: str, *, workflow: str = "running", attempts: int = 1, undo: Json = None) -> Json:
    """A look at a workflow of one step."""
    step = {"name": "charge", "status": status, "attempts": attempts}
    step |= dict.fromkeys(("durationMs", "error", "result", "items", "waitingFor"))
    return {
        "workflowId": NOBODY,
        "type": "greeting",
        "status": workflow,
        "compensation": "none",
        "steps": [{**step, "compensation": undo}],
        "output": None,
        "error": None,
        "createdAt": "2026-01-31T12:00:00.000Z",
        "durationMs": None,
    }


def test_following_ends_with_the_workflow_and_prints_each_change_once() -> None:
    """Where there is no terminal, a line for each change, and none for a look that shows nothing new."""
    looks = iter(
        [
            seen("pending", attempts=0),
            seen("running"),
            seen("running"),
            seen("waiting"),
            seen("running", attempts=2),
            seen("completed", attempts=2, workflow="completed"),
            seen("completed", attempts=2, workflow="nobody looks again"),
        ]
    )
    said = StringIO()
    assert follow(lambda: next(looks), Lines(Console(file=said, width=80)))["status"] == "completed"
    assert [line.split() for line in said.getvalue().splitlines()] == [
        ["charge", "running"],
        ["charge", "waiting"],
        ["charge", "running", "attempt", "2"],
        ["charge", "completed", "attempt", "2"],
    ]


def test_markup_in_names_is_shown_as_it_is() -> None:
    """A service's or client's text is no instruction to the printer either."""
    view = seen("failed", workflow="failed")
    view["error"] = {"step": "charge", "message": "[red]not red[/red] [link=x]"}
    said = StringIO()
    Console(file=said, width=120, markup=False).print(summary(view))
    assert "charge: [red]not red[/red] [link=x]" in said.getvalue()


@pytest.mark.parametrize(
    ("info", "verdicts"),
    [
        ({"maxmemory_policy": "noeviction", "maxmemory": 0, "used_memory": 10**9}, []),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0, "used_memory": 1}, ["wrong"]),
        ({"maxmemory_policy": "noeviction", "maxmemory": 100, "used_memory": 95}, ["doubtful"]),
    ],
)
def test_a_redis_that_would_lose_messages_is_found(info: Json, verdicts: list[str]) -> None:
    """Any eviction policy but `noeviction` is wrong; a full memory is worth knowing."""
    found = list(check_memory(info))
    assert [finding.verdict for finding in found] == verdicts
    assert all(finding.mend for finding in found)


def test_a_visibility_time_out_shorter_than_waits_is_found() -> None:
    """An hour is fine, a minute delivers waiting messages twice."""
    assert [finding.verdict for finding in check_visibility({"visibility_timeout": 3_600})] == ["well"]
    assert [finding.verdict for finding in check_visibility({"visibility_timeout": 60})] == ["wrong"]


@pytest.mark.parametrize(
    ("alive", "consuming", "verdict"),
    [(0, 0, "wrong"), (2, 2, "well"), (2, 1, "wrong"), (1, None, "wrong"), (1, 3, "well")],
)
def test_workers_that_live_but_take_no_messages_are_found(alive: int, consuming: int | None, verdict: str) -> None:
    """A process is not a worker before it consumes."""
    assert [finding.verdict for finding in judge_workers(alive, consuming)] == [verdict]


def test_the_doctor_says_what_to_do_and_exits_with_1(terminal: Terminal) -> None:
    """A fresh folder has no ledger, no Redis and no worker; each finding says how to mend it."""
    shown = terminal.types("doctor", "--json")
    assert shown.exit_code == FAILED
    findings = json.loads(shown.stdout)
    assert {finding["about"] for finding in findings if finding["verdict"] == "wrong"} == {"ledger"}
    assert all(finding["mend"] for finding in findings if finding["verdict"] != "well")
    assert "to mend it: " in terminal.types("doctor").stdout


def test_the_doctor_takes_wrong_settings_for_a_finding(terminal: Terminal) -> None:
    """What keeps every other command from starting is what the doctor is for."""
    terminal.environment["ORCHESTRATOR_REDIS_URL"] = "http://redis"
    shown = terminal.types("doctor", "--json")
    assert shown.exit_code == FAILED
    assert json.loads(shown.stdout)[0]["about"] == "settings"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_the_demo_notices_what_did_not_come_as_told(story: Story) -> None:
    """A story compares status, undoing, attempts and the services' books."""
    steps = [{"name": name, "attempts": count} for name, count in story.attempts.items()]
    workflow = {"workflowId": NOBODY, "status": story.status, "compensation": story.compensation, "steps": steps}
    lines = [
        {"kind": "booked", "workflowId": NOBODY, "step": step}
        for step, count in story.booked.items()
        for _ in range(count)
    ]
    assert story.surprises(workflow, {"all": lines}) == []
    assert len(story.surprises({**workflow, "status": "running"}, {"all": lines})) == 1
    assert len(story.surprises({**workflow, "compensation": "failed"}, {"all": lines})) == 1
    assert len(story.surprises({**workflow, "steps": []}, {"all": lines})) == len(story.attempts)
    assert len(story.surprises(workflow, {"all": [*lines, lines[0]]})) == 1


def test_tables_of_a_newer_release_are_left_alone(terminal: Terminal) -> None:
    """`migrate` says which revision it does not know, and what to do."""
    ledger = terminal.ledger
    with ledger.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    ledger.database.close()
    refused = terminal.types("migrate")
    assert refused.exit_code == WRONG
    assert "revision 9999, which this release does not know" in refused.stderr


@pytest.mark.parametrize("words", [("migrate",), ("list",), ("doctor",)])
def test_a_file_that_is_no_database_is_said_to_be_none(terminal: Terminal, words: tuple[str, ...]) -> None:
    """Not a stack trace, whichever command meets it first."""
    (terminal.folder / "data").mkdir()
    (terminal.folder / "data" / "ledger.sqlite3").write_text("this is a letter, not a database" * 100)
    shown = terminal.types(*words)
    assert shown.exit_code == (FAILED if words == ("doctor",) else WRONG)
    assert "ledger.sqlite3 is no SQLite database" in shown.output


def test_a_folder_that_cannot_be_made_is_named(terminal: Terminal) -> None:
    """With the variable that asked for it."""
    (terminal.folder / "file").touch()
    terminal.environment["ORCHESTRATOR_DATABASE_URL"] = f"sqlite:///{terminal.folder}/file/below/ledger.sqlite3"
    refused = terminal.types("migrate")
    assert refused.exit_code == WRONG
    assert f"ORCHESTRATOR_DATABASE_URL: {terminal.folder}/file/below cannot be made: Not a directory" in refused.stderr


def test_a_plan_is_made_of_a_type_as_well_as_of_a_file(terminal: Terminal) -> None:
    """As `start` names it."""
    terminal.environment["ORCHESTRATOR_DEFINITIONS"] = str(ROOT / "workflows")
    assert "chain(payment, shipment, confirmation)" in terminal.types("plan", "order-processing").stdout
    missed = terminal.types("plan", "order-procesing")
    assert (missed.exit_code, "did you mean order-processing?" in missed.stderr) == (3, True)


def test_a_workflow_is_shown_with_its_timeline(terminal: Terminal, workflow: str) -> None:
    """When what was done; scripts that read the table can leave it out."""
    shown, short = terminal.types("show", workflow).stdout, terminal.types("show", workflow, "--no-timeline").stdout
    assert "▶ running" in shown
    assert "▶ running" not in short


def test_events_in_a_pipe_are_whole_and_a_line_each(terminal: Terminal) -> None:
    """What another program reads is cut nowhere."""
    long = "x" * 500
    document = {"type": "greeting", "steps": {"hello": {"targetUrl": "http://h/"}}}
    workflow = start(terminal.ledger, read_document(document), Start({}, actor=long)).workflow_id
    [line] = terminal.types("events", workflow).stdout.splitlines()
    assert long in line


@pytest.mark.parametrize(("rows", "drawn"), [(40, True), (8, False)])
def test_the_graph_fills_up_where_it_fits_the_screen(rows: int, drawn: bool) -> None:
    """Else it says how many steps have which status, and what happens just now."""
    definition = read_file(ROOT / "workflows" / "subscription.yaml")
    view = seen("running", workflow="running")
    steps = [{**view["steps"][0], "name": name} for name in definition.steps]
    for step, status in zip(steps, ("completed", "running", "waiting", "pending"), strict=True):
        step["status"] = status
    steps[1]["items"], steps[2]["waitingFor"] = {"total": 400, "completed": 12, "failed": 3, "running": 5}, "approval"
    said = StringIO()
    Console(file=said, width=100).print(filling(definition, rows, 100)({**view, "steps": steps}))
    assert ("├─╮" in said.getvalue()) is drawn
    assert ("1 pending" in said.getvalue()) is not drawn
    assert "▶" in said.getvalue()
    assert "12 of 400 items, 3 failed" in said.getvalue()
    assert "waiting (approval)" in said.getvalue()


def test_a_shell_completes_the_ids_of_workflows(terminal: Terminal, workflow: str) -> None:
    """The newest ones; where there is no ledger it stays silent."""
    asked = {"_ORCHESTRATOR_COMPLETE": "bash_complete", "COMP_WORDS": f"orchestrator show {workflow[:6]}"}
    environment = {**terminal.environment, **asked, "COMP_CWORD": "2"}
    result = CliRunner().invoke(orchestrator, [], env=environment, prog_name="orchestrator")
    assert result.stdout == f"plain,{workflow}\n"
    environment["ORCHESTRATOR_DATA"] = str(terminal.folder / "nothing")
    result = CliRunner().invoke(orchestrator, [], env=environment, prog_name="orchestrator")
    assert (result.stdout.strip(), result.stderr) == ("", "")


def test_a_shell_completes_types(terminal: Terminal) -> None:
    """What the completion that click installs asks for."""
    terminal.environment["ORCHESTRATOR_DEFINITIONS"] = str(ROOT / "workflows")
    asked = {"_ORCHESTRATOR_COMPLETE": "bash_complete", "COMP_WORDS": "orchestrator start sub", "COMP_CWORD": "2"}
    result = CliRunner().invoke(orchestrator, [], env={**terminal.environment, **asked}, prog_name="orchestrator")
    assert result.stdout == "plain,subscription\n"


def test_validate_says_what_may_be_null_unset_or_withheld(terminal: Terminal, tmp_path: Path) -> None:
    """Right, and perhaps not meant: a newcomer's step would be sent null, or blocked, and nobody would say why."""
    path = tmp_path / "d.yaml"
    path.write_text(
        "type: d\ninput: {type: object, required: [a], properties: {a: {}, b: {}}}\nsteps:\n"
        "  one: {targetUrl: '${vars.SHOP}/x', payload: {a: '${context.a}', b: '${context.b}', c: '${context.c}'}}\n"
        "  two: {targetUrl: 'http://10.0.0.7/', headers: {Authorization: '${secret.KEY}'}}\n"
    )
    terminal.environment["ORCHESTRATOR_VAR_SHOP"] = "http://localhost:9000"
    result = terminal.types("validate", str(path))
    assert (result.exit_code, result.stdout) == (0, "d: 2 steps, no fault\n")
    for said in (
        "context.c is read, and `input` does not declare it: null where a start leaves it out",
        "`input` does not require context.b: null where a start leaves it out",
        "ORCHESTRATOR_SECRET_KEY is not set here",
        "ORCHESTRATOR_VAR_SHOP is http://localhost:9000, a loopback or private address: d may not call it; "
        "allow it with ORCHESTRATOR_ALLOW_HOSTS=localhost",
        "http://10.0.0.7/, a loopback or private address",
    ):
        assert said in result.stderr
    terminal.environment["ORCHESTRATOR_ALLOW_HOSTS"] = "localhost, 10.0.0.0/8"
    assert "may not call" not in terminal.types("validate", str(path)).stderr
    [told] = json.loads(terminal.types("validate", str(path), "--json").stdout)
    assert (told["type"], told["faults"], len(told["doubts"])) == ("d", [], 3)


def test_doctor_says_which_address_may_not_be_called(terminal: Terminal) -> None:
    """Before the first step is blocked."""
    terminal.environment["ORCHESTRATOR_DEFINITIONS"] = str(ROOT / "workflows")
    terminal.environment["ORCHESTRATOR_VAR_SERVICES_URL"] = "http://192.168.1.9:9000"
    said = terminal.types("doctor").stdout
    assert "ORCHESTRATOR_VAR_SERVICES_URL is http://192.168.1.9:9000, a loopback or private address" in said
