"""What keeps other pages in the same browser, and other machines, out."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from flask import Flask

from tests.web.fakes import BASE, SmallServices, Visitor
from tutor.errors import SettingsError, Unavailable
from tutor.settings import Settings
from tutor.web.security import allowed_hosts, require_loopback, secret_key


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_own_names_are_answered(app: Flask, host: str) -> None:
    assert app.test_client().get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1:9000",
        "127.0.0.1",
        "localhost.evil.example:8000",
        "127.0.0.1:8000.evil.example",
        "",
    ],
)
def test_foreign_names_are_refused_without_a_page(app: Flask, host: str) -> None:
    response = app.test_client().get("/", headers={"Host": host})
    assert response.status_code == 403
    assert response.mimetype == "text/plain"
    assert "only to its own address" in response.text
    assert "Set-Cookie" not in response.headers


def test_port_80_needs_no_port_in_the_name() -> None:
    assert {"localhost", "localhost:80"} <= allowed_hosts(80)
    assert "localhost" not in allowed_hosts(8000)


def test_a_form_without_token_is_refused_and_changes_nothing(app: Flask, visitor: Visitor) -> None:
    visitor.get("/lessons/doors")
    response = visitor.client.post(
        "/lessons/doors/questions/which-key", base_url=BASE, data={"attempt": "1", "option": "fits"}
    )
    assert response.status_code == 400
    assert "Nothing was changed" in response.text
    assert "Your answer" not in visitor.page("/lessons/doors")


def test_a_token_of_another_session_is_refused(app: Flask, visitor: Visitor) -> None:
    other = Visitor(app)
    other.get("/lessons/doors")
    visitor.get("/lessons/doors")
    response = visitor.client.post(
        "/lessons/doors/retake", base_url=BASE, data={"csrf_token": other.token, "attempt": "1"}
    )
    assert response.status_code == 400


def test_every_page_carries_the_headers(visitor: Visitor) -> None:
    for path in ("/", "/lessons/doors", "/nothing", "/healthz"):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_pages_hold_no_inline_code_or_style(visitor: Visitor) -> None:
    for path in ("/", "/lessons/doors", "/lessons/doors/wrap-up", "/glossary", "/profile"):
        page = visitor.page(path)
        for forbidden in (" onclick=", " onload=", " style=", "<style", "javascript:"):
            assert forbidden not in page, (path, forbidden)


def test_cookies_stay_with_this_server(visitor: Visitor) -> None:
    cookie = visitor.get("/").headers["Set-Cookie"]
    assert cookie.startswith("kubetutor-8000=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires=" in cookie, "a restarted browser must still be able to send the form it had open"


def test_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = secret_key(tmp_path / "new")
    assert secret_key(tmp_path / "new") == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["secret.key"]


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="KUBETUTOR_DATA_DIR"):
        secret_key(tmp_path / "file")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_other_addresses_than_loopback_are_refused_with_the_reason(host: str) -> None:
    with pytest.raises(SettingsError, match="no accounts"):
        require_loopback(Settings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_served(host: str) -> None:
    assert require_loopback(Settings(host=host)) is None


def test_too_large_a_body_is_refused_with_the_limit(services: SmallServices, visitor: Visitor) -> None:
    response = visitor.post("/lessons/doors/wrap-up", attempt="1", **{"a.lock-one": "x" * (3 * 1024 * 1024)})
    assert response.status_code == 413
    assert "larger than 2 MiB" in response.text
