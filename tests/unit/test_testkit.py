"""The test kit: definitions on scripted answers, judged in milliseconds; what it says is what the real thing does."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet

from orchestrator.admission import Wish, admit
from orchestrator.answers import Failure, Success, answer_callback, decide
from orchestrator.attempt import Bench, attempt
from orchestrator.callbacks import Attempt, Callbacks, Tokens
from orchestrator.cli import orchestrator
from orchestrator.errors import DefinitionError
from orchestrator.jsontype import Json
from orchestrator.ledger import Ledger
from orchestrator.ledger.clerk import Clerk
from orchestrator.ledger.engine import Database
from orchestrator.ledger.migrating import migrate
from orchestrator.ledger.starting import start
from orchestrator.ledger.views import workflow_view
from orchestrator.moves.answering import Answered, Decide
from orchestrator.moves.move import Look
from orchestrator.reading import read_file
from orchestrator.request import Surroundings
from orchestrator.sealing import Sealer
from orchestrator.states import Effect
from orchestrator.testkit.broker import Broker
from orchestrator.testkit.case import Case
from orchestrator.testkit.play import play
from orchestrator.testkit.plugin import Play
from orchestrator.testkit.script import case_of, read_script
from orchestrator.testkit.services import Services

WORKFLOWS = Path(__file__).parents[2] / "workflows"

ORDER = """
type: order
sensitive: [context.card]
steps:
  pay:
    targetUrl: ${vars.SHOP}/pay
    payload: {card: "${context.card}"}
    next: [ship]
    retry: {jitter: none}
    compensate: {targetUrl: "${vars.SHOP}/refund", payload: {id: "${steps.pay.result.id}"}}
  ship: {targetUrl: "${vars.SHOP}/ship", headers: {Authorization: "${secret.SHIPPER}"}, timeout: 10}
output: {id: "${steps.pay.result.id}"}
"""


@pytest.fixture
def order(tmp_path: Path) -> Path:
    """A definition of two steps."""
    path = tmp_path / "order.yaml"
    path.write_text(ORDER)
    return path


def script(order: Path, text: str) -> Path:
    """A script of cases beside the definition."""
    path = order.with_name("order.tests.yaml")
    path.write_text(text)
    return path


def tried(*arguments: object) -> tuple[int, str]:
    """The command's exit status and all that it printed."""
    done = CliRunner().invoke(orchestrator, ["test", *map(str, arguments)])
    return done.exit_code, done.output


def test_the_bundled_definitions_pass_their_own_cases() -> None:
    """`orchestrator test workflows` is what the docs show first."""
    status, printed = tried(WORKFLOWS)
    assert status == 0, printed
    status, printed = tried(WORKFLOWS / "examples")
    assert status == 0, printed


def test_hours_of_waiting_pass_in_no_time(order: Path, workflow_test: Play) -> None:
    """The clock is put forward over delays, Retry-After and time-outs."""
    began = time.monotonic()
    answers = {"ship": [{"status": 429, "headers": {"Retry-After": "7200"}}, {"timeout": True}, {"delay": "3s"}]}
    run = workflow_test(order, {"card": "4242"}, answers)
    assert run.status == "completed"
    assert 7200 < run.took < 7220
    assert time.monotonic() - began < 1


def test_calls_are_those_that_the_services_would_get(order: Path, workflow_test: Play) -> None:
    """URL, payload, headers and one key for all attempts; the card goes to nobody who does not name it."""
    run = workflow_test(order, {"card": "4242"}, {"ship": [503, 200], "pay": {"body": {"id": 7}}})
    [pay] = run.calls_of("pay")
    assert (pay.method, pay.url, pay.payload) == ("POST", "http://shop.test/pay", {"card": "4242"})
    first, second = run.calls_of("ship")
    assert first.key == second.key != pay.key
    assert first.headers["Authorization"] == "secret-SHIPPER"
    assert "4242" not in json.dumps([first.payload, run.output, run.timeline()[-1]])
    assert run.order == ["pay", "ship"]


