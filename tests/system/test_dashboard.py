"""The dashboard in a real browser, over real workers: an order watched live, a failed one found and retried."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from orchestrator.cli.asking import answers
from orchestrator.reading import read_document
from tests.integration.web.desk import WORKFLOWS
from tests.servers import RedisServer, free_port
from tests.system.installation import Installation, definition, installed, until
from tests.system.services import Reply, Services

CHROMIUM = os.environ.get("ORCHESTRATOR_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
KEY = "a-key-that-is-long-enough-for-a-test"
NOWHERE = "/nowhere"
REFUSES = "http://127.0.0.1:9"
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
ORDER = {"payment": {"next": ["shipment", "invoice"]}, "shipment": {}, "invoice": {}}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; name one in ORCHESTRATOR_TEST_CHROMIUM"),
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, redis_session: RedisServer) -> Iterator[Installation]:
    """One worker on a SQLite file."""
    folder = tmp_path_factory.mktemp("installation")
    with redis_session.client() as client:
        client.flushall()
    with installed(f"sqlite:///{folder / 'ledger.sqlite3'}", redis_session.url, folder) as running:
        yield running


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[str]:
    """The production server beside it, with a key; its address."""
    port = free_port()
    more = {"ORCHESTRATOR_API_KEYS": KEY, "ORCHESTRATOR_DEFINITIONS": str(WORKFLOWS)}
    with (installation.folder / "web.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "orchestrator.cli", "web", "--port", str(port)],
            env=installation.environment | more,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{url}/healthz"), 30, "the web server")
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of the test's own, with an empty profile."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES.split())
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, web: str) -> Iterator[Page]:
    """A page that is logged in; it must not complain, and asks for nothing elsewhere."""
    context = browser.new_context(base_url=web)
    opened = context.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith(NOWHERE):
            complaints.append(message.text)

    opened.on("console", complain)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: request.url.startswith(web) or complaints.append(request.url))
    opened.goto("/")
    opened.get_by_label("API key").fill(KEY)
    opened.get_by_role("button", name="Log in").click()
    expect(opened).to_have_url(f"{web}/")
    yield opened
    context.close()
    assert complaints == []


def test_an_order_is_watched_live_to_its_end(installation: Installation, services: Services, page: Page) -> None:
    """Nobody reloads: status, graph, timeline and an opened step follow by themselves."""
    services.answer(payment=Reply(delay=0.8, body={"orderId": "ORD-7"}), shipment=Reply(delay=0.8))
    workflow = installation.start(definition(services.url, ORDER, type="watched"))
    page.goto(f"/workflows/{workflow}")
    head = page.locator("#head")
    expect(head).to_contain_text("running")
    page.locator("#details-payment summary").click()
    expect(page.locator("#step-payment")).to_contain_text("ORD-7")
    expect(head.locator("h1")).to_contain_text("completed", timeout=15_000)
    expect(page.locator("#step-payment")).to_be_visible()
    expect(page.locator("#timeline rect.k-work")).to_have_count(3)
    expect(page.locator("#told")).to_have_text("watched is completed")
    assert page.locator("#graph a.s-completed").count() >= 3


def test_yesterdays_failed_order_is_found_and_retried(
    installation: Installation, services: Services, page: Page, web: str
) -> None:
    """By status and a field of its context; the retry asks first, and its end is seen without a reload."""
    services.answer(payment=[Reply(status=402), Reply(body={"orderId": "ORD-8"})])
    flow = definition(services.url, ORDER, type="found")
    wanted = installation.start(flow, {"email": "ada@example.com"})
    installation.wait(wanted)
    services.answer(payment=[Reply(status=402), Reply(body={"orderId": "ORD-8"})])
    installation.wait(installation.start(flow, {"email": "bob@example.com"}))
    page.get_by_role("combobox", name="Status").select_option("failed")
    page.get_by_text("More filters").click()
    page.get_by_label("Field of the context").fill("email")
    page.get_by_label("is", exact=True).fill("ada@example.com")
    page.get_by_role("button", name="Find").click()
    found = page.locator("#found tbody tr")
    expect(found).to_have_count(1)
    found.get_by_role("link").click()
    expect(page).to_have_url(f"{web}/workflows/{wanted}")
    expect(page.locator("#step-payment")).to_contain_text("answered 402")
    page.get_by_text("Retry…").click()
    page.get_by_role("button", name="Retry it").click()
    expect(page.locator(".flash")).to_contain_text("Retrying")
    expect(page.locator("h1")).to_contain_text("completed", timeout=15_000)
    assert installation.row(wanted)["status"] == "completed"


def test_a_question_that_is_being_answered_is_not_taken_away(
    installation: Installation, services: Services, page: Page
) -> None:
    """A person who has opened Cancel keeps it while the page follows the workflow."""
    services.answer(payment=Reply(delay=1.0), shipment=Reply(delay=3.0))
    workflow = installation.start(definition(services.url, ORDER, type="asked"))
    page.goto(f"/workflows/{workflow}")
    page.get_by_text("Cancel…").click()
    expect(page.locator("#graph a.s-completed").first).to_be_attached(timeout=10_000)
    page.get_by_label("Undo what took effect").uncheck()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator(".flash")).to_contain_text("Cancelling")
    expect(page.locator("h1")).to_contain_text("cancelled", timeout=15_000)


@pytest.fixture(scope="module")
def every_page(installation: Installation, web: str) -> list[str]:
    """The paths of all kinds of pages, each with something on it: what failed, waits for a person, is large."""
    undone = {"payment": {"next": ["ship"], "compensate": {"targetUrl": REFUSES}}, "ship": {"targetUrl": REFUSES}}
    flow = definition(REFUSES, undone, type="a-type-whose-name-is-so-long-that-no-phone-shows-it-on-one-line")
    failed = installation.start(flow)
    item = {"forEach": {"items": "${context.people}", "tolerate": 5}, "retries": 0}
    mailing = installation.start(definition(REFUSES, {"send": item}, type="mailing"), {"people": ["ada", {"b": 1}]})
    asked = {"check": {"approval": {"timeout": "1d", "message": "Send 5 rows?"}}}
    decide = installation.start(read_document({"type": "export", "steps": asked}))
    large = {f"s{n}": {"waitFor": [f"s{n - 10}"] if n >= 10 else []} for n in range(300)}
    thousands = installation.start(definition(REFUSES, large, type="large"))
    ask = partial(requests.request, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    assert ask("PUT", f"{web}/api/limits/bank.example", json={"concurrency": 5}).status_code == 200
    tick = {"id": "nightly", "type": "subscription", "cron": "0 3 * * *", "context": {"email": "a@b.cd", "plan": "pro"}}
    assert ask("POST", f"{web}/api/schedules", json=tick).status_code == 201
    told = {"targetUrl": REFUSES, "webhookUrl": "https://hooks.example/x", "retries": 0}
    assert ask("POST", f"{web}/api/tasks", json=told).status_code == 202
    until(lambda: ask("GET", f"{web}/api/webhooks/deliveries").json()["deliveries"], 15, "a delivery")
    [delivery] = ask("GET", f"{web}/api/webhooks/deliveries").json()["deliveries"]
    until(lambda: installation.row(failed)["status"] == "failed", 15, "a failure")
    one, many = f"/workflows/{failed}", f"/workflows/{mailing}/steps/send"
    workflows = [one, f"/workflows/{decide}", f"/workflows/{mailing}", f"/workflows/{thousands}"]
    steps = [f"{one}/steps/payment", f"{one}/events", many, f"{many}?items=all", f"{many}[1]"]
    board = ["/", "/?status=failed&field=a&value=b", "/?status=odd", "/?type=nothing", NOWHERE]
    definitions = ["/definitions", "/definitions?since=24h", "/definitions/subscription?since=7d"]
    others = ["/schedules", "/webhooks", f"/webhooks/{delivery['deliveryId']}", "/limits", "/workers"]
    return [*board, *workflows, *steps, *definitions, *others, "/login"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(
    every_page: list[str], page: Page, scheme: str, width: int
) -> None:
    """On every page, in light and dark, on a desk and on a phone."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of two words
    for path in every_page:
        if path == "/login":
            page.context.clear_cookies()  # it leads on at once whoever is logged in
        page.goto(path)
        page.evaluate("document.querySelectorAll('details:not(.order)').forEach((each) => { each.open = true; })")
        found = Axe().run(page).response["violations"]
        told = [
            f"{path} {one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert told == [], "\n".join(told)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_keyboard_alone_leads_everywhere(page: Page) -> None:
    """The first stop skips to the content; what has the focus can be seen."""
    page.goto("/workers")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Newest")).to_be_visible()
