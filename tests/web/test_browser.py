"""The pages in a real browser: with its script, by keyboard, at both widths, in both colour schemes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.needs import chromium
from tests.servers import free_port
from tests.web.fakes import small_services
from tutor.web.site import make_site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = ("/", "/lessons/doors", "/lessons/doors/wrap-up", "/glossary", "/profile", "/content", "/nothing-here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        launched = p.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield launched
        launched.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    services = small_services(tmp_path, port=port)
    server = make_server("127.0.0.1", port, make_site(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()
    server.server_close()
    services.database.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = context.new_page()
    opened.faults = []
    opened.on("pageerror", lambda e: opened.faults.append(str(e)))
    opened.on("console", lambda m: opened.faults.append(m.text) if m.type == "error" and "404" not in m.text else None)
    yield opened
    assert opened.faults == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_has_a_barrier_or_scrolls_sideways(page: Any, url: str, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for path in PAGES:
        page.goto(url + path)
        violations = Axe().run(page).response["violations"]
        assert [(path, v["id"], [n["target"] for n in v["nodes"]]) for v in violations] == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


def test_a_question_is_answered_in_place(page: Any, url: str) -> None:
    page.goto(url + "/lessons/doors")
    box = page.locator("#q-which-key")
    box.get_by_label("Option fits").check()
    box.get_by_role("button", name="Answer").click()
    page.wait_for_selector("#q-which-key [data-verdict]")
    assert page.url == url + "/lessons/doors"
    assert page.evaluate("document.activeElement.textContent.trim()") == "Right."
    assert "Every option is explained" in page.text_content("#say")
    assert page.text_content("#rail-count") == "1 of 2 questions in the text answered"
    page.reload()
    assert page.locator("#q-which-key [data-verdict]").is_visible()


def test_an_answer_survives_a_lost_connection(page: Any, url: str) -> None:
    page.goto(url + "/lessons/doors")
    cut = threading.Event()
    tries: list[str] = []

    def lose_once(route: Any) -> None:
        tries.append(route.request.url)
        if cut.is_set():
            route.continue_()
        else:
            cut.set()
            route.abort("connectionreset")

    page.route("**/questions/**", lose_once)
    page.locator("#q-which-key").get_by_label("Option jams").check()
    page.locator("#q-which-key").get_by_role("button").click()
    page.wait_for_selector("#q-which-key [data-verdict]")
    assert len(tries) == 2
    assert page.locator(".offline-line").count() == 0
    page.faults.clear()  # Chromium reports the lost connection itself


def test_the_wrap_up_keeps_what_was_chosen_and_asks_about_gaps(page: Any, url: str) -> None:
    page.goto(url + "/lessons/doors/wrap-up")
    page.locator("#q-lock-one").get_by_label("Option fits").check()
    page.goto(url + "/lessons/doors")
    page.goto(url + "/lessons/doors/wrap-up")
    assert page.locator("#q-lock-one input:checked").count() == 1
    page.get_by_role("button", name="Submit all answers").click()
    page.wait_for_selector("#gaps")
    assert page.evaluate("document.activeElement.id") == "gaps"
    assert page.locator("#q-lock-one input:checked").count() == 1
    page.get_by_role("button", name="Submit with the gaps").click()
    page.wait_for_url("**/result/1")
    assert page.get_by_role("heading", level=1).text_content() == "Not passed yet"


def test_a_definition_opens_on_focus_and_closes_by_escape(page: Any, url: str) -> None:
    page.goto(url + "/lessons/doors")
    page.locator("#objectives").evaluate("e => { e.tabIndex = -1; e.focus(); }")
    page.keyboard.press("Tab")
    assert page.locator("[role=tooltip]").text_content() == "doorA wall that moves."
    assert page.locator("a.term").first.get_attribute("aria-describedby") == "term-pop"
    page.keyboard.press("Escape")
    assert page.locator("[role=tooltip]").count() == 0


def test_the_contents_follow_the_reader(page: Any, url: str) -> None:
    page.goto(url + "/lessons/doors")
    page.evaluate("document.querySelector('#path').scrollIntoView()")
    page.wait_for_selector(".rail a[href='#path'][aria-current]")
    page.goto(url + "/")
    assert page.locator("[data-resume]").get_attribute("href").endswith("/lessons/doors#path")


def test_everything_works_without_script(browser: Any, url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url + "/lessons/doors")
    for item in ("which-key", "which-way"):
        page.locator(f"#q-{item}").get_by_label("Option fits").check()
        page.locator(f"#q-{item}").get_by_role("button", name="Answer").click()
        assert page.url.endswith(f"#q-{item}")
    page.get_by_role("link", name="Go to the wrap-up").click()
    for item in ("lock-one", "lock-two"):
        page.locator(f"#q-{item}").get_by_label("Option fits").check()
    page.get_by_role("button", name="Submit all answers").click()
    assert page.get_by_role("heading", level=1).text_content() == "Lesson passed"
    page.get_by_role("button", name="Take it again").click()
    assert "/lessons/doors#q-" in page.url
    context.close()