def test_what_may_have_happened_is_undone_in_order(order: Path, workflow_test: Play) -> None:
    """A dropped connection leaves it open whether the service acted."""
    run = workflow_test(order, {}, {"pay": {"body": {"id": 7}}, "ship": {"drop": True}})
    assert (run.status, run.compensation, run.undone) == ("failed", "completed", ["pay"])
    assert run.calls_of("pay:undo")[0].payload == {"id": 7}


def test_a_person_may_cancel_on_the_way(order: Path, workflow_test: Play) -> None:
    """What is in flight is waited for, then undone."""
    run = workflow_test(order, {}, {"pay": {"delay": 5}}, orders=[{"at": 2, "order": "cancel"}])
    assert (run.status, run.undone, run.took) == ("cancelled", ["pay"], 5)


def test_a_failure_says_what_was_expected_where_and_what_happened(order: Path) -> None:
    """The line of the case, the place in it, both values, and the timeline."""
    path = script(
        order,
        """
tests:
  it ships:
    context: {card: "1"}
    answers: {ship: 404}
    expect: {status: completed, calls: {pay: {payload: {card: "2"}}, ship: 2}, undone: []}
""",
    )
    status, printed = tried(path)
    assert status == 1
    for expected in (
        "✗ it ships  (" + str(path) + ":3)",
        "status\n          expected: completed\n          happened: failed (ship: answered 404 Not Found)",
        'calls.pay.payload.card\n          expected: "2"\n          happened: "1"',
        "calls.ship\n          expected: 2 calls\n          happened: 1 call",
        "undone\n          expected: nothing\n          happened: pay",
        "0.000 s  ship      failed: answered 404 Not Found",
    ):
        assert expected in printed, printed


def test_a_script_that_cannot_be_meant_is_refused_with_every_line(order: Path) -> None:
    """A misspelt step would else be a case that proves nothing."""
    path = script(order, "tests:\n  a:\n    answers: {shp: 500}\n    expect: {stauts: failed, undone: [ship, pya]}\n")
    with pytest.raises(DefinitionError) as refused:
        read_script(path)
    assert "there is no field 'stauts'; did you mean 'status'?" in str(refused.value)
    path.write_text("tests:\n  a:\n    answers: {shp: 500}\n    expect: {undone: [pya]}\n")
    with pytest.raises(DefinitionError) as refused:
        read_script(path)
    assert f"{path}:3: tests.a.answers.shp: there is no step 'shp'; did you mean 'ship'?" in str(refused.value)
    assert f"{path}:4: tests.a.expect.undone[0]: there is no step 'pya'; did you mean 'pay'?" in str(refused.value)


def test_cases_can_be_tried_on_a_changed_definition(order: Path) -> None:
    """What is new in it shows as what is otherwise."""
    path = script(order, "tests:\n  a:\n    expect: {status: completed, calls: {ship: {count: 1, method: POST}}}\n")
    assert tried(path)[0] == 0
    changed = order.with_name("changed.yaml")
    changed.write_text(ORDER.replace("timeout: 10", "method: PUT"))
    status, printed = tried(path, "--against", changed)
    assert status == 1
    assert "calls.ship.method\n          expected: POST\n          happened: PUT" in printed


def test_json_is_for_programs(order: Path) -> None:
    """Each case with its file, its line, and what is otherwise."""
    path = script(order, "tests:\n  a:\n    expect: {status: failed}\n")
    status, printed = tried(path, "--json")
    told = json.loads(printed)
    assert (status, told["passed"], told["failed"]) == (1, 0, 1)
    assert told["cases"][0]["unmet"] == [{"place": "status", "expected": "failed", "happened": "completed"}]


