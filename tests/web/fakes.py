"""A site over the small content beside this file, a database of its own, and labs that only remember."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tutor.content.library import Library
from tutor.settings import Settings
from tutor.store.base import Database
from tutor.store.profile import Profile
from tutor.store.quizzes import Quizzes
from tutor.store.schema import upgrade

CONTENT = Path(__file__).parent / "content"
PORT = 8000
BASE = f"http://127.0.0.1:{PORT}"


@dataclass
class RememberingLabs:
    """Labs nobody opens; ``open_to`` names the ones that are unlocked."""

    open_to: set[str] = field(default_factory=set)

    def unlocked(self, learner: str, slug: str) -> bool:
        return slug in self.open_to

    def current(self, learner: str, slug: str) -> None:
        return None

    def list(self, learner: str) -> tuple[Any, ...]:
        return ()

    def choices(self, slug: str) -> tuple[Any, ...]:
        return ()

    def earned(self, learner: str, slug: str) -> dict[str, datetime]:
        return {}


@dataclass
class SmallServices:
    """What ``tutor.app.Services`` holds, without clusters."""

    settings: Settings
    library: Library
    database: Database
    quizzes: Quizzes
    profile: Profile
    labs: Any

    def learner_id(self) -> str:
        return "local"


def small_services(directory: Path, content: Path = CONTENT, **settings: Any) -> SmallServices:
    """Services over ``content`` with a fresh SQLite database below ``directory``."""
    s = Settings(data_dir=directory / "data", content_dir=content, **{"port": PORT, **settings})
    s.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(s.database)
    upgrade(database)
    library = Library(content)
    return SmallServices(
        s, library, database, Quizzes(database, library), Profile(database, library), RememberingLabs()
    )


class Visitor:
    """A browser without JavaScript: keeps cookies, sends forms with the token its page gave it."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.token = ""

    def get(self, path: str, **headers: str) -> Any:
        response = self.client.get(path, base_url=BASE, headers=headers)
        if found := re.search(r'name="csrf-token" content="([^"]+)"', response.get_data(as_text=True)):
            self.token = found[1]
        return response

    def post(self, path: str, fetch: bool = False, **form: str) -> Any:
        if not self.token:
            self.get("/")
        headers = {"X-Requested-With": "fetch"} if fetch else {}
        return self.client.post(path, base_url=BASE, data={"csrf_token": self.token, **form}, headers=headers)

    def page(self, path: str) -> str:
        """The text of a page that must be there."""
        response = self.get(path)
        assert response.status_code == 200, response.status
        return str(response.get_data(as_text=True))
