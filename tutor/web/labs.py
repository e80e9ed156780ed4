"""The lab pages: parse the request, call the lab services, render. The console streams JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response as BaseResponse

from tutor.errors import InvalidInput, NotFound
from tutor.labs.service import LabView

bp = Blueprint("labs", __name__, url_prefix="/labs")


def _services() -> Any:
    return current_app.extensions["kubetutor"]


def _open_lab(slug: str) -> LabView:
    s = _services()
    view: LabView | None = s.labs.current(s.learner_id(), slug)
    if view is None:
        s.library.lab(slug)
        raise NotFound("This lab is not open any more.", cure="Open it again from its page; what you earned is kept.")
    return view


def _wants_fragment() -> bool:
    return request.headers.get("X-Requested-With") == "fetch"


def _answer(view: LabView, anchor: str = "") -> BaseResponse:
    """The stages as a fragment for the page's script; back to the page for a plain form."""
    if _wants_fragment():
        return _fragment(view)
    return redirect(url_for("labs.show", slug=view.slug, _anchor=anchor or None), code=303)


def _fragment(view: LabView) -> Response:
    html = render_template("lab/stages.html", view=view, lab=_services().library.lab(view.slug))
    return Response(html, headers=_headers(view))


def _headers(view: LabView) -> dict[str, str]:
    return {
        "X-Revision": str(view.revision),
        "X-Lab-State": view.state,
        "X-Seconds-Left": str(view.seconds_left),
        "Cache-Control": "no-store",
    }


@bp.get("/")
def index() -> str:
    """Every lab, with what this learner has done in it."""
    s = _services()
    learner = s.learner_id()
    rows = [(lab, s.labs.current(learner, lab.slug), s.labs.unlocked(learner, lab.slug)) for lab in s.library.labs()]
    return render_template("lab/index.html", rows=rows)


@bp.get("/<slug>")
def show(slug: str) -> str:
    """The lab: what it is before it is opened, progress while it starts, stages and console once it is ready."""
    s = _services()
    lab = s.library.lab(slug)
    learner = s.learner_id()
    view = s.labs.current(learner, slug)
    if view is not None:
        s.labs.touch(view.id)
    if view is not None and view.state == "ready":
        return render_template("lab/show.html", lab=lab, view=view, draft=_draft(lab.namespaces[0]))
    return render_template(
        "lab/start.html",
        lab=lab,
        view=view,
        lesson=s.library.lesson(lab.lesson),
        unlocked=s.labs.unlocked(learner, slug),
        choices=s.labs.choices(slug),
        earned=s.labs.earned(learner, slug),
    )


def _draft(namespace: str) -> str:
    return (
        "# Any number of manifests, separated by ---\n"
        "apiVersion: networking.k8s.io/v1\n"
        "kind: NetworkPolicy\n"
        "metadata:\n"
        "  name: my-first-policy\n"
        f"  namespace: {namespace}\n"
        "spec:\n"
        "  podSelector: {}\n"
        "  policyTypes: []\n"
    )


@bp.post("/<slug>/open")
def open_(slug: str) -> BaseResponse:
    """Open the lab, or take up the open one."""
    s = _services()
    s.labs.open(s.learner_id(), slug, request.form.get("provider") or None)
    return redirect(url_for("labs.show", slug=slug), code=303)


@bp.get("/<slug>/state")
def state(slug: str) -> Response:
    """The stages when they changed since ``revision``, else 204. Doubles as the sign that somebody is looking."""
    s = _services()
    view = _open_lab(slug)
    s.labs.touch(view.id)
    if request.args.get("revision") == str(view.revision):
        return Response(status=204, headers=_headers(view))
    return _fragment(view)


@bp.post("/<slug>/check/<stage>")
def check(slug: str, stage: str) -> BaseResponse:
    """Verify one stage now."""
    s = _services()
    view = _open_lab(slug)
    s.labs.check(view.id, s.learner_id(), stage)
    return _answer(_open_lab(slug), f"stage-{stage}")


@bp.post("/<slug>/answer/<check_id>")
def answer(slug: str, check_id: str) -> BaseResponse:
    """Record the answer to a question of the lab."""
    s = _services()
    view = _open_lab(slug)
    choice = request.form.get("choice", "")
    if not choice:
        raise InvalidInput("Choose an answer first.")
    s.labs.answer(view.id, s.learner_id(), check_id, choice)
    return _answer(_open_lab(slug), f"check-{check_id}")


@bp.post("/<slug>/hint/<stage>/<int:tier>")
def hint(slug: str, stage: str, tier: int) -> BaseResponse:
    """Open one more tier of a stage's hints."""
    s = _services()
    view = _open_lab(slug)
    s.labs.hint(view.id, s.learner_id(), stage, tier)
    return _answer(_open_lab(slug), f"hints-{stage}")


@bp.post("/<slug>/extend")
def extend(slug: str) -> BaseResponse:
    """More time."""
    s = _services()
    view = _open_lab(slug)
    s.labs.extend(view.id, s.learner_id())
    return _answer(_open_lab(slug))


@bp.post("/<slug>/reset")
def reset(slug: str) -> BaseResponse:
    """A fresh cluster; what was earned stays."""
    s = _services()
    s.labs.reset(_open_lab(slug).id, s.learner_id())
    return redirect(url_for("labs.show", slug=slug), code=303)


@bp.post("/<slug>/close")
def close(slug: str) -> BaseResponse:
    """End the lab and delete its cluster."""
    s = _services()
    s.labs.close(_open_lab(slug).id, s.learner_id())
    return redirect(url_for("labs.show", slug=slug), code=303)


@bp.get("/<slug>/kubeconfig")
def kubeconfig(slug: str) -> Response:
    """The learner's own credential for this lab, as a kubeconfig file."""
    s = _services()
    return _download(
        s.labs.kubeconfig(_open_lab(slug).id, s.learner_id()), f"kubetutor-{slug}.yaml", "application/yaml"
    )


@bp.get("/<slug>/report.md")
def report(slug: str) -> Response:
    """The root-cause report of this lab, made from its evidence."""
    s = _services()
    return _download(s.labs.report(_open_lab(slug).id, s.learner_id()), f"kubetutor-{slug}-report.md", "text/markdown")


def _download(text: str, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text, content_type=f"{kind}; charset=utf-8", headers=headers)


@bp.post("/<slug>/console")
def console(slug: str) -> Response:
    """Run one console line; answers JSON lines: ``{"stream", "text"}`` and at last ``{"exit"}``."""
    s = _services()
    view = _open_lab(slug)
    line = request.form.get("line", "")
    chunks = s.labs.console(view.id, s.learner_id(), line)

    def stream() -> Iterator[str]:
        for chunk in chunks:
            yield json.dumps(chunk) + "\n"

    return Response(
        stream_with_context(stream()),
        content_type="application/x-ndjson",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@bp.post("/<slug>/apply")
def apply(slug: str) -> Response:
    """Apply the editor's manifests, or try them on the server (dry run)."""
    s = _services()
    view = _open_lab(slug)
    result = s.labs.apply(
        view.id, s.learner_id(), request.form.get("manifest", ""), request.form.get("action") == "dry-run"
    )
    return Response(
        json.dumps(
            {
                "ok": result.ok,
                "lines": list(result.lines),
                "problems": [{"line": p.line, "message": p.message} for p in result.problems],
            }
        ),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
