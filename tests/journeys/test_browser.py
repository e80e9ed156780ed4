"""From the first page to the verified repair, in a real browser, reading nothing but the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import RunningServer
from tutor.content.library import Library

ROOT = Path(__file__).parent.parent.parent
LESSON = "zero-trust-networkpolicy"
LAB = "netpol-dns"
LIMIT_MS = 30_000
PASTE = """(editor, text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  editor.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""
TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (e) =>
  console.error(`${e.violatedDirective} ${e.sourceFile}:${e.lineNumber} ${(e.target.outerHTML || "").slice(0, 300)}`))"""
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("journey")]


def right_texts() -> set[str]:
    """The text of every correct option, as a page shows it."""
    quiz = Library(ROOT).quiz(LESSON)
    return {plain(o.text) for item in quiz.items for v in item.variants for o in v.options if o.correct}


def plain(text: str) -> str:
    """A phrase without its markup."""
    return re.sub(r"\s+", " ", text.replace("`", "").replace("**", "").replace("*", "")).strip()


def choose_right(form: Any, right: set[str], name: str) -> None:
    """Tick the correct option among the radio buttons of a form or fieldset."""
    for option in form.locator(f"label.option:has(input[type=radio]{name})").all():
        if plain(option.inner_text()) in right:
            option.locator("input").check()
            return
    raise AssertionError("no right option: " + form.inner_text())


def accessible(page: Any) -> None:
    """No violation that axe can find."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    told = [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found]
    assert not told, f"{page.url}: {told}"


def solution_text(stage: str) -> str:
    """What the first solution applies in a stage."""
    solutions, _ = Library(ROOT).lab_scripts(LAB)
    step = next(s for s in solutions["one-policy-each"].steps if s.stage == stage)
    return "\n---\n".join(step.apply)


def apply(page: Any, text: str) -> None:
    """Put a manifest into the editor and apply it."""
    page.get_by_role("tab", name="Editor").click()
    editor = page.locator(".cm-content")
    editor.wait_for()
    editor.click()
    page.keyboard.press("Control+a")
    editor.evaluate(PASTE, text)
    page.get_by_role("button", name="Apply").click()
    page.locator("#editor-result li").first.wait_for(timeout=LIMIT_MS)
    assert page.locator("#editor-result .result-bad").count() == 0, page.locator("#editor-result").inner_text()


def console(page: Any, line: str, until: str) -> None:
    """Run a console line and wait for a word of its output."""
    page.get_by_role("tab", name="Console").click()
    page.get_by_label("Command").fill(line)
    page.get_by_role("button", name="Run").click()
    page.locator("#console-screen", has_text=until).wait_for(timeout=LIMIT_MS)
    page.locator("#console-stop").wait_for(state="hidden", timeout=LIMIT_MS)


def passed(page: Any, stage: str) -> None:
    """Wait until a stage shows that it is earned."""
    page.locator(f"#stage-{stage} .stage-state", has_text="passed").wait_for(state="attached", timeout=LIMIT_MS)


def answer(page: Any, check: str, choice: str) -> None:
    """Answer a question of the lab."""
    page.locator(f"#c-{check}-{choice}").check()
    page.locator(f"#check-{check} button").click()
    page.locator(f"#check-{check}.check-passed").wait_for(state="attached", timeout=LIMIT_MS)


def test_from_the_first_page_to_the_verified_repair(
    server: RunningServer, browser: Any, picture: Callable[[Any, str], None]
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 960}, accept_downloads=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda m: errors.append(f"{m.text} ({m.location})") if m.type == "error" else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.add_init_script(TELL_VIOLATIONS)
    right = right_texts()

    page.goto(server.url)
    accessible(page)
    page.goto(f"{server.url}/labs/{LAB}")
    assert page.get_by_role("button", name="Open the lab").count() == 0, "the lab is locked before the lesson is passed"
    page.goto(f"{server.url}/lessons/{LESSON}")
    accessible(page)
    picture(page, "lesson")
    forms = page.locator("form[action*='/questions/']")
    for _ in range(4):
        form = forms.first
        address = form.get_attribute("action")
        choose_right(form, right, "")
        form.get_by_role("button", name="Answer").click()
        page.locator(f"form[action='{address}']").wait_for(state="detached", timeout=LIMIT_MS)

    page.goto(f"{server.url}/lessons/{LESSON}/wrap-up")
    accessible(page)
    for fieldset in page.locator("form fieldset:has(input[type=radio])").all():
        choose_right(fieldset, right, "")
    page.get_by_role("button", name=re.compile("Submit|Send")).click()
    page.wait_for_url(re.compile("/result"), timeout=LIMIT_MS)
    assert "10" in page.locator("main").inner_text()
    accessible(page)
    picture(page, "result")

    page.goto(f"{server.url}/labs/{LAB}")
    accessible(page)
    page.get_by_role("button", name="Open the lab").click()
    page.locator("#console-screen").wait_for(timeout=LIMIT_MS)
    accessible(page)

    console(page, "kubectl logs -n shop deploy/web --tail=2", "outcome=ok")
    answer(page, "observe-unconfirmed", "scraper")
    passed(page, "observe")

    for name in ("web", "api", "db"):
        patch = f'{{"spec":{{"template":{{"metadata":{{"labels":{{"tier":"{name}"}}}}}}}}}}'
        console(page, f"kubectl patch deployment {name} -n shop -p '{patch}'", f"deployment.apps/{name} patched")
    passed(page, "label")  # nobody pressed a button: the change was noticed

    apply(page, solution_text("deny"))
    passed(page, "deny")
    console(page, "kubectl exec -n shop deploy/web -- nslookup api.shop.svc.cluster.local", "timed out")
    picture(page, "broken")
    answer(page, "trace-symptom", "dns-failure")
    answer(page, "trace-stage", "dns")
    passed(page, "trace")
    apply(page, solution_text("dns"))
    passed(page, "dns")
    apply(page, solution_text("flows"))
    passed(page, "flows")
    answer(page, "prove-root-cause", "order")
    passed(page, "prove")
    page.get_by_role("heading", name="Repaired, and proved").wait_for(timeout=LIMIT_MS)
    page.evaluate("window.scrollTo(0, 0)")
    accessible(page)
    picture(page, "verified")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the report").click()
    report = Path(download.value.path()).read_text()
    assert "reports" in report
    assert "timeout" in report

    page.goto(f"{server.url}/profile")
    accessible(page)
    assert "7 of 7" in page.locator("main").inner_text()
    picture(page, "profile")
    context.close()

    phone = browser.new_context(viewport={"width": 360, "height": 780}, color_scheme="dark")
    small = phone.new_page()
    small.on("pageerror", lambda e: errors.append(str(e)))
    for path in ("/", f"/lessons/{LESSON}", f"/labs/{LAB}", "/profile"):
        small.goto(server.url + path)
        accessible(small)
        wide = small.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} scrolls sideways by {wide} px at 360 px"
    small.goto(f"{server.url}/labs/{LAB}")
    picture(small, "lab-phone-dark")
    phone.close()
    assert not errors, errors
