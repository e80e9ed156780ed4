"""The lesson page, the first page and the glossary."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from flask import Flask

from tests.web.fakes import CONTENT, SmallServices, Visitor, small_services
from tutor.store.base import Database
from tutor.store.quizzes import Quizzes
from tutor.web.site import make_site


def test_the_lesson_holds_every_part(visitor: Visitor) -> None:
    page = visitor.page("/lessons/doors")
    for anchor in ("objectives", "door", "path", "wrap-up", "glossary", "sources"):
        assert f'id="{anchor}"' in page, anchor
        assert f'href="#{anchor}"' in page, anchor
    assert "Open a door." in page
    assert re.search(r"about \d+ minutes? to read", page)
    assert page.count("data-question") == 2


def test_text_of_authors_cannot_become_markup(visitor: Visitor) -> None:
    page = visitor.page("/lessons/doors")
    assert "knock &lt;1&gt;" in page
    assert "is 1 &lt; 2?" in page


def test_both_runs_of_the_path_stand_in_the_figure_and_in_words(visitor: Visitor) -> None:
    page = visitor.page("/lessons/doors")
    figure = page[page.index("<figure") : page.index("</figure>")]
    for text in ("An open door", "A locked door", "stopped here", "not reached", "guest inside", "No evidence"):
        assert text in figure, text
    assert "The guest knocks, and nobody opens." in figure[figure.index("<details") :]


def test_terms_lead_to_their_definition(visitor: Visitor) -> None:
    page = visitor.page("/lessons/doors")
    assert re.search(r'<a[^>]*class="term"[^>]*href="#term-door"|<a[^>]*href="#term-door"[^>]*class="term"', page)
    assert 'id="term-door"' in page
    assert "A <code>wall</code> that moves." in page


def test_wide_tables_can_be_scrolled_by_keyboard(visitor: Visitor) -> None:
    assert '<div class="table-scroll" role="region" aria-label="Table 1" tabindex="0"><table>' in visitor.page(
        "/lessons/doors"
    )


def test_ids_are_unique(visitor: Visitor) -> None:
    ids = re.findall(r'\sid="([^"]+)"', visitor.page("/lessons/doors"))
    assert len(ids) == len(set(ids))


def test_the_glossary_lists_terms_in_order(visitor: Visitor) -> None:
    page = visitor.page("/glossary")
    assert page.index(">door") < page.index(">key")
    assert 'href="#term-door"' in page


def test_the_first_page_offers_to_start_and_then_to_continue(visitor: Visitor) -> None:
    assert "Start reading" in visitor.page("/")
    visitor.get("/lessons/doors")
    visitor.post("/lessons/doors/questions/which-key", attempt="1", option="fits")
    page = visitor.page("/")
    assert "Continue where you left off" in page
    assert "1 of 4 questions answered" in page


def test_broken_content_is_named_with_file_and_line_and_the_rest_is_served(tmp_path: Path) -> None:
    content = tmp_path / "content"
    shutil.copytree(CONTENT, content)
    shutil.copytree(content / "lessons" / "doors", content / "lessons" / "walls")
    (content / "lessons" / "walls" / "glossary.yaml").write_text("- id: [\n")
    services = small_services(tmp_path, content)
    visitor = Visitor(make_site(services))  # type: ignore[arg-type]
    first = visitor.page("/")
    assert "in the content files" in first
    assert "/lessons/doors" in first
    problems = visitor.page("/content")
    services.database.close()
    assert re.search(r"walls/glossary\.yaml:\d+", problems)


def test_sound_content_says_so(visitor: Visitor) -> None:
    assert "Every lesson, quiz and lab is sound." in visitor.page("/content")


@pytest.mark.parametrize("path", ["/lessons/doors", "/lessons/doors/wrap-up", "/", "/glossary", "/profile", "/content"])
def test_every_page_has_landmarks_a_title_and_a_way_past_the_menu(visitor: Visitor, path: str) -> None:
    page = visitor.page(path)
    assert page.count("<h1") == 1
    assert page.count("<main") == 1
    assert 'href="#main"' in page
    assert '<html lang="en">' in page
    assert re.search(r"<title>[^<]+ · Kubetutor</title>", page)


def test_pages_are_not_kept_by_the_browser(services: SmallServices, visitor: Visitor) -> None:
    assert visitor.get("/lessons/doors").headers["Cache-Control"] == "no-store"


def test_what_another_process_records_shows_at_once(services: SmallServices, visitor: Visitor) -> None:
    assert "1 of 2 questions in the text answered" not in visitor.page("/lessons/doors")
    other = Database(services.settings.database)
    Quizzes(other, services.library).answer("local", "doors", "which-key", "fits", attempt=1)
    other.close()
    assert "1 of 2 questions in the text answered" in visitor.page("/lessons/doors")


def test_the_database_number_moves_with_each_commit_only(services: SmallServices) -> None:
    first = services.database.version()
    assert first is not None
    services.quizzes.sheet("local", "doors")
    assert services.database.version() == first
    services.quizzes.answer("local", "doors", "which-key", "fits", attempt=1)
    assert services.database.version() != first


def test_a_kept_page_carries_each_visitors_own_token(app: Flask) -> None:
    first, second = Visitor(app), Visitor(app)
    first.page("/lessons/doors")
    page = second.page("/lessons/doors")
    assert first.token != second.token
    assert first.token not in page
    assert "@form-token@" not in page


def test_a_broken_quiz_takes_neither_the_first_page_nor_the_profile_away(tmp_path: Path) -> None:
    content = tmp_path / "content"
    shutil.copytree(CONTENT, content)
    (content / "quizzes" / "doors.yaml").write_text("slug: doors\ntitle: [\n")
    services = small_services(tmp_path, content)
    visitor = Visitor(make_site(services))  # type: ignore[arg-type]
    answers = {path: visitor.get(path).status_code for path in ("/", "/profile", "/glossary", "/content")}
    lesson = visitor.get("/lessons/doors")
    services.database.close()
    assert answers == dict.fromkeys(answers, 200)
    assert lesson.status_code == 404