def test_pytest_finds_scripts_and_the_fixture_by_itself(order: Path) -> None:
    """As a user's project sees it: nothing but the installed package."""
    script(
        order, "tests:\n  it ships:\n    expect: {status: completed}\n  it does not:\n    expect: {status: failed}\n"
    )
    order.with_name("test_order.py").write_text(
        "def test_it_ships(workflow_test):\n"
        "    assert workflow_test('order.yaml', {}, {'ship': 404}).undone == ['pay']\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(order.parent)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=order.parent,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "expected: failed" in done.stdout


HASTY = (
    ORDER.replace("retry: {jitter: none}", "retry: {delay: 0}")
    .replace("timeout: 10", "retry: {delay: 0}")
    .replace('refund"', 'refund", retry: {delay: 0}')
)


class Real:
    """The same scripted services under a real ledger: claims, calls and settles as a worker makes them."""

    def __init__(self, folder: Path, definition: Path, case: Case) -> None:
        self.url = f"sqlite:///{folder / 'ledger.sqlite3'}"
        self.ledger = Ledger(Database(self.url), VARIABLES)
        migrate(self.ledger.database)
        self.services, self.broker = Services(case.answers), Broker()
        sealer = Sealer([Fernet.generate_key().decode()])
        callbacks = Callbacks("http://orchestrator.test", Tokens((Fernet.generate_key().decode(),)))
        self.around = around = Surroundings(VARIABLES, {"SHIPPER": "secret-SHIPPER"}, sealer, callbacks)
        self.bench = Bench("worker", Clerk(self.ledger), self.services, around, self.broker.publish)
        read = read_file(definition)
        started = start(self.ledger, read, admit(read, Wish(case.context, "client"), sealer))
        self.workflow_id = started.workflow_id
        self.broker.publish(started.publication)

    def view(self) -> Json:
        """The workflow, once nothing can happen to it any more."""
        while self.broker.bag:
            message = self.broker.bag.pop(0)
            if attempt(self.bench, self.workflow_id, message.step) in ("completed", "skipped", "tolerated", "passed"):
                self.broker.returned(message)
            for made in self.ledger.make([Look(self.workflow_id, name) for name in self._waiting()]):
                self.broker.publish(made.publication)
        return workflow_view(self.ledger, self.workflow_id)

    def say(self, step: str, later: Json) -> None:
        """What a service or a person says of a step that waits for it."""
        if step == "check":
            made = decide(self.ledger, Decide(self.workflow_id, step, later["approve"], "test", later.get("comment")))
        else:
            failure = later.get("error")
            effect, again = Effect(later.get("effect", "none")), later.get("retryable", True)
            said = Success(later.get("result")) if failure is None else Failure(failure, effect, again)
            made = answer_callback(self.ledger, self.around, self.workflow_id, step, Attempt(1, 0), said)
        assert made.answered is Answered.RECORDED
        self.broker.publish(made.publication)

    def _waiting(self) -> list[str]:
        steps = workflow_view(self.ledger, self.workflow_id)["steps"]
        undos = [f"{each['name']}:undo" for each in steps if (each["compensation"] or {}).get("status") == "waiting"]
        return [each["name"] for each in steps if each["waitingFor"] == "retry"] + undos


VARIABLES = {"SHOP": "http://shop.test"}

FATES: list[Json] = [
    {"pay": {"body": {"id": 7}}},
    {"pay": {"body": {"id": 7}}, "ship": [503, {"status": 200, "body": "sent"}]},
    {"pay": [{"drop": True}, {"body": {"id": 7}}], "ship": 404},
    {"pay": {"timeout": True}},
    {"pay": {"body": {"id": 7}}, "ship": {"refuse": True}, "pay:undo": [500, 200]},
]


@pytest.mark.parametrize("answers", FATES)
def test_what_is_played_is_what_the_ledger_does(order: Path, answers: Json) -> None:
    """The same calls in the same order, the same statuses, the same output, from the tables and from memory."""
    order.write_text(HASTY)
    case = case_of({"context": {"card": "1"}, "answers": answers, "vars": VARIABLES, "expect": {}}, read_file(order))
    played, real = play(read_file(order), case), Real(order.parent, order, case)
    view = real.view()
    assert (view["status"], view["compensation"], view["output"]) == (played.status, played.compensation, played.output)
    assert [(one.step, one.url) for one in real.services.calls] == [(one.step, one.url) for one in played.calls]
    assert {step["name"]: step["status"] for step in view["steps"]}.items() <= played.steps.items()


@pytest.mark.parametrize("answers", FATES)
def test_a_record_of_what_happened_passes_until_the_definition_changes(order: Path, answers: Json) -> None:
    """Sensitive fields are masked in it; on a changed definition it shows the difference."""
    order.write_text(HASTY)
    case = case_of({"context": {"card": "4242"}, "answers": answers, "expect": {}}, read_file(order))
    real = Real(order.parent, order, case)
    real.view()
    real.ledger.database.close()
    environment = {"ORCHESTRATOR_DATABASE_URL": real.url, "ORCHESTRATOR_VAR_SHOP": VARIABLES["SHOP"]}
    done = CliRunner(env=environment).invoke(orchestrator, ["record", real.workflow_id])
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert "4242" not in done.stdout
    path = script(order, done.stdout)
    status, printed = tried(path)
    assert status == 0, printed
    changed = order.with_name("changed.yaml")
    changed.write_text(HASTY.replace("/pay", "/charge"))
    status, printed = tried(path, "--against", changed)
    assert status == 1
    assert "expected: http://shop.test/pay\n          happened: http://shop.test/charge" in printed


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            {"delay": 5, "status": 503},
            "answered 503 Service Unavailable; not tried again: the workflow began to fail (at",
        ),
        ({"status": 503}, "attempt 1 failed, and the next one was not made: the workflow began to fail (at a)"),
    ],
)
def test_a_step_that_was_cut_short_says_so(tmp_path: Path, workflow_test: Play, answers: Json, said: str) -> None:
    """Its retries are not used up: whoever reads its error must not think that the service was asked to the end."""
    path = tmp_path / "pair.yaml"
    path.write_text(
        "type: pair\nsteps:\n  a: {targetUrl: 'http://h/a'}\n  b: {targetUrl: 'http://h/b', retry: {jitter: none}}\n"
    )
    run = workflow_test(path, {}, {"a": {"delay": "500ms", "status": 404}, "b": answers})
    assert any(said in line for line in run.timeline()), run.timeline()


