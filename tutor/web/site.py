"""Puts the pages together: protections, errors, static files and blueprints around one set of services."""

from __future__ import annotations

from datetime import datetime

from flask import Flask, request, session
from markupsafe import Markup

from tutor.web import assets, errors, security
from tutor.web.context import SiteServices

_STATELESS = frozenset({"static", "health.healthz"})


def make_site(services: SiteServices) -> Flask:
    """The WSGI application of the pages.

    :raises SettingsError: the settings ask for an address that is not loopback.
    :raises Unavailable: the data directory cannot be used.
    """
    app = Flask("tutor.web", static_folder=None)
    app.extensions["kubetutor"] = services
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    security.install(app, services.settings)
    errors.install(app)
    assets.install(app)
    app.add_template_filter(_when, "when")
    app.add_template_filter(_inline, "inline")

    @app.before_request
    def keep_session() -> None:
        if request.endpoint in _STATELESS:
            return
        if not session.permanent:  # setting it again would send the cookie with every answer
            session.permanent = True

    from tutor.web import health, home, labs, lesson, profile, quiz

    for module in (health, home, lesson, quiz, profile, labs):
        app.register_blueprint(module.bp)
    return app


def _when(moment: datetime) -> Markup:
    """A moment as ``<time>``, in UTC; the page's script writes it in the reader's own zone."""
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{}</time>').format(stamp, moment.strftime("%d %b %Y, %H:%M UTC"))


def _inline(text: str) -> Markup:
    """An author's inline Markdown (a glossary definition, a question) as HTML."""
    return Markup(render_inline(text))  # noqa: S704 - authors' own text, rendered by the content package


def render_inline(text: str) -> str:
    """Rendered once for each text: lessons show the same few hundred strings again and again."""
    known = _rendered.get(text)
    if known is None:
        from tutor.content.markdown import inline

        if len(_rendered) > 5000:
            _rendered.clear()
        known = _rendered[text] = inline(text)
    return known


_rendered: dict[str, str] = {}
