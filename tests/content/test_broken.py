"""Broken files: each problem stands at its own line, and what is sound is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.content import small
from tutor.content.library import Library
from tutor.content.source import MAX_BYTES


def swap(text: str, old: str, new: str) -> str:
    """``text`` with one passage replaced; the passage must be there."""
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def lint(root: Path) -> list[str]:
    return [f"{p.file}:{p.line}: {p.message}" for p in Library(root).problems]


def test_sound_content_has_no_problems(tmp_path: Path) -> None:
    library = Library(small.write(tmp_path))
    assert library.problems == ()
    assert [lesson.slug for lesson in library.lessons()] == ["doors"]
    assert [q.slug for q in library.quizzes()] == ["doors"]
    assert [lab.slug for lab in library.labs()] == ["hinge"]


L, G, P = "lessons/doors/lesson.md", "lessons/doors/glossary.yaml", "lessons/doors/path.yaml"
Q, LAB = "quizzes/doors.yaml", "labs/hinge/lab.yaml"
SOL, WRONG, MAN = (
    "labs/hinge/solutions/oil.yaml",
    "labs/hinge/wrong/new-door.yaml",
    "labs/hinge/manifests/00-house.yaml",
)
LESSON_CASES = [
    ("title: Doors", "titel: Doors", f"{L}:2: titel: is not a field of this file"),
    ("title: Doors", "title: Doors\ntitle: Windows", f'{L}:3: the key "title" is written twice'),
    ("quiz: doors", "quiz: windows", f'{L}:1: the quiz "windows" does not exist or is broken'),
    ("lab: hinge", "lab: lock", f'{L}:1: the lab "lock" does not exist'),
    ("  - id: open-door", "  - id: Open Door", f"{L}:8: objectives.0.id: String should match pattern"),
    ("https://", "http://", f"{L}:12: sources.0.url: String should match pattern"),
    ("---\n\nA [door]", "\n\nA [door]", f"{L}:1: must begin with front matter"),
    ("(term:door)", "(term:dor)", f'{L}:16: the glossary has no term "dor"'),
    ("(term:door)", "(term:DOOR)", f'{L}:16: the glossary has no term "DOOR"'),
    ("(#way)", "(#why)", f'{L}:20: nothing on the page has the id "why"'),
    ("value\n```", "value", f"{L}:22: this block of code is never closed"),
    ("{#way}", "{#key}", f'{L}:36: two headings have the id "key"'),
    ("{#kinds}", "{#key}", f'{L}:29: two headings have the id "key"'),
    ("{#key}", "{#The_Key}", f"{L}:18: a heading needs an id like"),
    ("## The key {#key}", "## ???", f"{L}:18: a heading needs an id like"),
    ("## The key {#key}", "## " + "long " * 20, f"{L}:18: a heading needs an id like"),
    ("{#key}", "{#glossary}", f'{L}:18: the id "glossary" belongs to a part of the page'),
    ("{#key}", "{#q-which-key}", f'{L}:18: the id "q-which-key" belongs to a part of the page'),
    ("## The key", "# The key", f"{L}:18: the title stands in the front matter"),
    ("\n{{ path }}", "\n{{ paths }}", f"{L}:38: a directive is"),
    ("\n{{ path }}", "\nHere: {{ path }}", f"{L}:38: a directive is"),
    ("{{ question: which-key }}", "  {{ question: which-key }}", f"{L}:27: a directive is"),
    ("{{ question: which-key }}", "{{ question }}", f"{L}:27: a directive is"),
    ("{{ question: which-key }}", "{{ question: -- }}", f'{L}:27: "--" cannot be the id of a question'),
    ("{{ question: which-key }}", "{{ question: other }}", f'{L}:27: the quiz has no inline item "other"'),
    ("{{ question: which-key }}", "", f'{Q}:4: the inline item "which-key" is not placed in {L}'),
    ("\n{{ path }}", "\n{{ question: which-key }}", f'{L}:38: the inline item "which-key" is placed 2 times'),
]


@pytest.mark.parametrize(("old", "new", "expected"), LESSON_CASES)
def test_lesson(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = lint(small.write(tmp_path, lesson=swap(small.LESSON, old, new)))
    assert any(line.startswith(expected) for line in found), found


OTHER_CASES = [
    ("glossary", small.GLOSSARY, "id: key", "id: door", f'{G}:5: two terms have the id "door"'),
    ("glossary", small.GLOSSARY, "see: [door]", "see: [wall]", f'{G}:8: term "key" refers to "wall"'),
    ("glossary", small.GLOSSARY, "(term:key)", "(term:kei)", f'{G}:4: the glossary has no term "kei"'),
    ("glossary", small.GLOSSARY, "- id: door", "id: [", f"{G}:"),
    ("glossary", small.GLOSSARY, small.GLOSSARY, "door: wall\n", f"{G}:1: Input should be a valid list"),
    ("path", small.PATH, "{id: enter", "{id: knock", f'{P}:4: two stages have the id "knock"'),
    ("path", small.PATH, "{stage: enter", "{stage: leave", f'{P}:10: run "healthy" must show every stage once'),
    ("path", small.PATH, "status: passed", "status: lost", f"{P}:11: runs.0.steps.0.status: Input should be"),
    ("quiz", small.QUIZ, ", correct: true", "", f"{Q}:8: which-key/a: exactly one option must be correct, not 0"),
    ("quiz", small.QUIZ, "text: wrong a", "text: wrong a, correct: true", f"{Q}:8: which-key/a: exactly one option"),
    ("quiz", small.QUIZ, "id: wrong-a", "id: right-a", f'{Q}:12: which-key/a: two options have the id "right-a"'),
    ("quiz", small.QUIZ, "- id: b", "- id: a", f'{Q}:14: which-key: two variants have the id "a"'),
    ("quiz", small.QUIZ, "- id: closing", "- id: which-key", f'{Q}:26: two items have the id "which-key"'),
    (
        "quiz",
        small.QUIZ,
        ", explanation: Because right.",
        "",
        f"{Q}:11: items.0.variants.0.options.0.explanation: is missing",
    ),
    ("quiz", small.QUIZ, "Because right.", "' '", f"{Q}:11: items.0.variants.0.options.0.explanation: String should"),
    (
        "quiz",
        small.QUIZ,
        "[open-door]",
        "[open-window]",
        f'{Q}:4: which-key: the lesson has no objective "open-window"',
    ),
    ("quiz", small.QUIZ, "title: Doors", "slug: walls\ntitle: Doors", f"{Q}:1: the slug must be the name of its file"),
    ("quiz", small.QUIZ, "pass_ratio: 0.7", "pass_ratio: 1.7", f"{Q}:2: pass_ratio: Input should be less than"),
    ("quiz", small.QUIZ, "title: Doors", "digest: abc\ntitle: Doors", f'{Q}:1: "digest" is filled in by Kubetutor'),
    ("quiz", small.QUIZ, small.QUIZ, "- a\n", f"{Q}:1: must be a mapping"),
    ("quiz", small.QUIZ, small.QUIZ, "", f"{Q}:1: must be a mapping"),
    ("lab", small.LAB, "id: mend", "id: look", f'{LAB}:22: two stages have the id "look"'),
    ("lab", small.LAB, "id: moves", "id: seen", f'{LAB}:27: two checks have the id "seen"'),
    ("lab", small.LAB, "correct: true, ", "", f'{LAB}:15: question "seen" must have exactly one correct choice'),
    ("lab", small.LAB, "id: lock", "id: hinge", f'{LAB}:21: seen: two choices have the id "hinge"'),
    ("lab", small.LAB, "kind: question", "kind: flows", f'{LAB}:15: check "seen" has choices but is no question'),
    ("lab", small.LAB, "namespace: house", "namespace: yard", f'{LAB}:8: actor "door" lives in "yard"'),
    ("lab", small.LAB, "deployment: door", "deployment: gate", f'{LAB}:8: no manifest has the Deployment "gate"'),
    (
        "lab",
        small.LAB,
        "objectives: [open-door]",
        "objectives: [x]",
        f'{LAB}:15: seen: the lesson has no objective "x"',
    ),
    ("lab", small.LAB, "lesson: doors", "lesson: walls", f'{LAB}:3: the lesson "walls" does not exist or is broken'),
    ("lab", small.LAB, "minutes: 10", "minutes: ten", f"{LAB}:4: minutes: Input should be a valid integer"),
    ("manifest", small.MANIFEST, "kind: Deployment\n", "", f"{MAN}:5: a manifest has apiVersion, kind and metadata"),
    ("manifest", small.MANIFEST, "{name: door", "{name: [door", f"{MAN}:7: is not valid YAML"),
    ("solution", small.SOLUTION, "stage: mend", "stage: oil", f'{SOL}:5: the lab has no stage "oil"'),
    (
        "solution",
        small.SOLUTION,
        "stage: mend",
        "stage: look",
        f"{SOL}:2: a solution has one step for each stage, in order",
    ),
    ("solution", small.SOLUTION, "seen: hinge", "seen: knob", f'{SOL}:4: no question "seen" has the choice "knob"'),
    ("solution", small.SOLUTION, "house/ConfigMap/rust", "rust", f'{SOL}:11: "rust" must be namespace/kind/name'),
    (
        "solution",
        small.SOLUTION,
        "      - |\n",
        "      - oil.txt\n      - |\n",
        f'{SOL}:7: there is no file "oil.txt" beside',
    ),
    ("solution", small.SOLUTION, "{name: oil}", "{name: [oil}", f"{SOL}:7: is not valid YAML"),
    ("wrong", small.WRONG, "fails_at: moves", "fails_at: falls", f"{WRONG}:3: fails_at must name a check of the lab"),
    ("wrong", small.WRONG, "says: does not move\n", "", f"{WRONG}:1: says must hold a phrase"),
    ("wrong", small.WRONG, "starts_from: oil", "starts_from: glue", f'{WRONG}:2: there is no solution "glue"'),
    ("wrong", small.WRONG, "steps:", "providers: [shared]\nsteps:", f'{WRONG}:5: the lab does not run on "shared"'),
    ("wrong", small.WRONG, "house/Deployment/door", "door", f'{WRONG}:8: "door" must be namespace/kind/name'),
]


@pytest.mark.parametrize(("file", "text", "old", "new", "expected"), OTHER_CASES)
def test_other_files(tmp_path: Path, file: str, text: str, old: str, new: str, expected: str) -> None:
    found = lint(small.write(tmp_path, **{file: swap(text, old, new)}))
    assert any(line.startswith(expected) for line in found), found


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [" + ", ".join([f"*{chr(97 + i)}"] * 9) + "]\n" for i in range(12)
)
YAML_CASES = [
    (BOMB, 1, "holds more than"),
    ("a: &a [*a]\n", 1, "nested too deeply, or inside itself"),
    ("[" * 5000, 1, "nested too deeply, or inside itself"),
    ("title: x\nb: \x00\n", 2, "it holds the character #x0000"),
    ("a: 1\n\tb: 2\n", 2, "is not valid YAML"),
    ("a: 1\n---\nb: 2\n", 2, "is not valid YAML"),
    ("a: 1\n? [x]\n: 2\n", 2, "is not valid YAML"),
    ("a: !!python/object/apply:os.getcwd []\n", 1, "is not valid YAML"),
    ("a: 2026-02-31\n", 1, "is not valid YAML"),
]


@pytest.mark.parametrize(("text", "line", "message"), YAML_CASES)
def test_what_is_no_yaml(tmp_path: Path, text: str, line: int, message: str) -> None:
    problems = Library(small.write(tmp_path, quiz=text)).problems
    named = [p for p in problems if p.file == Q]
    assert [p.line for p in named] == [line]
    assert message in named[0].message
    assert "\n" not in named[0].message


def test_text_that_is_too_large_or_no_text_at_all(tmp_path: Path) -> None:
    small.write(tmp_path, quiz="#" * (MAX_BYTES + 1))
    (tmp_path / L).write_bytes(b"---\n\xff\xfe\n")
    found = lint(tmp_path)
    assert f"{Q}:1: larger than 2 MB" in found
    assert f"{L}:1: is not UTF-8 text: invalid start byte at byte 4" in found


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path: Path) -> None:
    small.write(tmp_path)
    (tmp_path / L).write_bytes(b"\xef\xbb\xbf" + small.LESSON.replace("\n", "\r\n").encode())
    assert lint(tmp_path) == []


def test_a_name_that_cannot_stand_in_an_address(tmp_path: Path) -> None:
    small.write(tmp_path)
    (tmp_path / "lessons" / "My Lesson").mkdir()
    (tmp_path / "lessons" / "My Lesson" / "lesson.md").write_text(small.LESSON)
    found = lint(tmp_path)
    assert [f for f in found if f.startswith("lessons/My Lesson/lesson.md:1: its name must be")] == found


def test_a_lab_needs_a_solution(tmp_path: Path) -> None:
    (small.write(tmp_path) / SOL).unlink()
    found = lint(tmp_path)
    assert f"{LAB}:1: a lab needs at least one solution in solutions/, which must pass" in found


def test_problems_are_sorted_and_all_named_at_once(tmp_path: Path) -> None:
    lesson = swap(swap(small.LESSON, "(#way)", "(#why)"), "(term:door)", "(term:dor)")
    found = Library(small.write(tmp_path, lesson=lesson, glossary=swap(small.GLOSSARY, "[door]", "[wall]"))).problems
    assert [(p.file, p.line) for p in found if p.file != LAB] == [(G, 8), (L, 16), (L, 20)]
    assert list(found) == sorted(found)


def test_the_good_ones_are_still_served(tmp_path: Path) -> None:
    small.write(tmp_path)
    other = tmp_path / "lessons" / "walls"
    other.mkdir()
    (other / "lesson.md").write_text("no front matter")
    (tmp_path / "quizzes" / "walls.yaml").write_text("items: [")
    library = Library(tmp_path)
    assert [lesson.slug for lesson in library.lessons()] == ["doors"]
    assert [q.slug for q in library.quizzes()] == ["doors"]
    assert {p.file for p in library.problems} == {"lessons/walls/lesson.md", "quizzes/walls.yaml"}
