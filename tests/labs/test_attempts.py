"""Checks, credit, answers and hints, as truth tables."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.labs.fakes import Clock, ScriptedVerifier
from tutor.errors import Conflict, InvalidInput, NotFound
from tutor.labs import views
from tutor.labs.service import Labs, LabView
from tutor.store import labs as store

Make = Callable[..., Labs]
Open = Callable[..., LabView]


@pytest.fixture(autouse=True)
def plain_html(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "html", lambda text: f"<p>{text}</p>")
    monkeypatch.setattr("tutor.labs.service.html", lambda text: f"<p>{text}</p>")


def _states(labs: Labs, view: LabView) -> list[str]:
    return [s.state for s in labs.view(view.id, "ann").stages]


def _earn_two(labs: Labs, view: LabView) -> None:
    labs.check(view.id, "ann", "look")
    labs.check(view.id, "ann", "break")


def test_stages_open_in_order(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    with pytest.raises(Conflict, match='opens when "Look" is passed'):
        labs.check(view.id, "ann", "break")
    stage = labs.check(view.id, "ann", "look")
    assert (stage.state, stage.checks[0].outcome) == ("passed", "passed")
    assert stage.checks[0].evidence[0].decided_by == "shop/allow | x"
    assert _states(labs, view) == ["passed", "open", "locked"]


@pytest.mark.parametrize("outcome", ["failed", "could-not-check"])
def test_only_passing_earns(make: Make, opened: Open, outcome: str) -> None:
    labs = make(verifier=ScriptedVerifier({"look": outcome}))
    view = opened(labs)
    stage = labs.check(view.id, "ann", "look")
    assert (stage.state, stage.earned_at, stage.checks[0].outcome) == ("open", None, outcome)
    assert _states(labs, view) == ["open", "locked", "locked"]


@pytest.mark.parametrize(
    ("outcome", "state"), [("passed", "passed"), ("failed", "regressed"), ("could-not-check", "passed")]
)
def test_credit_stays_and_the_live_state_stands_beside_it(
    make: Make, opened: Open, clock: Clock, outcome: str, state: str
) -> None:
    verifier = ScriptedVerifier()
    labs = make(verifier=verifier)
    view = opened(labs)
    first = labs.check(view.id, "ann", "look").earned_at
    verifier.outcomes["look"] = outcome
    clock.forward(minutes=1)
    again = labs.check(view.id, "ann", "look")
    assert (again.state, again.earned_at) == (state, first)


def test_a_momentary_stage_never_regresses(make: Make, opened: Open) -> None:
    verifier = ScriptedVerifier()
    labs = make(verifier=verifier)
    view = opened(labs)
    _earn_two(labs, view)
    verifier.outcomes["break"] = "failed"
    stage = labs.check(view.id, "ann", "break")
    assert (stage.state, stage.checks[0].outcome) == ("passed", "passed")


def test_the_worker_leaves_an_earned_momentary_stage_alone(make: Make, opened: Open) -> None:
    verifier = ScriptedVerifier({"repair": "failed"})
    labs = make(verifier=verifier)
    view = opened(labs)
    _earn_two(labs, view)
    verifier.asked.clear()
    labs.attempts.recheck(labs.sessions.ready(view.id, "ann"))
    assert [stage for stage, _ in verifier.asked] == ["repair", "look"]


def test_the_worker_goes_on_to_the_stage_that_opens(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    labs.attempts.recheck(labs.sessions.ready(view.id, "ann"))
    assert _states(labs, view) == ["passed", "passed", "open"]
    assert labs.view(view.id, "ann").stages[0].auto is True


def test_a_recheck_that_saw_nothing_new_adds_no_record(make: Make, opened: Open) -> None:
    labs = make(verifier=ScriptedVerifier({"look": "failed"}))
    view = opened(labs)
    session = labs.sessions.ready(view.id, "ann")
    for _ in range(3):
        labs.attempts.recheck(session)
    with labs.deps.database.transaction() as tx:
        assert len(store.results_of(tx, view.id)) == 1


def test_a_lab_closed_while_a_check_runs(make: Make, opened: Open) -> None:
    verifier = ScriptedVerifier()
    labs = make(verifier=verifier)
    view = opened(labs)
    verifier.during = lambda: (labs.close(view.id, "ann"), None)[1]
    with pytest.raises(Conflict, match="closed while this check ran, so its result was thrown away"):
        labs.check(view.id, "ann", "look")
    assert labs.earned("ann", "small") == {}


def test_a_lab_reset_while_a_check_runs(make: Make, opened: Open) -> None:
    verifier = ScriptedVerifier()
    labs = make(verifier=verifier)
    view = opened(labs)

    def reset() -> None:
        verifier.during = lambda: None
        labs.reset(view.id, "ann")
        opened(labs)

    verifier.during = reset
    with pytest.raises(Conflict, match="reset while this check ran"):
        labs.check(view.id, "ann", "look")
    assert labs.view(view.id, "ann").state == "ready"


def test_an_answer_is_judged_at_once_and_the_last_one_counts(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    _earn_two(labs, view)
    wrong = labs.answer(view.id, "ann", "why", "wrong").checks[1]
    assert (wrong.outcome, wrong.message, wrong.answered) == ("failed", "No, because.", "wrong")
    right = labs.answer(view.id, "ann", "why", "right").checks[1]
    assert (right.outcome, right.message, right.answered) == ("passed", "Yes, because.", "right")


def test_the_last_missing_answer_earns_the_stage(make: Make, opened: Open) -> None:
    verifier = ScriptedVerifier()
    labs = make(verifier=verifier)
    view = opened(labs)
    _earn_two(labs, view)
    assert labs.check(view.id, "ann", "repair").state == "open"
    assert labs.answer(view.id, "ann", "why", "right").state == "passed"
    assert verifier.asked[-1] == ("repair", {"why": "right"})


def test_answers_that_make_no_sense(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    with pytest.raises(Conflict):
        labs.answer(view.id, "ann", "why", "right")
    _earn_two(labs, view)
    with pytest.raises(InvalidInput, match="not one of this question's answers"):
        labs.answer(view.id, "ann", "why", "maybe")
    with pytest.raises(NotFound, match='no question "works"'):
        labs.answer(view.id, "ann", "works", "right")


def test_hints_open_in_order_and_are_recorded(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    with pytest.raises(Conflict, match="opened in order"):
        labs.hint(view.id, "ann", "look", 2)
    assert labs.hint(view.id, "ann", "look", 1) == "<p>Look.</p>"
    labs.hint(view.id, "ann", "look", 1)
    stage = labs.view(view.id, "ann").stages[0]
    assert (stage.hints_opened, stage.hints) == (1, ("<p>Look.</p>",))
    with pytest.raises(InvalidInput, match="has 3 hints"):
        labs.hint(view.id, "ann", "look", 4)


def test_what_was_earned_outlives_the_session(make: Make, opened: Open, clock: Clock) -> None:
    labs = make()
    view = opened(labs)
    labs.check(view.id, "ann", "look")
    labs.close(view.id, "ann")
    clock.forward(seconds=1)
    assert set(labs.earned("ann", "small")) == {"look"}
    assert _states(labs, opened(labs)) == ["open", "locked", "locked"]
    assert [v.state for v in labs.list("ann")] == ["ready", "closed"]


def test_the_revision_changes_with_what_is_shown(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    seen = [labs.view(view.id, "ann").revision]
    labs.touch(view.id)
    assert labs.view(view.id, "ann").revision == seen[0]
    for act in (
        lambda: labs.check(view.id, "ann", "look"),
        lambda: labs.hint(view.id, "ann", "break", 1),
        lambda: labs.extend(view.id, "ann"),
    ):
        act()
        seen.append(labs.view(view.id, "ann").revision)
    assert len(set(seen)) == 4


def test_the_report_is_made_from_the_records(make: Make, opened: Open, clock: Clock) -> None:
    verifier = ScriptedVerifier()
    labs = make(verifier=verifier)
    view = opened(labs)
    _earn_two(labs, view)
    clock.forward(minutes=5)
    labs.answer(view.id, "ann", "why", "right")
    labs.check(view.id, "ann", "repair")
    text = labs.report(view.id, "ann")
    clock.forward(days=1)
    assert labs.report(view.id, "ann") == text
    assert "All stages are verified." in text
    for heading in ("## What broke, and why", "## Log evidence", "## Health", "## The user's test, before and after"):
        assert heading in text
    assert "| web | api:8080/TCP | passed (12:00:00) | passed (12:00:00) | passed (12:00:00) |" in text
    assert "shop/allow \\| x" in text
    assert "Broken:\n\n```text\nshop/web: 12:00 call=api outcome=ok\n```" in text
    assert "Repaired:\n\n```text\nshop/web: 12:05 call=api outcome=ok\n```" in text
