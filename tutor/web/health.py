"""``/healthz``: whether this process serves and its database answers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from tutor.web.context import services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """200 with counts of content when pages can be served; an unreachable database is a 503."""
    s = services()
    s.profile.ping()
    return jsonify(ok=True, lessons=len(s.library.lessons()), content_problems=len(s.library.problems))
