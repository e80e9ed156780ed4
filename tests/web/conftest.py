"""One small site for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.web.fakes import SmallServices, Visitor, small_services
from tutor.web.site import make_site


@pytest.fixture
def services(tmp_path: Path) -> Iterator[SmallServices]:
    made = small_services(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def app(services: SmallServices) -> Flask:
    return make_site(services)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app)
