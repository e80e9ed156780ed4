"""The profile: what this learner has done."""

from __future__ import annotations

from flask import Blueprint, render_template

bp = Blueprint("profile", __name__, url_prefix="/profile")


@bp.get("")
def show() -> str:
    """Lessons, scores, attempts, lab stages and time."""
    return render_template("profile/show.html")
