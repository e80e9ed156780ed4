"""A running server and a real Chromium for the journeys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.needs import chromium
from tests.servers import RunningServer, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """``kubetutor serve`` on fresh data."""
    with running(tmp_path_factory.mktemp("server") / "data") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        launched = p.chromium.launch(executable_path=chromium(), args=options)
        yield launched
        launched.close()


@pytest.fixture
def picture() -> Callable[[Any, str], None]:
    """Takes a picture of a page when they are asked for (``make pictures``)."""
    where = os.environ.get("TEST_KUBETUTOR_PICTURES")

    def take(page: Any, name: str) -> None:
        if where:
            Path(where).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(where) / f"{name}.png"))

    return take
