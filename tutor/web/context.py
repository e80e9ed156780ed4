"""What every page gets from the application: the services, made once in :mod:`tutor.app`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from flask import current_app, request

if TYPE_CHECKING:
    from tutor.content.library import Library
    from tutor.settings import Settings
    from tutor.store.base import Database
    from tutor.store.profile import Profile
    from tutor.store.quizzes import Quizzes


class SiteServices(Protocol):
    """The services the pages call. ``tutor.app.Services`` is the real one; tests pass smaller ones."""

    @property
    def settings(self) -> Settings: ...
    @property
    def library(self) -> Library: ...
    @property
    def database(self) -> Database: ...
    @property
    def quizzes(self) -> Quizzes: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def labs(self) -> Any: ...
    def learner_id(self) -> str: ...


def services() -> SiteServices:
    """The services of the running application."""
    return cast(SiteServices, current_app.extensions["kubetutor"])


def wants_fragment() -> bool:
    """Whether the page's own script asks, and takes a piece of the page instead of a redirect."""
    return request.headers.get("X-Requested-With") == "fetch"
