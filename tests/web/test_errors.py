"""One error tree, translated once: status page, line of text, or JSON."""

from __future__ import annotations

import logging

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from tests.web.fakes import BASE, Visitor
from tutor import errors
from tutor.errors import KubetutorError
from tutor.web.errors import STATUS, status_of


def every_error(base: type[KubetutorError]) -> list[type[KubetutorError]]:
    return [base, *(found for sub in base.__subclasses__() for found in every_error(sub))]


def failing(app: Flask, failure: Exception) -> FlaskClient:
    """A client of a site whose address /fail ends in ``failure``."""

    def view() -> str:
        raise failure

    app.add_url_rule("/fail", "fail", view)
    return app.test_client()


def test_every_kind_of_error_has_a_status_of_its_own_or_of_its_kin() -> None:
    statuses = {e.__name__: status_of(e) for e in every_error(errors.KubetutorError)}
    assert statuses["NotFound"] == 404
    assert statuses["ProvisionError"] == 503
    vague = {e.__name__ for e in errors.KubetutorError.__subclasses__() if e.code not in STATUS}
    assert vague == set()


def test_an_unknown_address_leads_on(visitor: Visitor) -> None:
    response = visitor.get("/no/such/page")
    assert response.status_code == 404
    assert "There is no page at this address" in response.text
    assert 'href="/profile"' in response.text


def test_an_unknown_lesson_is_named(visitor: Visitor) -> None:
    response = visitor.get("/lessons/nothing")
    assert response.status_code == 404
    assert "nothing" in response.text


def test_the_wrong_method_keeps_the_allow_header(visitor: Visitor) -> None:
    response = visitor.get("/lessons/doors/retake")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert "belongs to a form" in response.text


@pytest.mark.parametrize("status", [400, 403, 409, 413, 429])
def test_pages_of_refusals_speak_to_people(app: Flask, status: int) -> None:
    app.add_url_rule(f"/abort/{status}", f"abort{status}", lambda: abort(status))
    response = Visitor(app).get(f"/abort/{status}")
    assert response.status_code == status
    assert f"Error {status}" in response.text
    assert "Werkzeug" not in response.text


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (errors.InvalidInput("Line 3 is not YAML.", cure="Check its indentation."), 400),
        (errors.Refused("The lab is locked.", cure="Pass the lesson."), 403),
        (errors.Conflict("The lab is closing."), 409),
        (errors.Unavailable("The database is read-only.", cure="Free some disk."), 503),
        (errors.ProvisionError("kind is missing.", permanent=True), 503),
        (errors.ContentError("lesson.md:3: no title."), 500),
    ],
)
def test_an_error_of_ours_keeps_message_and_cure_in_every_form(
    app: Flask, failure: errors.KubetutorError, status: int
) -> None:
    client = failing(app, failure)
    page = client.get("/fail", base_url=BASE, headers={"Accept": "text/html"})
    text = client.get("/fail", base_url=BASE, headers={"X-Requested-With": "fetch"})
    data = client.get("/fail", base_url=BASE, headers={"Accept": "application/json"})
    assert (page.status_code, text.status_code, data.status_code) == (status,) * 3
    assert failure.message in page.text
    assert failure.cure in page.text
    assert text.mimetype == "text/plain"
    assert text.text == str(failure)
    assert data.json == {"error": failure.message, "cure": failure.cure, "status": status}


def test_a_fault_of_ours_is_logged_with_the_reference_that_the_page_shows(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    client = failing(app, ZeroDivisionError("secret detail"))
    with caplog.at_level(logging.ERROR, "tutor.web"):
        response = client.get("/fail", base_url=BASE)
    assert response.status_code == 500
    assert "secret detail" not in response.text
    (record,) = caplog.records
    reference = str(record.args[2]) if isinstance(record.args, tuple) else ""
    assert reference
    assert reference in response.text
    assert record.exc_info


def test_a_message_cannot_become_markup(app: Flask) -> None:
    page = failing(app, errors.InvalidInput("No <script>alert(1)</script> here.")).get("/fail", base_url=BASE)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_health_counts_what_is_served(visitor: Visitor) -> None:
    response = visitor.get("/healthz")
    assert response.json == {"ok": True, "lessons": 1, "content_problems": 0}
