"""The only wiring: settings in, services and applications out.

Each import stands where it is needed, so that a process loads what it uses and the pages start fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tutor.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from tutor.clusters.provider import Provider
    from tutor.content.library import Library
    from tutor.content.models import Lab
    from tutor.labs.selftest import ScriptResult
    from tutor.labs.service import Labs
    from tutor.labs.worker import Worker
    from tutor.store.base import Database
    from tutor.store.profile import Profile
    from tutor.store.quizzes import Quizzes

LOCAL_LEARNER = "local"
"""The one learner of a server on loopback; accounts bring others."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Services:
    """Everything the edges (pages, command line) may call."""

    settings: Settings
    library: Library
    database: Database
    providers: Mapping[str, Provider]
    quizzes: Quizzes
    profile: Profile
    labs: Labs
    _learner: str = field(default=LOCAL_LEARNER, repr=False)

    def learner_id(self) -> str:
        """Who is learning."""
        return self._learner

    def close(self) -> None:
        """Wait for work under way, then give back what the services hold."""
        self.labs.stop()
        self.database.close()


def services(settings: Settings) -> Services:
    """The services over the database of ``settings``; its tables are brought up to date first.

    :raises Unavailable: the data directory or the database cannot be used.
    """
    from tutor.clusters.registry import providers
    from tutor.content.library import Library
    from tutor.labs.service import Labs
    from tutor.store.base import Database
    from tutor.store.profile import Profile
    from tutor.store.quizzes import Quizzes
    from tutor.store.schema import upgrade

    _make_data_dir(settings)
    database = Database(settings.database)
    upgrade(database)
    library = Library(settings.content_dir)
    clusters = providers(settings)
    quizzes = Quizzes(database, library)

    def is_unlocked(learner: str, lab: Lab) -> bool:
        return quizzes.passed(learner, lab.lesson)

    return Services(
        settings=settings,
        library=library,
        database=database,
        providers=clusters,
        quizzes=quizzes,
        profile=Profile(database, library),
        labs=Labs(settings, database, library, clusters, is_unlocked=is_unlocked),
    )


def _make_data_dir(settings: Settings) -> None:
    from tutor.errors import Unavailable

    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise Unavailable(
            f"The data directory {settings.data_dir} cannot be made: {e.strerror}.",
            cure="Make it writable, or set KUBETUTOR_DATA_DIR.",
        ) from e


def create_app(settings: Settings) -> Flask:
    """The WSGI application of the pages.

    :raises SettingsError: the settings ask for an address that is not loopback.
    :raises Unavailable: the data directory or the database cannot be used.
    """
    from tutor.web.security import require_loopback
    from tutor.web.site import make_site

    require_loopback(settings)
    made = services(settings)
    # Imports and one preflight that the first learner would wait for; the pages do not wait for them.
    threading.Thread(target=made.labs.warm, name="warm", daemon=True).start()
    return make_site(made)


def serve_clusters(settings: Settings, ready: Callable[[], None]) -> None:
    """Serve the simulated clusters' Kubernetes API until the process is ended.

    :param ready: called once requests are answered.
    """
    from tutor.clusters.registry import sim_directory
    from tutor.errors import Unavailable
    from tutor.kubesim.server import ServeError, serve

    directory = sim_directory(settings)
    try:
        serve(LOOPBACK, settings.api_port, directory, settings.database, settings.sim_timeout_scale, ready)
    except ServeError as e:
        raise Unavailable(str(e), cure=e.cure) from e


def create_worker(settings: Settings) -> Worker:
    """The worker of an installation; its ``run`` works until it is told to stop.

    :raises Unavailable: the data directory or the database cannot be used.
    """
    from tutor.labs.worker import Worker

    return Worker(services(settings).labs)


def lab_selftest(
    settings: Settings, slug: str, provider: str, only: Sequence[str], tell: Callable[[str], None]
) -> list[ScriptResult]:
    """Run a lab's solutions and wrong repairs on clusters of their own.

    :param only: names of scripts; all of them when empty.
    :raises NotFound: no such lab. :raises InvalidInput: no such script.
    :raises Unavailable: this kind of cluster cannot run here.
    """
    from tutor.clusters.embedded import simulated
    from tutor.clusters.registry import providers
    from tutor.content.library import Library
    from tutor.errors import Unavailable
    from tutor.labs.selftest import SelfTest

    library = Library(settings.content_dir)
    lab = library.lab(slug)
    solutions, wrong = library.lab_scripts(slug)
    if provider == "simulated":
        with simulated(settings.sim_timeout_scale) as embedded:
            return SelfTest(lab, embedded, fresh=True, tell=tell).run(solutions, wrong, only)
    _make_data_dir(settings)
    chosen = providers(settings)[provider]
    found = chosen.available()
    if not found.ok:
        raise Unavailable(found.reason, cure=found.cure)
    return SelfTest(lab, chosen, fresh=False, tell=tell).run(solutions, wrong, only)
