"""Static files carry their digest and may be kept for good."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.fakes import Visitor
from tutor.web.assets import Assets


def test_linked_files_are_served_immutable(visitor: Visitor) -> None:
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', visitor.page("/"))
    assert len(links) == 3
    for link in links:
        response = visitor.get(link)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        response.close()


def test_an_outdated_digest_is_not_kept(visitor: Visitor) -> None:
    assert visitor.get("/static/000000000000/site.css").status_code == 404


def test_no_file_outside_is_served(visitor: Visitor) -> None:
    assert visitor.get("/static/000000000000/../site.py").status_code == 404
    assert visitor.get("/static/000000000000/%2e%2e/site.py").status_code == 404


def test_a_changed_file_gets_another_address(tmp_path: Path) -> None:
    file = tmp_path / "a.css"
    assets = Assets(tmp_path)
    file.write_text("one")
    first = assets.digest("a.css")
    assert assets.digest("a.css") == first
    file.write_text("other")
    assert assets.digest("a.css") != first