EACH = """
type: letters
steps:
  send:
    forEach: {items: "${context.to}", maxParallel: 2}
    targetUrl: http://h/send
    payload: {to: "${item}"}
    retry: {jitter: none}
    compensate: {targetUrl: http://h/unsend}
"""


def test_items_are_answered_like_their_step_or_each_by_itself(tmp_path: Path, workflow_test: Play) -> None:
    """An item begins with the first answer; calls and undoing are the step's."""
    (tmp_path / "letters.yaml").write_text(EACH)
    run = workflow_test(tmp_path / "letters.yaml", {"to": ["a", "b", "c"]}, {"send": [503, 200], "send[1]": 200})
    assert (run.status, len(run.calls_of("send")), len(run.calls_of("send[1]"))) == ("completed", 5, 1)
    run = workflow_test(tmp_path / "letters.yaml", {"to": ["a", "b", "c"]}, {"send[2]": 404})
    assert (run.status, run.undone, len(run.calls_of("send:undo"))) == ("failed", ["send"], 2)


def test_a_record_has_the_answer_of_each_item(tmp_path: Path) -> None:
    """From the step's result, which is a list."""
    path = tmp_path / "letters.yaml"
    path.write_text(EACH)
    answers = {"send[0]": {"body": "A"}, "send[1]": {"body": "B"}}
    real = Real(
        tmp_path, path, case_of({"context": {"to": ["a", "b"]}, "answers": answers, "expect": {}}, read_file(path))
    )
    assert real.view()["status"] == "completed"
    real.ledger.database.close()
    done = CliRunner(env={"ORCHESTRATOR_DATABASE_URL": real.url}).invoke(orchestrator, ["record", real.workflow_id])
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    (tmp_path / "letters.tests.yaml").write_text(done.stdout)
    [case] = read_script(tmp_path / "letters.tests.yaml").cases
    assert [case.answers[row][0].body for row in ("send[0]", "send[1]")] == ["A", "B"]
    assert tried(tmp_path / "letters.tests.yaml")[0] == 0


