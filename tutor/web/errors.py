"""Every error becomes a page, a line of text or JSON here and nowhere else."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from tutor.errors import KubetutorError
from tutor.web.context import wants_fragment
from tutor.web.security import MAX_BODY_BYTES, ForeignHost

log = logging.getLogger("tutor.web")

STATUS = {
    "invalid": 400,
    "not_found": 404,
    "conflict": 409,
    "refused": 403,
    "unavailable": 503,
    "provision": 503,
    "content": 500,
    "settings": 500,
    "internal": 500,
}
_TITLES = {
    400: "That could not be used",
    403: "Not allowed",
    404: "Nothing is here",
    405: "Not in this way",
    409: "Not at this moment",
    413: "Too large",
    429: "Too many at once",
    500: "Something of ours broke",
    503: "Something of ours is missing",
}
_MESSAGES = {
    400: ("The server could not read this request.", "Go back, reload the page and try again."),
    403: ("This is not allowed.", ""),
    404: ("There is no page at this address.", "It may have moved; the lessons and labs are listed below."),
    405: ("This address answers another kind of request.", "It was probably opened as a link, but belongs to a form."),
    413: (
        f"What you sent is larger than {MAX_BODY_BYTES // (1024 * 1024)} MiB.",
        "Nothing was saved from it. Send less at once, for example one manifest at a time.",
    ),
    429: ("This came too often in a short time.", "Wait a moment, then try again. Nothing was lost."),
}


@dataclass(frozen=True)
class Problem:
    """What an error page says."""

    status: int
    message: str
    cure: str = ""
    reference: str = ""

    @property
    def title(self) -> str:
        return _TITLES.get(self.status, "This did not work")


def status_of(kind: type[KubetutorError]) -> int:
    """The HTTP status of a kind of error: that of its code, else of the nearest kind above it that has one."""
    for known in kind.__mro__:
        if issubclass(known, KubetutorError) and known.code in STATUS:
            return STATUS[known.code]
    return STATUS["internal"]


def _respond(problem: Problem) -> Response:
    if wants_fragment():
        response = make_response(f"{problem.message} {problem.cure}".strip())
        response.mimetype = "text/plain"
    elif request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        response = jsonify(error=problem.message, cure=problem.cure, status=problem.status)
    else:
        response = make_response(render_template("error.html", problem=problem))
    response.status_code = problem.status
    return response


def _kubetutor(e: KubetutorError) -> Response:
    status = status_of(type(e))
    if status >= 500:
        log.error("%s %s: %s", request.method, request.path, e, exc_info=e)
    return _respond(Problem(status, e.message, e.cure))


def _http(e: HTTPException) -> Response:
    status = e.code or 500
    if status < 400:  # a redirect made by routing
        return Response(e.get_response().get_data(), status, headers=e.get_headers())
    message, cure = _MESSAGES.get(status, (e.description or "This did not work.", ""))
    response = _respond(Problem(status, message, cure))
    if allow := dict(e.get_headers()).get("Allow"):
        response.headers["Allow"] = allow
    return response


def _csrf(_e: CSRFError) -> Response:
    return _respond(
        Problem(
            400,
            "This form does not come from a page that this server gave you, or the page is too old.",
            "Nothing was changed. Go back, reload the page, and send it again; cookies must be allowed for this address.",
        )
    )


def _foreign_host(_e: ForeignHost) -> Response:
    # No page of ours and no layout: whoever asked under a foreign name gets nothing to work with.
    text = (
        "This server answers only to its own address (127.0.0.1 or localhost, with its own port).\n"
        "The request named another host. If you forward a port, use the same port number on both sides.\n"
    )
    return Response(text, 403, mimetype="text/plain")


def _unexpected(e: Exception) -> Response:
    reference = secrets.token_hex(4)
    log.error("%s %s failed [%s]", request.method, request.path, reference, exc_info=e)
    return _respond(
        Problem(
            500,
            "The server met a fault of its own. It is not your doing.",
            "What you had earned is kept. Try again.",
            reference,
        )
    )


def install(app: Flask) -> None:
    """Register the one place where errors meet HTTP."""
    app.register_error_handler(KubetutorError, _kubetutor)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(ForeignHost, _foreign_host)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
