"""The worker: takes up what others left unfinished, ends labs in time, and checks labs again when they change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from tutor.clusters.provider import Access, Role
from tutor.errors import KubetutorError
from tutor.labs.service import Labs
from tutor.labs.watch import LabWatch
from tutor.store import labs as store
from tutor.store.labs import SessionRecord

ACTIVE = timedelta(minutes=5)
"""A lab whose page was not seen for so long is not watched: checking costs its cluster work."""
MOST_WATCHED = 100
_ROUND_S = 0.5
_ORPHAN_ROUNDS = 240
logger = logging.getLogger(__name__)


class Worker:
    """One for each database is enough; more do no harm, leases keep them apart.

    :param labs: the services; the worker drives sessions in their threads.
    """

    def __init__(self, labs: Labs) -> None:
        self._labs = labs
        self._deps = labs.deps
        self._watches: dict[tuple[str, int], LabWatch] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        rounds = 0
        while not stop.is_set():
            steps: list[Callable[[], None]] = [self.reconcile, self.reap, self.watch]
            if rounds % _ORPHAN_ROUNDS == 0:
                steps.append(self.remove_orphans)
            for step in steps:
                self._guarded(step)
            rounds += 1
            stop.wait(_ROUND_S)
        for watch in self._watches.values():
            watch.stop()
        self._labs.stop()

    @staticmethod
    def _guarded(step: Callable[[], None]) -> None:
        try:
            step()
        except KubetutorError as e:
            logger.warning("%s: %s", step.__name__, e)
        except Exception:  # the database may be away for a moment: the next round tries again
            logger.exception("%s failed", step.__name__)

    def reconcile(self) -> None:
        """Take up sessions that need work and whose worker is gone."""
        with self._deps.database.transaction() as tx:
            ids = store.abandoned(tx, self._deps.now())
        for id_ in ids:
            self._labs.sessions.begin(id_)

    def reap(self) -> None:
        """End labs whose time is up."""
        with self._deps.database.transaction() as tx:
            ids = store.overdue(tx, self._deps.now())
        for id_ in ids:
            self._labs.sessions.expire(id_)

    def remove_orphans(self) -> None:
        """Delete clusters whose session has ended: what a crash between two steps left behind."""
        for provider in self._deps.providers.values():
            if not provider.available().ok:
                continue
            handles = {h.lab_id: h for h in provider.owned()}
            with self._deps.database.transaction() as tx:
                ended = store.ended(tx, handles)
            for id_ in ended:
                provider.delete(handles[id_])
                logger.info("deleted the left-over %s cluster of lab %s", provider.name, id_)

    def watch(self) -> None:
        """Watch the labs somebody looks at, and no others."""
        with self._deps.database.transaction() as tx:
            active = store.active(tx, self._deps.now() - ACTIVE)[:MOST_WATCHED]
        wanted = {(s.id, s.generation): s for s in active}
        for key in [k for k in self._watches if k not in wanted]:
            self._watches.pop(key).stop()
        for key, session in wanted.items():
            if key not in self._watches:
                self._watches[key] = self._begin(session)

    def watching(self) -> tuple[LabWatch, ...]:
        """The watches there are now."""
        return tuple(self._watches.values())

    def _begin(self, session: SessionRecord) -> LabWatch:
        lab = self._deps.library.lab(session.slug)

        def access() -> Access:
            return self._deps.access(session, Role.VERIFIER)

        watch = LabWatch(session.id, access, frozenset(lab.namespaces), lambda: self._labs.attempts.recheck(session))
        watch.start()
        return watch