def test_children_and_tasks_are_answered_like_services(tmp_path: Path, workflow_test: Play) -> None:
    """What they are given can be asserted on; a status from 400 on is a failure."""
    path = tmp_path / "parent.yaml"
    path.write_text(
        "type: parent\nsteps:\n  a: {workflow: other, context: {x: '${context.x}'}, next: [b]}\n"
        "  b: {targetUrl: 'http://h/b', payload: '${steps.a.result}'}\n"
    )
    run = workflow_test(path, {"x": 1}, {"a": {"body": {"y": 2}, "delay": 5}})
    assert [(call.method, call.payload) for call in run.calls] == [("WORKFLOW", {"x": 1}), ("POST", {"y": 2})]
    assert (run.status, run.took) == ("completed", 5)
    assert workflow_test(path, {"x": 1}, {"a": 500}).status == "failed"


LATER = """
type: report
steps:
  render:
    targetUrl: http://h/render
    payload: {}
    callback: {timeout: 4h}
    retries: 1
    retry: {delay: 10, jitter: none}
    result: ${response.body.pages}
    next: [check]
    compensate: {targetUrl: http://h/unrender, payload: {of: "${steps.render.result}"}}
  check: {approval: {timeout: 7d, message: "${steps.render.result} pages"}, next: [send]}
  send: {targetUrl: http://h/send, payload: "${steps.check.result.comment}"}
"""
DONE: Json = {"status": 202, "later": {"after": "2h", "result": {"pages": 12}}}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A service that calls back, then a person, then a service."""
    path = tmp_path / "report.yaml"
    path.write_text(LATER)
    return path


def test_services_call_back_and_people_decide_as_a_case_says(report: Path, workflow_test: Play) -> None:
    """Days pass in no time; what they say is what the steps give."""
    run = workflow_test(report, {}, {"render": DONE, "check": {"later": {"after": "3d", "comment": "fine"}}})
    assert (run.status, run.took) == ("completed", 3 * 86_400 + 2 * 3_600)
    assert run.calls_of("send")[0].payload == "fine"


@pytest.mark.parametrize(
    ("answers", "error", "calls"),
    [
        ({"render": 202}, ("render", "no answer"), 2),
        ({"render": {"status": 202, "later": {"error": "no paper", "retryable": False}}}, ("render", "no paper"), 1),
        ({"render": [{"status": 202, "later": {"error": "no ink"}}, DONE], "check": 200}, ("check", "decided"), 2),
        (
            {"render": DONE, "check": {"later": {"approve": False, "comment": "dull"}}},
            ("check", "rejected it: dull"),
            1,
        ),
    ],
)
def test_what_fails_later_is_tried_again_or_undone(
    report: Path, workflow_test: Play, answers: Json, error: tuple[str, str], calls: int
) -> None:
    """A failure that is called back, a rejection, silence until the time-out."""
    run = workflow_test(report, {}, answers)
    assert (run.status, run.error["step"], len(run.calls_of("render"))) == ("failed", error[0], calls)
    assert error[1] in run.error["message"]


def test_what_is_said_twice_or_late_changes_nothing(report: Path, workflow_test: Play) -> None:
    """It stands in the timeline."""
    twice = {"status": 202, "later": [DONE["later"], {"after": "3h", "error": "none of it"}]}
    run = workflow_test(report, {}, {"render": twice, "check": {"later": {"after": "1d"}}})
    assert run.status == "completed"
    assert [event.details["reason"] for _, event in run.events if event.type == "step.late"] == ["late"]


@pytest.mark.parametrize(
    "answers",
    [
        {"render": DONE, "check": {"later": {"approve": True, "comment": "fine"}}},
        {"render": DONE, "check": {"later": {"approve": False}}},
        {"render": {"status": 202, "later": {"error": {"message": "no"}, "retryable": False, "effect": "unknown"}}},
    ],
)
def test_what_is_said_later_is_played_as_the_ledger_does_it(report: Path, answers: Json) -> None:
    """The same statuses, results and calls."""
    case = case_of({"answers": answers, "expect": {}}, read_file(report))
    played, real = play(read_file(report), case), Real(report.parent, report, case)
    real.view()
    for step, said in answers.items():
        real.say(step, said["later"])
        view = real.view()
    assert (view["status"], view["compensation"]) == (played.status, played.compensation)
    assert {step["name"]: step["status"] for step in view["steps"]}.items() <= played.steps.items()
    assert [(one.step, one.url) for one in real.services.calls] == [(one.step, one.url) for one in played.calls]


def test_a_poll_is_asked_until_it_is_done(tmp_path: Path, workflow_test: Play) -> None:
    """Each question is the next answer of the list."""
    path = tmp_path / "poll.yaml"
    path.write_text(
        "type: poll\nsteps:\n  a:\n    targetUrl: http://h/a\n    poll:\n      url: http://h/jobs/${response.body.id}\n"
        "      every: 1m\n      timeout: 1h\n      done: ${response.body.state == 'done'}\n"
    )
    busy, done = {"body": {"state": "busy"}}, {"body": {"state": "done", "pages": 3}}
    run = workflow_test(path, {}, {"a": [{"status": 202, "body": {"id": 7}}, busy, done]})
    assert (run.status, run.took) == ("completed", 120)
    assert [(call.method, call.url) for call in run.calls] == [
        ("POST", "http://h/a"),
        ("GET", "http://h/jobs/7"),
        ("GET", "http://h/jobs/7"),
    ]


LIMITED = """
type: letters
steps:
  send:
    forEach: {items: "${context.to}", maxParallel: 100, tolerate: 100}
    targetUrl: http://h/send
    retries: 0
    limit: {LIMIT}
