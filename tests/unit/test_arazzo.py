"""Arazzo documents become definitions that do what the documents say; what cannot be said is named, never dropped."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import orchestrator
from orchestrator.jsontype import Json
from orchestrator.reading import read_file
from orchestrator.testkit.play import play
from orchestrator.testkit.run import Run
from orchestrator.testkit.script import case_of

OPENAPI = """
openapi: 3.1.0
info: {title: Kennel, version: "1"}
servers: [{url: https://kennel.example.com/v1}]
paths:
  /session:
    get: {operationId: logIn, parameters: [{name: user, in: query}], responses: {}}
  /dogs:
    get: {operationId: findDogs, parameters: [{name: breed, in: query}, {name: X-Token, in: header}], responses: {}}
  /dogs/{dogId}:
    parameters: [{$ref: "#/components/parameters/dogId"}]
    get: {operationId: getDog, responses: {}}
    delete: {operationId: giveDog, security: [{key: []}], responses: {}}
  /homes:
    post: {operationId: registerHome, responses: {}}
components: {parameters: {dogId: {name: dogId, in: path, required: true}}}
"""

HEAD = """
arazzo: 1.0.1
info: {title: Adopt a dog, version: 1.0.0}
sourceDescriptions: [{name: kennel, url: ./kennel.yaml, type: openapi}]
"""

ADOPTION = (
    HEAD
    + """
workflows:
  - workflowId: adopt
    summary: Find a dog and take it home.
    inputs: {$ref: "#/components/inputs/adopter"}
    steps:
      - stepId: logIn
        operationId: logIn
        parameters: [{reference: $components.parameters.user}]
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {token: $response.body#/token}
        onFailure: [{reference: $components.failureActions.busy}]
      - stepId: find
        operationPath: "{$sourceDescriptions.kennel.url}#/paths/~1dogs/get"
        parameters:
          - {name: breed, value: $inputs.breed}
          - {name: X-Token, value: "Bearer {$steps.logIn.outputs.token}"}
        successCriteria:
          - {condition: $statusCode == 200 && !($response.body#/closed == true)}
          - {context: $response.body, condition: "$.dogs[0].age < 12", type: jsonpath}
        outputs: {first: $response.body#/dogs/0/id, etag: $response.header.ETag}
        onSuccess: [{name: gone, type: end, criteria: [{condition: $response.body#/dogs/0/gone == true}]}]
      - stepId: register
        operationId: $sourceDescriptions.kennel.registerHome
        requestBody:
          contentType: application/json
          payload: {dog: $steps.find.outputs.first, note: "for {$inputs.name}", size: 0}
          replacements: [{target: /size, value: $inputs.size}]
    outputs: {dog: $steps.find.outputs.first}
components:
  inputs:
    adopter: {type: object, required: [name], properties: {name: {type: string}, breed: {}, size: {}}}
  parameters:
    user: {name: user, in: query, value: $inputs.name}
  failureActions:
    busy: {name: busy, type: retry, retryAfter: 1.5, retryLimit: 3, criteria: [{condition: $statusCode == 503}]}
"""
)

FOUND = {"dogs": [{"id": 7, "age": 3}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the description lies."""
    (tmp_path / "kennel.yaml").write_text(OPENAPI)
    return tmp_path


def imported(folder: Path, document: str, *options: str) -> Result:
    """What the command says to the document."""
    (folder / "adopt.arazzo.yaml").write_text(document)
    words = ["import", str(folder / "adopt.arazzo.yaml"), "--into", str(folder / "made"), *options]
    return CliRunner().invoke(orchestrator, words)


def steps(*lines: str) -> str:
    """A document of these steps, each a line of YAML."""
    return HEAD + "workflows:\n  - workflowId: w\n    steps:\n" + "".join(f"      - {line}\n" for line in lines)


def played(folder: Path, document: str, context: Json, answers: Json) -> Run:
    """What becomes of the first workflow that was imported."""
    result = imported(folder, document)
    assert result.exit_code == 0, result.output
    [path] = (folder / "made").iterdir()
    definition = read_file(path)
    return play(definition, case_of({"context": context, "answers": answers, "expect": {}}, definition))


def test_an_imported_workflow_makes_the_calls_that_the_document_says(folder: Path) -> None:
    """Parameters, bodies, replacements, outputs, components: as the services would see it."""
    answers = {"logIn": {"body": {"token": "t"}}, "find": {"body": FOUND}}
    run = played(folder, ADOPTION, {"name": "Ada", "breed": "spaniel", "size": 80}, answers)
    assert (run.status, run.output) == ("completed", {"dog": 7})
    assert [(call.method, call.url) for call in run.calls] == [
        ("GET", "http://kennel-url.test/session?user=Ada"),
        ("GET", "http://kennel-url.test/dogs?breed=spaniel"),
        ("POST", "http://kennel-url.test/homes"),
    ]
    assert run.calls[1].headers["X-Token"] == "Bearer t"
    assert run.calls[2].payload == {"dog": 7, "note": "for Ada", "size": 80}


def test_its_context_must_fit_its_inputs(folder: Path) -> None:
    """Also where they stand in the components."""
    assert played(folder, ADOPTION, {}, {}).status == "refused"


@pytest.mark.parametrize(
    ("answers", "status", "calls"),
    [
        ({"logIn": [503, 503, {"body": {"token": "t"}}], "find": {"body": FOUND}}, "completed", 5),
        ({"logIn": 503}, "failed", 4),
        ({"logIn": 500}, "failed", 1),
        ({"find": {"body": {"dogs": [{"id": 7, "age": 13}]}}}, "failed", 2),
        ({"find": {"body": {**FOUND, "closed": True}}}, "failed", 2),
        ({"find": {"body": {"dogs": [{"id": 7, "age": 3, "gone": True}]}}}, "completed", 2),
    ],
)
def test_criteria_retries_and_ends_are_kept(folder: Path, answers: Json, status: str, calls: int) -> None:
    """Tried again only where the action's criteria say so; success by all criteria; an end passes over the rest."""
    run = played(folder, ADOPTION, {"name": "Ada"}, {"logIn": {"body": {"token": "t"}}, **answers})
    assert (run.status, len(run.calls)) == (status, calls)


GOTO = steps(
    "{stepId: a, operationId: logIn, onSuccess: [{name: n, type: goto, stepId: d, "
    "criteria: [{condition: $response.body#/skip == true}]}]}",
    "{stepId: b, operationId: findDogs, onFailure: [{name: n, type: goto, stepId: d}]}",
    "{stepId: c, operationId: registerHome}",
    "{stepId: d, operationId: logIn}",
)


@pytest.mark.parametrize(
    ("answers", "order"),
    [
        ({"a": {"body": {"skip": False}}}, ["a", "b", "c", "d"]),
        ({"a": {"body": {"skip": True}}}, ["a", "d"]),
        ({"b": 404}, ["a", "b", "d"]),
    ],
)
def test_a_jump_passes_over_what_lies_between(folder: Path, answers: Json, order: list[str]) -> None:
    """After a success under a condition, and after a failure."""
    run = played(folder, GOTO, {}, answers)
    assert (run.status, run.order) == ("completed", order)


def test_what_a_step_depends_on_goes_first(folder: Path) -> None:
    """`dependsOn` of version 1.1."""
    document = steps("{stepId: a, operationId: logIn, dependsOn: [b]}", "{stepId: b, operationId: findDogs}")
    assert played(folder, document.replace("1.0.1", "1.1.0"), {}, {}).order == ["b", "a"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            "{stepId: a, workflowId: other}",
            "workflows[0].steps[0].workflowId: running another workflow is not supported",
        ),
        ("{stepId: a, channelPath: x, action: send}", "steps[0].channelPath: the field 'channelPath' is not supported"),
        ("{stepId: a, operationId: nothing}", "there is no operation 'nothing'"),
        ("{stepId: a, operationId: logIn, colour: red}", "steps[0].colour: this field is not supported"),
        ("{stepId: a, operationId: getDog}", "nothing is said for {dogId} in /dogs/{dogId}"),
        (
            "{stepId: a, operationId: logIn, successCriteria: [{context: $statusCode, condition: ^2, type: regex}]}",
            'a condition of type "regex"',
        ),
        (
            "{stepId: a, operationId: logIn, successCriteria: [{condition: $url == 'x'}]}",
            "'$url' cannot be read by a definition",
        ),
        ("{stepId: a, operationId: logIn, outputs: {x: $steps.b.outputs.y}}", "step 'b' has no output 'y'"),
        (
            "{stepId: a, operationId: logIn, outputs: {x: $response.body.y}}",
            "outputs.x: '$response.body.y' is no runtime expression; write $response.body#/y",
        ),
        (
            "{stepId: a, operationId: logIn, onFailure: [{name: n, type: goto, stepId: a}]}",
            "going back to 'a': an order of steps has no circle",
        ),
        (
            "{stepId: a, operationId: registerHome, requestBody: {contentType: text/xml, payload: {}}}",
            "only JSON and forms can be sent, not text/xml",
        ),
        (
            "{stepId: a, operationId: logIn, parameters: [{reference: $components.parameters.none}]}",
            "there is no $components.parameters.none",
        ),
    ],
)
def test_what_cannot_be_said_is_named_and_nothing_is_written(folder: Path, step: str, said: str) -> None:
    """With its line and its place."""
    result = imported(folder, steps(step))
    assert result.exit_code == 2
    assert f"{said}" in result.stderr
    assert "adopt.arazzo.yaml:8" in result.stderr or "adopt.arazzo.yaml:7" in result.stderr
    assert not (folder / "made").exists()


def test_what_there_is_to_do_is_told(folder: Path) -> None:
    """The server's address, credentials, a body that is none: not left out, but to be known."""
    document = steps("{stepId: a, operationId: giveDog, parameters: [{name: dogId, value: $inputs.id}]}")
    result = imported(folder, document)
    assert result.exit_code == 0, result.stderr
    for said in (
        "set ORCHESTRATOR_VAR_KENNEL_URL=https://kennel.example.com/v1",
        "the operation asks for credentials: say them with `auth`",
        "has no request body: {} is sent",
        "'dogId' is put into the path as it is",
    ):
        assert said in result.stderr


def test_a_password_is_sensitive(folder: Path) -> None:
    """As the format of the input says."""
    document = GOTO.replace(
        "workflowId: w", "workflowId: w\n    inputs: {type: object, properties: {pin: {format: password}}}"
    )
    assert "context.pin: encrypted and masked" in imported(folder, document).stderr
    assert read_file(folder / "made" / "w.yaml").sensitive == ("context.pin",)


def test_nothing_is_fetched_and_nothing_is_overwritten(folder: Path) -> None:
    """A description that lies elsewhere is given by hand; a file that is there needs --force."""
    elsewhere = GOTO.replace("./kennel.yaml", "https://kennel.example.com/openapi.yaml")
    refused = imported(folder, elsewhere)
    assert "nothing is fetched; say where it lies: --openapi kennel=FILE" in refused.stderr
    given = ("--openapi", f"kennel={folder / 'kennel.yaml'}")
    assert imported(folder, elsewhere, *given).exit_code == 0
    assert "is there already" in imported(folder, elsewhere, *given).output
    assert imported(folder, elsewhere, *given, "--force").exit_code == 0
