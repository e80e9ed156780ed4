"""Checks, answers and hints: what is tried in a session, recorded with its evidence, and credited once and for all."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tutor.clusters.provider import Role
from tutor.content.models import Check, Lab, Stage
from tutor.errors import Conflict, InvalidInput, NotFound
from tutor.labs.deps import Deps, json_of
from tutor.labs.sessions import Sessions
from tutor.labs.views import FAILED, PASSED, Standing, chosen_choice, unlocked_stages
from tutor.store import labs as store
from tutor.store.labs import ResultRecord, SessionRecord


class Attempts:
    """What a learner tries, and what the worker tries for them."""

    def __init__(self, deps: Deps, sessions: Sessions) -> None:
        self._deps = deps
        self._sessions = sessions
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def standing(self, session: SessionRecord) -> Standing:
        """All that is recorded of a session."""
        with self._deps.database.transaction() as tx:
            credits_ = store.credits_of(tx, session.id)
            results = store.latest_results(tx, session.id)
            momentary = self._momentary(session.slug)
            kept = store.results_by_id(tx, [c.result for c in credits_.values() if c.stage in momentary])
            results |= {r.stage: r for r in kept.values()}
            return Standing(
                store.get(tx, session.id) or session,
                credits_,
                results,
                store.answers_of(tx, session.id),
                store.hints_of(tx, session.id),
            )

    def _momentary(self, slug: str) -> set[str]:
        return {s.id for s in self._deps.library.lab(slug).stages if s.momentary}

    def check_stage(self, session: SessionRecord, stage_id: str, *, auto: bool = False) -> None:
        """Verify one stage now and record the result; passing it earns it.

        :param auto: the worker asks, not the learner.
        :raises Conflict: the stage is not open yet, or the lab ended or was reset while the check ran.
        :raises NotFound: no such stage.
        """
        lab = self._deps.library.lab(session.slug)
        stage = find_stage(lab, stage_id)
        with self._locks[session.id]:
            standing = self.standing(session)
            self._must_be_open(lab, stage, standing)
            access = self._deps.access(session, Role.VERIFIER)
            result = json_of(
                self._deps.verifier.run_stage(lab, stage_id, access, answers=standing.answers, now=self._deps.now)
            )
            if result["outcome"] == PASSED and stage_id not in standing.credits:
                result["logs"] = self._deps.collect_logs(access, lab)
            self._record(session, stage, result, auto=auto, before=standing.results.get(stage_id))

    @staticmethod
    def _must_be_open(lab: Lab, stage: Stage, standing: Standing) -> None:
        if stage.id not in unlocked_stages(lab, standing.credits):
            first = next(s for s in lab.stages if s.id not in standing.credits)
            raise Conflict(f'This stage opens when "{first.title}" is passed.', cure="Check that stage first.")

    def _record(
        self,
        session: SessionRecord,
        stage: Stage,
        result: Mapping[str, Any],
        *,
        auto: bool,
        before: ResultRecord | None,
    ) -> None:
        now = self._deps.now()
        outcome = str(result["outcome"])
        with self._deps.database.transaction() as tx:
            present = store.get(tx, session.id)
            if present is None or present.state != "ready" or present.generation != session.generation:
                ended = present is None or present.state in ("closing", "closed", "expired")
                raise Conflict(
                    "The lab was closed while this check ran, so its result was thrown away."
                    if ended
                    else "The lab was reset while this check ran, so its result was thrown away.",
                    cure="Open the lab again: what you earned stays."
                    if ended
                    else "Check again when the lab is ready.",
                )
            earned = stage.id in store.credits_of(tx, session.id)
            if auto and (earned or outcome != PASSED) and _same(before, result, session.generation):
                return  # a watch that saw nothing new adds nothing to the record
            id_ = store.add_result(
                tx,
                session=session.id,
                stage=stage.id,
                generation=session.generation,
                outcome=outcome,
                result=result,
                auto=auto,
                at=now,
            )
            if outcome == PASSED and store.add_credit(tx, present, stage=stage.id, result=id_, at=now):
                store.add_event(tx, session.id, "earned", now, stage.id)
            store.change(tx, session.id, states=("ready",))

    def recheck(self, session: SessionRecord) -> None:
        """Verify again what a change in the cluster may have touched: stages earned, and the one being worked on.

        A momentary stage that was earned is left alone. One newly earned stage opens the next, which is checked too.
        """
        lab = self._deps.library.lab(session.slug)
        done: set[str] = set()
        while True:
            standing = self.standing(session)
            if standing.session.state != "ready":
                return
            opened = unlocked_stages(lab, standing.credits)
            todo = [
                s
                for s in lab.stages
                if s.id in opened and s.id not in done and not (s.momentary and s.id in standing.credits)
            ]
            # The open stage first: it is what the learner waits for, and a momentary one may soon be over.
            todo.sort(key=lambda s: s.id in standing.credits)
            if not todo:
                return
            done.add(todo[0].id)
            self.check_stage(session, todo[0].id, auto=True)

    def answer(self, session: SessionRecord, check_id: str, choice_id: str) -> Stage:
        """Record an answer, which is judged at once; the stage is verified when nothing else of it is missing.

        :raises NotFound: no such question. :raises InvalidInput: no such choice. :raises Conflict: not open yet.
        """
        lab = self._deps.library.lab(session.slug)
        stage, check = find_question(lab, check_id)
        choice = chosen_choice(check, choice_id)
        if choice is None:
            raise InvalidInput("That is not one of this question's answers.", cure="Choose one of those shown.")
        self._must_be_open(lab, stage, self.standing(session))
        with self._deps.database.transaction() as tx:
            store.add_answer(tx, session.id, check_id, choice_id, self._deps.now())
            store.change(tx, session.id, states=("ready",))
        standing = self.standing(session)
        if stage.id not in standing.credits and _only_answers_missing(stage, standing):
            self.check_stage(session, stage.id)
        return stage

    def hint(self, session: SessionRecord, stage_id: str, tier: int) -> str:
        """Open one more tier of a stage's hints; gives its Markdown.

        :raises InvalidInput: there is no such tier. :raises Conflict: the tiers are opened in order.
        """
        stage = find_stage(self._deps.library.lab(session.slug), stage_id)
        texts = (stage.hints.nudge, stage.hints.way, stage.hints.answer)
        if not 1 <= tier <= len(texts):
            raise InvalidInput(f"A stage has {len(texts)} hints.", cure=f"Ask for 1 to {len(texts)}.")
        with self._deps.database.transaction() as tx:
            if tier > store.hints_of(tx, session.id).get(stage_id, 0) + 1:
                raise Conflict("Hints are opened in order.", cure="Open the one before first.")
            store.open_hint(tx, session.id, stage_id, tier, self._deps.now())
            store.change(tx, session.id, states=store.OPEN)
        return texts[tier - 1]


def find_stage(lab: Lab, stage_id: str) -> Stage:
    """A stage by id.

    :raises NotFound: there is none.
    """
    found = next((s for s in lab.stages if s.id == stage_id), None)
    if found is None:
        raise NotFound(
            f'This lab has no stage "{stage_id}".', cure="Its stages: " + ", ".join(s.id for s in lab.stages) + "."
        )
    return found


def find_question(lab: Lab, check_id: str) -> tuple[Stage, Check]:
    """A question and the stage it belongs to.

    :raises NotFound: there is none.
    """
    for stage in lab.stages:
        for check in stage.checks:
            if check.id == check_id and check.choices:
                return stage, check
    raise NotFound(f'This lab has no question "{check_id}".')


def _only_answers_missing(stage: Stage, standing: Standing) -> bool:
    """Whether every question is answered right, and what else the stage demands has passed or was never looked at."""
    for check in stage.checks:
        if check.choices:
            chosen = chosen_choice(check, standing.answers.get(check.id))
            if chosen is None or not chosen.correct:
                return False
    others = {c.id for c in stage.checks if not c.choices}
    result = standing.results.get(stage.id)
    passed = {c["check"] for c in (result.result.get("checks", []) if result else []) if c["outcome"] == PASSED}
    return result is None or others <= passed


def _same(before: ResultRecord | None, result: Mapping[str, Any], generation: int) -> bool:
    if before is None or before.generation != generation:
        return False

    def gist(checks: Any) -> list[tuple[str, str, str]]:
        return [(c["check"], str(c["outcome"]), c.get("message", "") if c["outcome"] == FAILED else "") for c in checks]

    return gist(before.result.get("checks", [])) == gist(result.get("checks", []))
