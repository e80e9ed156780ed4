"""What protects a server on loopback from other pages in the same browser.

A page elsewhere can make the browser send requests here. Three things stop it: the Host header must name this server
(DNS rebinding), every form carries a token (CSRF), and a strict content security policy keeps foreign code out.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFProtect

from tutor.errors import SettingsError, Unavailable
from tutor.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_YEAR_S = 365 * 24 * 3600
MAX_BODY_BYTES = 2 * 1024 * 1024


class ForeignHost(Exception):
    """The request names a host that is not this server."""


def require_loopback(settings: Settings) -> None:
    """Refuse to serve beyond this machine while there are no accounts.

    :raises SettingsError: ``settings.host`` is not a loopback address.
    """
    if settings.host not in _LOOPBACK:
        raise SettingsError(
            f"Kubetutor does not listen on {settings.host}: it has no accounts, so whoever reaches it could run commands.",
            cure="Use 127.0.0.1, and reach it from elsewhere through an SSH tunnel.",
        )


def secret_key(data_dir: Path) -> bytes:
    """The key that signs cookies: made once, readable by its owner only.

    :raises Unavailable: the data directory cannot be written.
    """
    path = data_dir / "secret.key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Written aside and linked: two processes starting at once end up with one key, and nobody reads half of it.
            draft = data_dir / f".secret.{secrets.token_hex(8)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as f:
                f.write(secrets.token_hex(32).encode())
            try:
                os.link(draft, path)
            except FileExistsError:
                return path.read_bytes()
            finally:
                draft.unlink()
        return path.read_bytes()
    except OSError as e:
        raise Unavailable(
            f"The data directory {data_dir} cannot be used: {e.strerror}.",
            cure="Make it writable, or set KUBETUTOR_DATA_DIR.",
        ) from e


def allowed_hosts(port: int) -> frozenset[str]:
    """Every Host header that names this server."""
    names = ("127.0.0.1", "localhost", "[::1]")
    with_port = {f"{name}:{port}" for name in names}
    return frozenset(with_port | set(names) if port == 80 else with_port)


def csp_nonce() -> str:
    """The nonce of this response's content security policy, made when first asked for."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def _policy() -> str:
    styles = f"'self' 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else "'self'"
    return (
        f"default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = _policy()
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if response.mimetype == "text/html":
        # Pages show what a learner did a moment ago; the back button must not bring an older state.
        headers.setdefault("Cache-Control", "no-store")
    return response


def install(app: Flask, settings: Settings) -> None:
    """Put every protection in front of the application."""
    require_loopback(settings)
    app.config.update(
        SECRET_KEY=secret_key(settings.data_dir),
        # Cookies know no port: two servers on one machine must not overwrite each other's.
        SESSION_COOKIE_NAME=f"kubetutor-{settings.port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=_YEAR_S,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        # A page left open overnight must still be able to send its answers.
        WTF_CSRF_TIME_LIMIT=None,
    )
    hosts = allowed_hosts(settings.port)

    def check_host() -> None:
        # Port 0 means "any free port" (tests): then the name alone decides.
        host = request.headers.get("Host", "")
        known = host in hosts if settings.port else host.rpartition(":")[0].strip("[]") in _LOOPBACK
        if not known:
            raise ForeignHost(host)

    app.before_request(check_host)
    app.after_request(_add_headers)
    app.add_template_global(csp_nonce, "csp_nonce")
    CSRFProtect(app)
