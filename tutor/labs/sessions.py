"""Lab sessions: open, drive to ready, extend, reset, close, reap. The row is the truth; every step can be run again."""

from __future__ import annotations

import logging
import secrets
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from typing import Any

from tutor.clusters.provider import Access, BulkProvider, ClusterSpec, Handle, Provider, Role
from tutor.content.models import Lab
from tutor.errors import Conflict, InvalidInput, KubetutorError, NotFound, ProvisionError, Refused
from tutor.labs import manifests
from tutor.labs.deps import Deps
from tutor.labs.lease import Lease, held
from tutor.labs.views import PASSED
from tutor.store import labs as store
from tutor.store.labs import SessionRecord

_STARTING = timedelta(minutes=15)
"""How long a lab may take to start before it is ended."""
_THREADS = 4
_WARM_ID = "trying-out"
logger = logging.getLogger(__name__)


class Sessions:
    """The life of lab sessions."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._enforcing: set[str] = set()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="lab")

    def stop(self) -> None:
        """Wait for work under way. A process killed meanwhile loses nothing: the worker takes it up."""
        self._executor.shutdown(wait=True)

    def warm(self) -> None:
        """Do before the first learner comes what only the first one would wait for: load the verifier, and prove that the
        server of simulated clusters enforces policies, on a cluster made and deleted for that. Never raises."""
        for provider in self._deps.providers.values():
            lab = next((x for x in self._deps.library.labs() if provider.name in x.providers), None)
            if lab is None or not isinstance(provider, BulkProvider) or not provider.available().ok:
                continue
            handle = Handle(provider.name, _WARM_ID)
            try:
                provider.delete(handle)  # one that a crash left
                handle = provider.create(ClusterSpec(_WARM_ID, lab.namespaces))
                provider.apply_bulk(handle, manifests.objects(lab))
                self._preflight(provider, provider.access(handle, Role.VERIFIER), lab)
            except KubetutorError as e:  # opening a lab will meet it again, and tell the learner
                logger.warning("%s clusters could not be tried out: %s", provider.name, e)
            finally:
                self._deleted(provider, handle)

    @staticmethod
    def _deleted(provider: Provider, handle: Handle) -> None:
        try:
            provider.delete(handle)
        except KubetutorError as e:
            logger.warning("the %s cluster %s could not be deleted: %s", provider.name, handle.lab_id, e)

    # -- finding ---------------------------------------------------------------------------------

    def owned(self, lab_id: str, learner: str) -> SessionRecord:
        """A session of this learner.

        :raises NotFound: there is none; another learner's looks the same.
        """
        with self._deps.database.transaction() as tx:
            record = store.get(tx, lab_id)
        if record is None or record.learner != learner:
            raise NotFound("There is no such lab.")
        return record

    def ready(self, lab_id: str, learner: str) -> SessionRecord:
        """A session of this learner that can be worked in.

        :raises Conflict: it is not ready; the message says what it is.
        """
        record = self.owned(lab_id, learner)
        if record.state != "ready":
            raise Conflict(*_not_ready(record))
        return record

    # -- the learner's acts ----------------------------------------------------------------------

    def open(self, learner: str, slug: str, provider: str | None) -> SessionRecord:
        """Open a lab, or take up the open one: a double click, two tabs and a retry all end in one session.

        :raises NotFound, Refused, InvalidInput: no such lab or provider; not unlocked; the lab does not run there.
        """
        lab = self._deps.library.lab(slug)
        with self._deps.database.transaction() as tx:
            found = store.find_open(tx, learner, slug)
        if found is not None and found.state != "failed":
            if found.state == "requested":
                self.begin(found.id)
            return found
        if not self._deps.is_unlocked(learner, lab):
            raise Refused(
                "This lab opens when the questions of its lesson are passed.", cure="Finish the lesson first."
            )
        name = provider or self._deps.settings.provider
        self._deps.provider(name)
        if name not in lab.providers:
            raise InvalidInput(
                f"This lab does not run on {name} clusters.", cure="It runs on: " + ", ".join(lab.providers) + "."
            )
        if found is not None:
            self._to_closing(found.id, learner, ending="closed", states=("failed",))
        record = self._insert(learner, lab, name)
        self.begin(record.id)
        return record

    def _insert(self, learner: str, lab: Lab, provider: str) -> SessionRecord:
        now = self._deps.now()
        id_ = secrets.token_hex(6)
        deadline = now + _STARTING + timedelta(minutes=self._deps.settings.lab_minutes)
        with self._deps.database.transaction() as tx:
            record = store.insert_open(
                tx,
                id_=id_,
                learner=learner,
                slug=lab.slug,
                provider=provider,
                now=now,
                deadline=deadline,
                digest=lab.digest,
            )
            if record is not None:
                store.add_event(tx, id_, "opened", now, provider)
                return record
            other = store.find_open(tx, learner, lab.slug)
        if other is None:
            raise Conflict("The lab was opened and closed at this moment.", cure="Open it again.")
        return other

    def extend(self, lab_id: str, learner: str) -> SessionRecord:
        """Give more time.

        :raises Conflict: not ready. :raises Refused: the longest time is reached.
        """
        record = self.ready(lab_id, learner)
        settings = self._deps.settings
        now = self._deps.now()
        limit = (record.ready_at or record.created) + timedelta(minutes=settings.lab_max_minutes)
        deadline = min(max(record.deadline, now) + timedelta(minutes=settings.lab_extend_minutes), limit)
        if deadline <= record.deadline:
            raise Refused(
                f"A lab may last {settings.lab_max_minutes} minutes at most.",
                cure="End it and open it again: what you earned stays.",
            )
        return self._change(record, ("ready",), "extended", deadline=deadline)

    def reset(self, lab_id: str, learner: str) -> SessionRecord:
        """A fresh cluster for the same session; credit stays.

        :raises Conflict: it is neither ready nor failed.
        """
        record = self.owned(lab_id, learner)
        changed = self._change(
            record,
            ("ready", "failed"),
            "reset",
            state="starting",
            reason="A fresh cluster is being made.",
            generation=record.generation + 1,
            ready_at=None,
            lease_owner="",
            lease_until=None,
        )
        self.begin(lab_id)
        return changed

    def close(self, lab_id: str, learner: str, *, wait_s: float = 5.0) -> SessionRecord:
        """End a lab and delete its cluster; closing again is fine.

        :param wait_s: how long to wait for the cluster to be gone; afterwards it goes on in the background.
        """
        self._to_closing(lab_id, learner, ending="closed", states=store.OPEN)
        future = self.begin(lab_id)
        try:
            future.result(timeout=wait_s)
        except FutureTimeout:
            logger.info("lab %s is still being closed", lab_id)
        return self.owned(lab_id, learner)

    def expire(self, lab_id: str) -> None:
        """End a lab whose time is up."""
        with self._deps.database.transaction() as tx:
            record = store.get(tx, lab_id)
        if record is not None:
            self._to_closing(lab_id, record.learner, ending="expired", states=store.OPEN)
            self.drive(lab_id)

    def _to_closing(self, lab_id: str, learner: str, *, ending: str, states: tuple[str, ...]) -> None:
        record = self.owned(lab_id, learner)
        now = self._deps.now()
        reason = "The time was up." if ending == "expired" else ""
        with self._deps.database.transaction() as tx:
            values: dict[str, Any] = {
                "state": "closing",
                "ending": ending,
                "reason": reason,
                "lease_owner": "",
                "lease_until": None,
            }
            if store.change(tx, record.id, states=states, **values) is not None:
                store.add_event(tx, record.id, "closing", now, ending)

    def _change(self, record: SessionRecord, states: tuple[str, ...], event: str, **values: Any) -> SessionRecord:
        with self._deps.database.transaction() as tx:
            changed = store.change(tx, record.id, states=states, **values)
            if changed is not None:
                store.add_event(tx, record.id, event, self._deps.now())
                return changed
            present = store.get(tx, record.id)
        raise Conflict(*_not_ready(present or record))

    # -- driving ---------------------------------------------------------------------------------

    def begin(self, lab_id: str) -> Future[None]:
        """Drive a session in a thread of this process."""
        return self._executor.submit(self.drive, lab_id)

    def drive(self, lab_id: str) -> None:
        """Bring a session to where it is going, under a lease. Safe to call at any time, from any process."""
        with held(self._deps, lab_id) as lease_and_record:
            if lease_and_record is None:
                return
            lease, record = lease_and_record
            try:
                if record.state == "closing":
                    self._end(lease, record)
                else:
                    self._start(lease, record)
            except KubetutorError as e:
                logger.warning("lab %s: %s", lab_id, e)
                self._failed(lease, record, str(e))
            except Exception:
                logger.exception("lab %s could not be driven", lab_id)
                self._failed(lease, record, "Something of ours broke while the lab was being prepared. Try again.")

    def _failed(self, lease: Lease, record: SessionRecord, reason: str) -> None:
        if record.state != "closing":  # a closing session stays so: the worker tries again
            lease.change("requested", "starting", state="failed", reason=reason)

    def _start(self, lease: Lease, record: SessionRecord) -> None:
        deps = self._deps
        lab = deps.library.lab(record.slug)
        provider = deps.provider(record.provider)
        if (
            lease.change(
                "requested", "starting", state="starting", reason=record.reason or "The cluster is being made."
            )
            is None
        ):
            return
        if record.generation > 0:
            self._wipe(provider, deps.handle(record), lab)
        handle = provider.create(ClusterSpec(record.id, lab.namespaces))
        if lease.change("starting", handle=dict(handle.data), reason="The workloads are being started.") is None:
            self._abandoned(provider, handle)
            return
        self._furnish(lease, provider, handle, lab)
        now = deps.now()
        deadline = now + timedelta(minutes=deps.settings.lab_minutes)
        if lease.change("starting", state="ready", reason="", ready_at=now, deadline=deadline, heartbeat=now) is None:
            self._abandoned(provider, handle)

    def _furnish(self, lease: Lease, provider: Provider, handle: Handle, lab: Lab) -> None:
        access = provider.access(handle, Role.VERIFIER)
        objects = manifests.objects(lab)
        if isinstance(provider, BulkProvider):
            provider.apply_bulk(handle, objects)
        else:
            manifests.apply(access, objects)
            manifests.wait_available(access, lab, objects, give_up=lease.lost)
        self._furnish_workspace(lease.lab_id, lab)
        self._preflight(provider, access, lab)

    def _preflight(self, provider: Provider, access: Access, lab: Lab) -> None:
        """Prove that the cluster enforces policies before anything is taught on it.

        Where all clusters live in one server, its first cluster proves it for the others of this process.

        :raises ProvisionError: it does not, or that could not be found out.
        """
        if provider.name in self._enforcing:
            return
        result = self._deps.verifier.preflight(lab, access)
        if str(result.outcome) != PASSED:
            raise ProvisionError(result.message, cure=" ".join(result.advice))
        if isinstance(provider, BulkProvider):
            self._enforcing.add(provider.name)

    def _furnish_workspace(self, lab_id: str, lab: Lab) -> None:
        work = self._deps.directory(lab_id) / "work"
        for name, text in lab.manifests:
            (work / name.rsplit("/", 1)[-1]).write_text(text)

    def _wipe(self, provider: Provider, handle: Handle, lab: Lab) -> None:
        """What a reset removes. Where a cluster takes long to make, its namespaces go instead of the whole."""
        if not isinstance(provider, BulkProvider):
            try:
                manifests.delete_namespaces(provider.access(handle, Role.VERIFIER), lab)
                return
            except KubetutorError as e:
                logger.warning("lab %s could not be emptied, so it gets a new cluster: %s", handle.lab_id, e)
        provider.delete(handle)

    def _abandoned(self, provider: Provider, handle: Handle) -> None:
        """The session went another way while we made its cluster: leave nothing behind if it has ended."""
        with self._deps.database.transaction() as tx:
            record = store.get(tx, handle.lab_id)
        if record is None or record.state in ("closing", "closed", "expired"):
            provider.delete(handle)

    def _end(self, lease: Lease, record: SessionRecord) -> None:
        self._deps.provider(record.provider).delete(self._deps.handle(record))
        shutil.rmtree(self._deps.settings.data_dir / "labs" / record.id, ignore_errors=True)
        lease.change("closing", state=record.ending, closed_at=self._deps.now())


def _not_ready(record: SessionRecord) -> tuple[str]:
    words = {
        "requested": "The lab is being prepared. Wait until it is ready.",
        "starting": "The lab is being prepared. Wait until it is ready.",
        "failed": f"The lab could not be prepared: {record.reason}",
        "closing": "The lab is being closed.",
        "closed": "The lab is closed. Open it again: what you earned stays.",
        "expired": "The lab's time was up, so it was closed. Open it again: what you earned stays.",
        "ready": "The lab changed at this moment. Try again.",
    }
    return (words[record.state],)
