"""Static files under URLs that carry a digest of their content, so that browsers may keep them for good."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, Response, abort, send_from_directory, url_for
from werkzeug.security import safe_join

_STATIC = Path(__file__).parent / "static"
_DIGEST_LENGTH = 12


class Assets:
    """Digests of the files below ``static/``, computed once for each state of a file."""

    def __init__(self, root: Path = _STATIC) -> None:
        self.root = root
        self._known: dict[str, tuple[tuple[int, int], str]] = {}

    def digest(self, name: str) -> str:
        """The digest of a file's content; a changed file (size or time) is read again.

        :raises FileNotFoundError: there is no such file.
        """
        stat = (self.root / name).stat()
        state = (stat.st_mtime_ns, stat.st_size)
        known = self._known.get(name)
        if known is None or known[0] != state:
            content = (self.root / name).read_bytes()
            known = (state, hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH])
            self._known[name] = known
        return known[1]


_assets = Assets()


def assets_version() -> tuple[str, ...]:
    """Changes whenever an address in the frame of every page does."""
    return tuple(_assets.digest(name) for name in ("site.css", "app.js", "icon.svg"))


def install(app: Flask) -> None:
    """Serve static files at ``/static/<digest>/<name>`` and give templates ``asset(name)``."""
    assets = _assets

    def static(digest: str, name: str) -> Response:
        path = safe_join(str(assets.root), name)
        if path is None or not Path(path).is_file() or digest != assets.digest(name):
            abort(404)
        response = send_from_directory(assets.root, name)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    def asset(name: str) -> str:
        return url_for("static", digest=assets.digest(name), name=name)

    app.add_url_rule("/static/<digest>/<path:name>", "static", static)
    app.add_template_global(asset, "asset")
