"""Every setting, declared once and read once from the environment.

The table in ``docs/settings.md`` is kept true by a test: each field's ``description`` is its documentation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tutor.errors import SettingsError

PREFIX = "KUBETUTOR_"
_ROOT = Path(__file__).resolve().parent.parent


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kubetutor"


class Settings(BaseModel):
    """All settings of one running Kubetutor. Frozen; made by :meth:`from_env`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(default_factory=_data_home, description="Where the database, keys and lab workspaces live.")
    database_url: str = Field(
        "", description="SQLAlchemy URL. Empty: SQLite in the data directory. PostgreSQL: postgresql+psycopg://…"
    )
    content_dir: Path = Field(_ROOT, description="The directory that holds lessons/, quizzes/ and labs/.")
    host: str = Field("127.0.0.1", description="Address of the pages. Only loopback, until accounts exist.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the pages.")
    api_port: int = Field(
        8001, ge=0, le=65535, description="Port of the simulated clusters' Kubernetes API (TLS, loopback)."
    )
    web_threads: int = Field(16, ge=2, le=256, description="Threads that serve pages.")
    provider: Literal["simulated", "kind"] = Field(
        "simulated", description="Kind of cluster a lab opens on by default."
    )
    kind_command: str = Field("kind", description="The kind command: a name on PATH or a path.")
    kind_image: str = Field(
        "", description="Node image for kind clusters. Empty: the default image of the kind command."
    )
    kubectl_command: str = Field(
        "", description="The kubectl the console runs. Empty: the one installed with Kubetutor."
    )
    lab_minutes: int = Field(60, ge=1, le=24 * 60, description="How long a lab stays open, in minutes.")
    lab_extend_minutes: int = Field(30, ge=1, le=24 * 60, description="What one extension adds, in minutes.")
    lab_max_minutes: int = Field(
        240, ge=1, le=7 * 24 * 60, description="The longest a lab may be extended to, in minutes."
    )
    sim_timeout_scale: float = Field(
        0.02,
        gt=0,
        le=1,
        description="Simulated pods wait this fraction of a real network time-out (1 = as long as real tools do).",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )
    log_json: bool = Field(False, description="Write log lines as JSON.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read settings from the environment.

        :param environ: the environment; the process's own when omitted.
        :param overrides: values that win over the environment (command line options).
        :raises SettingsError: a value cannot be used, or a ``KUBETUTOR_`` name is unknown; the message names it.
        """
        env = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for name, value in env.items():
            if name.startswith(PREFIX):
                field = name.removeprefix(PREFIX).lower()
                if field not in cls.model_fields:
                    raise SettingsError(
                        f"{name} is not a setting of Kubetutor.", cure="See docs/settings.md for the list."
                    )
                values[field] = value
        values.update({k: v for k, v in overrides.items() if v is not None})
        try:
            return cls(**values)
        except ValidationError as e:
            first = e.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else PREFIX
            raise SettingsError(f"{name}: {first['msg']}.", cure="See docs/settings.md for what it takes.") from e

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'kubetutor.db'}"
