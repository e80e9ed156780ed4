"""Sound files: what they become, and that changes are picked up."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import pytest

from tests.content import small
from tutor.content import library as library_module
from tutor.content import markdown
from tutor.content.library import Library
from tutor.content.models import HtmlBlock, PathBlock, QuestionBlock
from tutor.errors import NotFound

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library looks at its files on every call, not once a second."""
    monkeypatch.setattr(library_module, "_LOOK_EVERY_S", 0.0)


def test_a_lesson_is_cut_at_headings_and_directives(tmp_path: Path) -> None:
    lesson = Library(small.write(tmp_path)).lesson("doors")
    assert [(s.id, s.title) for s in lesson.sections] == [("key", "The key"), ("way", "The <code>way</code>")]
    assert [type(b) for b in lesson.intro] == [HtmlBlock]
    assert [type(b) for b in lesson.sections[0].blocks] == [HtmlBlock, QuestionBlock, HtmlBlock]
    assert lesson.sections[1].blocks == (PathBlock(),)
    html = "".join(b.html for s in lesson.sections for b in s.blocks if isinstance(b, HtmlBlock))
    assert '<h3 id="kinds">' in html
    assert 'class="admonition note"' in html
    assert "<table>" in html
    assert "## no heading, no {{ path }}" in html
    assert '<span class="nt">key</span>' in html


def test_reading_time_counts_code_at_half_speed_and_a_minute_a_question(tmp_path: Path) -> None:
    body = "word " * 400 + "\n\n```text\n" + "code " * 300 + "\n```\n"
    lesson = small.LESSON.replace("See [the way](#way).", "See [the way](#way).\n\n" + body)
    found = Library(small.write(tmp_path, lesson=lesson)).lesson("doors")
    rest = found.words - 700
    assert found.minutes == math.ceil((400 + rest) / 200 + 300 / 100) + 1


def test_lab_prose_is_rendered_and_its_manifests_kept_in_order(tmp_path: Path) -> None:
    (small.write(tmp_path) / "labs/hinge/manifests/10-more.yaml").write_text("# nothing yet\n")
    library = Library(tmp_path)
    lab = library.lab("hinge")
    assert lab.brief_html == "<p>Mend the <em>door</em>.</p>"
    assert lab.stages[0].brief == "<p>Look at <strong>it</strong>.</p>"
    assert "<code>look</code>" in lab.stages[0].hints.answer
    assert [name for name, _ in lab.manifests] == ["00-house.yaml", "10-more.yaml"]
    solutions, wrong = library.lab_scripts("hinge")
    assert (list(solutions), list(wrong)) == (["oil"], ["new-door"])
    assert library.lab_directory("hinge") == tmp_path / "labs" / "hinge"


@pytest.mark.parametrize("kind", ["lesson", "quiz", "lab", "lab_scripts"])
def test_what_is_not_there_is_named_with_what_is(tmp_path: Path, kind: str) -> None:
    library = Library(small.write(tmp_path))
    with pytest.raises(NotFound, match=r"called windows\. There are: (doors|hinge)\."):
        getattr(library, kind)("windows")


@pytest.mark.usefixtures("eager")
def test_a_change_is_picked_up_and_a_break_is_mended(tmp_path: Path) -> None:
    library = Library(small.write(tmp_path))
    before = library.lesson("doors")
    assert library.lesson("doors") is before
    path = tmp_path / "lessons/doors/lesson.md"
    path.write_text(small.LESSON.replace("title: Doors", "title: Doors and more"))
    assert library.lesson("doors").meta.title == "Doors and more"
    assert library.lesson("doors").digest != before.digest
    path.write_text("broken")
    with pytest.raises(NotFound):
        library.lesson("doors")
    assert library.quiz("doors").title == "Doors"
    path.write_text(small.LESSON)
    os.utime(path, ns=(1, 1))
    assert library.lesson("doors") == before


@pytest.mark.usefixtures("eager")
def test_a_file_that_goes_while_it_is_looked_at_counts_as_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(small.write(tmp_path))
    real = Path.stat

    def vanishing(self: Path, **more: bool) -> os.stat_result:
        if self.name == "glossary.yaml":
            raise FileNotFoundError(2, "No such file or directory")
        return real(self, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", vanishing)
        assert library.quizzes()[0].slug == "doors"
    assert library.problems == ()


@pytest.mark.usefixtures("eager")
def test_many_threads_may_ask_while_files_change(tmp_path: Path) -> None:
    library = Library(small.write(tmp_path))
    errors: list[Exception] = []

    def ask() -> None:
        for _ in range(20):
            try:
                assert library.quiz("doors").items
            except Exception as e:  # noqa: BLE001 - a thread's errors are told by the assertion below
                errors.append(e)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(5):
        (tmp_path / "labs/hinge/brief.md").write_text("x" * i)
    for t in threads:
        t.join()
    assert errors == []


def test_no_content_at_all_is_no_crash(tmp_path: Path) -> None:
    library = Library(tmp_path / "nowhere")
    assert (library.lessons(), library.problems) == ((), ())


def test_links_to_terms_carry_the_term() -> None:
    html = markdown.inline("A [deny](term:default-deny) & `<b>`")
    assert (
        html
        == 'A <a class="term" href="#term-default-deny" data-term="default-deny">deny</a> &amp; <code>&lt;b&gt;</code>'
    )


def test_code_is_blanked_out_character_for_character() -> None:
    text = "a `b` c\n\n~~~~sh\n```\n# d\n~~~~\ne"
    bare = markdown.prose(text)
    assert len(bare) == len(text)
    assert bare.split("\n") == ["a     c", "", "      ", "   ", "   ", "    ", "e"]
    assert list(markdown.links("`[x](#no)`\n[y](#yes)\n[z](term:t)")) == [(1, "#yes"), (2, "term:t")]


def test_the_lesson_that_ships_has_what_issue_and_brief_ask_for() -> None:
    library = Library(REPOSITORY)
    lesson = library.lesson("zero-trust-networkpolicy")
    quiz = library.quiz(lesson.meta.quiz)
    assert [p for p in library.problems if not p.file.startswith("labs/")] == []
    assert 4 <= len(lesson.meta.objectives) <= 6
    assert [i.placement for i in quiz.items].count("inline") == 4
    assert [i.placement for i in quiz.items].count("wrap-up") == 6
    assert all(len(i.variants) >= 3 for i in quiz.items)
    assert math.ceil(round(quiz.pass_ratio * len(quiz.items), 9)) == 7
    assert sum(t.core for t in lesson.glossary) == 6
    assert lesson.path is not None
    assert len(lesson.path.stages) == 5
    assert len(lesson.path.runs) == 2
    assert len(lesson.meta.sources) >= 3
