"""The profile: what this learner has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template

from tutor.content.models import Lab
from tutor.web.context import services

bp = Blueprint("profile", __name__, url_prefix="/profile")


@dataclass(frozen=True)
class StageLine:
    """A stage and when it was first earned."""

    title: str
    earned_at: datetime | None


@dataclass(frozen=True)
class LabSummary:
    """A lab and its stages."""

    slug: str
    title: str
    stages: tuple[StageLine, ...]

    @property
    def earned(self) -> int:
        """How many stages were earned."""
        return sum(s.earned_at is not None for s in self.stages)


def _summary(lab: Lab, earned: Mapping[str, datetime]) -> LabSummary:
    return LabSummary(lab.slug, lab.title, tuple(StageLine(s.title, earned.get(s.id)) for s in lab.stages))


def in_words(time: timedelta) -> str:
    """A time span as people say it, to the minute."""
    minutes = int(time.total_seconds()) // 60
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


@bp.get("")
def show() -> str:
    """Lessons, scores, attempts, lab stages and time."""
    s = services()
    learner = s.learner_id()
    lessons = s.profile.lessons(learner)
    labs = [_summary(lab, s.labs.earned(learner, lab.slug)) for lab in s.library.labs()]
    return render_template(
        "profile/show.html",
        lessons=lessons,
        labs=labs,
        passed=sum(row.passed_at is not None for row in lessons),
        attempts=sum(len(row.attempts) for row in lessons),
        stages_earned=sum(lab.earned for lab in labs),
        stages_total=sum(len(lab.stages) for lab in labs),
        time=in_words(s.profile.time(learner)),
    )
