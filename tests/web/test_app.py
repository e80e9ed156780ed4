"""The composition root: real parts, put together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.fakes import CONTENT, Visitor
from tutor.app import LOCAL_LEARNER, Services, create_app
from tutor.errors import SettingsError
from tutor.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", content_dir=CONTENT, port=8000, api_port=8001)


def test_the_whole_site_answers_on_a_fresh_data_directory(settings: Settings) -> None:
    app = create_app(settings)
    services: Services = app.extensions["kubetutor"]
    visitor = Visitor(app)
    statuses = {
        path: visitor.get(path).status_code for path in ("/", "/lessons/doors", "/labs/", "/profile", "/healthz")
    }
    services.close()
    assert statuses == dict.fromkeys(statuses, 200)
    assert services.learner_id() == LOCAL_LEARNER


def test_nothing_is_made_for_an_address_that_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="no accounts"):
        create_app(settings.model_copy(update={"host": "0.0.0.0"}))
    assert not settings.data_dir.exists()


def test_pages_start_without_what_only_labs_need(settings: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from tutor.settings import Settings; from tutor.app import create_app;"
        f"app = create_app(Settings(data_dir=Path({str(settings.data_dir)!r}), content_dir=Path({str(CONTENT)!r})));"
        "app.extensions['kubetutor'].close();"
        "print([m for m in ('kubernetes', 'starlette', 'uvicorn', 'kubernetes_validate') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
