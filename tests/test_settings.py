"""Settings: read once from the environment, refused by name, and documented by a table that cannot go stale."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tutor.errors import SettingsError
from tutor.settings import PREFIX, Settings

DOC = Path(__file__).parent.parent / "docs" / "settings.md"


def settings_page() -> str:
    """The whole of docs/settings.md, made from the fields."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "`~/.local/share/kubetutor`" if name == "data_dir" else f"`{field.default}`"
        if name == "content_dir":
            default = "where Kubetutor is installed"
        if field.default in ("", None):
            default = "empty" if name != "data_dir" else default
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(
        [
            "# Settings",
            "",
            "Kubetutor reads its settings once, at start, from the environment. An unknown `KUBETUTOR_` name is refused, so that",
            "a spelling mistake never passes in silence.",
            "",
            "| variable | default | what it does |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def test_the_table_names_every_setting_with_its_default() -> None:
    if os.environ.get("TEST_KUBETUTOR_WRITE_DOCS"):
        DOC.write_text(settings_page())
    assert DOC.read_text() == settings_page(), "write it again with TEST_KUBETUTOR_WRITE_DOCS=1"


def test_values_come_from_the_environment() -> None:
    settings = Settings.from_env({"KUBETUTOR_PORT": "9000", "OTHER": "x"})
    assert settings.port == 9000
    assert settings.database.startswith("sqlite:///")


def test_an_override_wins_over_the_environment() -> None:
    assert Settings.from_env({"KUBETUTOR_PORT": "9000"}, port=9001).port == 9001
    assert Settings.from_env({"KUBETUTOR_PORT": "9000"}, port=None).port == 9000


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"KUBETUTOR_PROT": "1"}, "KUBETUTOR_PROT"),
        ({"KUBETUTOR_PORT": "eighty"}, "KUBETUTOR_PORT"),
        ({"KUBETUTOR_PORT": "70000"}, "KUBETUTOR_PORT"),
        ({"KUBETUTOR_PROVIDER": "cloud"}, "KUBETUTOR_PROVIDER"),
        ({"KUBETUTOR_SIM_TIMEOUT_SCALE": "0"}, "KUBETUTOR_SIM_TIMEOUT_SCALE"),
    ],
)
def test_a_bad_setting_is_named_with_its_cure(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    assert named in caught.value.message
    assert "docs/settings.md" in caught.value.cure


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings.from_env({}).port = 1  # type: ignore[misc]
