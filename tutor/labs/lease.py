"""A lease on a session: who works on it, kept while they do, free again soon after they are gone."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tutor.labs.deps import Deps
from tutor.store import labs as store
from tutor.store.labs import SessionRecord

LEASE = timedelta(seconds=30)
"""How long a lease outlives its holder: the longest that work lies still after ``kill -9``."""
_RENEW_S = 10.0
logger = logging.getLogger(__name__)


class Lease:
    """A held lease. ``lost`` is set when another process has taken it, or the session went another way."""

    def __init__(self, deps: Deps, lab_id: str, owner: str) -> None:
        self.deps = deps
        self.lab_id = lab_id
        self.owner = owner
        self.lost = threading.Event()
        self._done = threading.Event()

    def change(self, *states: str, **values: object) -> SessionRecord | None:
        """Change the session as its holder; None (and ``lost``) when it is not ours any more."""
        with self.deps.database.transaction() as tx:
            record = store.change(tx, self.lab_id, states=states, owner=self.owner, **values)
        if record is None:
            self.lost.set()
        return record

    def keep(self) -> None:
        """Renew until told to stop; body of a thread."""
        while not self._done.wait(_RENEW_S):
            try:
                with self.deps.database.transaction() as tx:
                    held = store.renew(tx, self.lab_id, owner=self.owner, until=self.deps.now() + LEASE)
            except Exception:
                logger.exception("the lease on lab %s could not be renewed", self.lab_id)
                continue
            if not held:
                self.lost.set()
                return

    def stop(self) -> None:
        """End the renewing."""
        self._done.set()


@contextmanager
def held(deps: Deps, lab_id: str) -> Iterator[tuple[Lease, SessionRecord] | None]:
    """Take and keep the lease on a session that needs work; None when it needs none or somebody is at it."""
    owner = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
    now = deps.now()
    with deps.database.transaction() as tx:
        record = store.claim(tx, lab_id, owner=owner, now=now, until=now + LEASE)
    if record is None:
        yield None
        return
    lease = Lease(deps, lab_id, owner)
    keeper = threading.Thread(target=lease.keep, name=f"lease-{lab_id}", daemon=True)
    keeper.start()
    try:
        yield lease, record
    finally:
        lease.stop()
        keeper.join()
        with deps.database.transaction() as tx:
            store.renew(tx, lab_id, owner=owner, until=deps.now() - LEASE)
