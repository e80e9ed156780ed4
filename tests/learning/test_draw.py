"""Drawing: no chance in it, and never the same question twice in a row."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tutor.content.models import Item, Option, Quiz, Variant
from tutor.learning import draw

NAMES = st.text("abcdefgh-0123456789", min_size=1, max_size=12)


def item(variants: int, name: str = "item") -> Item:
    options = tuple(Option(id=f"o{i}", text="t", correct=i == 0, explanation="e") for i in range(4))
    return Item(
        id=name,
        placement="inline",
        objectives=("objective",),
        variants=tuple(Variant(id=f"v{i}", prompt="p", options=options) for i in range(variants)),
    )


def quiz(*items: Item) -> Quiz:
    return Quiz(slug="quiz", title="t", pass_ratio=0.7, items=items)


@given(learner=NAMES, attempt=st.integers(1, 50), variants=st.integers(1, 6))
def test_the_same_attempt_always_gets_the_same(learner: str, attempt: int, variants: int) -> None:
    one, two = item(variants), item(variants)
    chosen = draw.variant(one, learner, attempt)
    assert chosen == draw.variant(two, learner, attempt)
    assert draw.options(chosen, learner, "item", attempt) == draw.options(chosen, learner, "item", attempt)


@given(learner=NAMES, attempt=st.integers(1, 50), variants=st.integers(2, 6))
def test_consecutive_attempts_get_other_variants_until_all_were_asked(
    learner: str, attempt: int, variants: int
) -> None:
    chosen = [draw.variant(item(variants), learner, attempt + i).id for i in range(variants)]
    assert len(set(chosen)) == variants


@given(learner=NAMES, attempt=st.integers(1, 50))
def test_options_are_only_put_in_another_order(learner: str, attempt: int) -> None:
    chosen = item(1).variants[0]
    assert sorted(o.id for o in draw.options(chosen, learner, "item", attempt)) == ["o0", "o1", "o2", "o3"]


def test_the_right_option_stands_at_every_place_about_as_often() -> None:
    chosen = item(1).variants[0]
    places = Counter(
        [o.correct for o in draw.options(chosen, f"learner-{n}", "item", 1)].index(True) for n in range(2000)
    )
    assert set(places) == {0, 1, 2, 3}
    assert all(400 < count < 600 for count in places.values())


def test_variants_are_spread_over_learners() -> None:
    seen = Counter(draw.variant(item(3), f"learner-{n}", 1).id for n in range(1500))
    assert all(400 < seen[v] < 600 for v in ("v0", "v1", "v2"))


@given(learner=NAMES, attempt=st.integers(2, 20), was=st.integers(2, 5), is_now=st.integers(2, 5))
def test_a_retake_asks_another_variant_even_if_the_quiz_has_changed(
    learner: str, attempt: int, was: int, is_now: int
) -> None:
    before = draw.asked(quiz(item(was)), learner, attempt - 1, {})
    now = draw.asked(quiz(item(is_now)), learner, attempt, before)
    assert now["item"] != before["item"]


def test_a_question_with_one_variant_is_asked_again() -> None:
    only = quiz(item(1))
    assert draw.asked(only, "local", 2, {"item": "v0"}) == {"item": "v0"}