"""


@pytest.mark.parametrize(
    ("limit", "answer", "began", "took"),
    [
        ("concurrency: 2", {"delay": 10}, [0, 0, 10, 10, 20], 30),
        ("rate: 6/m", 200, [0, 10, 20, 30, 40], 40),
        ("concurrency: 1, circuit: {failures: 2, pause: 60s}", [500, 200], [0, 0, 60, 60, 60], 60),
    ],
)
def test_limits_hold_items_back(
    tmp_path: Path, workflow_test: Play, limit: str, answer: Json, began: list[float], took: float
) -> None:
    """By how many at once, by a rate, by a circuit that opens and is probed."""
    (tmp_path / "letters.yaml").write_text(LIMITED.replace("LIMIT", limit))
    answers = {f"send[{n}]": 500 for n in range(2)} if "circuit" in limit else {"send": answer}
    run = workflow_test(tmp_path / "letters.yaml", {"to": ["a", "b", "c", "d", "e"]}, answers)
    assert (run.status, [call.at for call in run.calls], run.took) == ("completed", began, took)


BY_OTHERS = """
type: onboarding
steps:
  welcome: {workflow: welcome-person, forEach: "${context.people}", context: {person: "${item}"}}
  add:
    task: crm.add
    forEach: ${context.people}
    args: ["${item}"]
    compensate: {task: crm.remove, args: ["${steps.add.result.id}"]}
    waitFor: [welcome]
  last: {targetUrl: "https://x.example/last", waitFor: [add]}
"""

BY_OTHERS_TESTS = """
context: {people: [ada, bob]}
answers: {"add[0]": {body: {id: 7}}, "add[1]": {body: {id: 8}}, last: 402}
tests:
  items are workflows and tasks, and tasks take them back:
    expect:
      status: failed
      compensation: completed
      calls:
        welcome[1]: {count: 1, payload: {person: bob}}
        add[0]: {count: 1, payload: {args: [ada]}}
        add[1]:undo: {count: 1, payload: {args: [8]}}
"""


def test_items_may_be_workflows_and_tasks_and_an_undo_a_task(tmp_path: Path) -> None:
    """Each is asked by its own name, `add[1]` or `add[1]:undo`."""
    (tmp_path / "onboarding.yaml").write_text(BY_OTHERS)
    (tmp_path / "onboarding.tests.yaml").write_text(BY_OTHERS_TESTS)
    assert tried(tmp_path)[0] == 0
