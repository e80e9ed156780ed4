"""One simulated cluster in memory, and the transaction that changes it.

A transaction stages writes over the present state, controllers add theirs, the store commits them, and only then does
memory change and do watchers hear of it. So memory never disagrees with disk, and a failed commit leaves no trace.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from tutor.kubesim.store import KEEP_CHANGES, Change, Loaded
from tutor.kubesim.view import TRAFFIC_KINDS, History, Key, Object, View

WATCH_WINDOW = 1000
"""Changes kept for watches that resume; older ones are answered 410, and clients list again."""

WATCH_BACKLOG = 10_000
"""Changes that may wait for a watch that is not read; beyond that it ends."""

Clock = Callable[[], datetime]


def stamp(moment: datetime) -> str:
    """A moment as Kubernetes writes it: ``2026-01-01T00:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """The committed state of one cluster, its recent changes, and who watches them."""

    def __init__(self, cluster_id: str, loaded: Loaded) -> None:
        self.id = cluster_id
        self.created = loaded.created
        self.revision = loaded.revision
        self.counters = dict(loaded.counters)
        self.objects: dict[str, dict[Key, Object]] = {}
        for plural, namespace, name, obj in loaded.objects:
            self.objects.setdefault(plural, {})[(namespace, name)] = obj
        self.lock = asyncio.Lock()
        self.window: deque[Change] = deque(maxlen=WATCH_WINDOW)
        self.window_start = loaded.revision
        self.watchers: set[asyncio.Queue[Change | None]] = set()
        self.closed = False
        self._epochs = self._rebuild(loaded.changes)

    def _rebuild(self, changes: list[Change]) -> deque[View]:
        """The epochs before this start, walked backwards from the present through what each change replaced."""
        present = {p: dict(self.objects.get(p, {})) for p in TRAFFIC_KINDS}
        epochs: deque[View] = deque(maxlen=KEEP_CHANGES)
        later: datetime | None = None
        for change in reversed(changes):
            if change.at != later:
                epochs.appendleft(View({p: dict(o) for p, o in present.items()}, change.revision, change.at))
                later = change.at
            if change.before is None:
                present[change.plural].pop((change.namespace, change.name), None)
            else:
                present[change.plural][(change.namespace, change.name)] = change.before
        if not epochs:
            epochs.append(View(present, self.revision, self.created))
        return epochs

    @property
    def history(self) -> History:
        """Every remembered state, oldest first."""
        return History(tuple(self._epochs))

    def view(self) -> View:
        """The present state, as the workload side reads it."""
        return self._epochs[-1]

    def apply(self, transaction: Transaction) -> None:
        """Take over a committed transaction and tell the watchers."""
        touched: set[str] = set()
        for change in transaction.changes:
            kind = self.objects.setdefault(change.plural, {})
            key = (change.namespace, change.name)
            if change.after is None:
                kind.pop(key, None)
            else:
                kind[key] = change.after
            if change.traffic:
                touched.add(change.plural)
            if len(self.window) == self.window.maxlen:
                self.window_start = self.window[0].revision
            self.window.append(change)
        self.revision, self.counters = transaction.revision, transaction.counters
        if touched:
            last = self._epochs[-1].objects
            objects = {p: dict(self.objects.get(p, {})) if p in touched else last.get(p, {}) for p in TRAFFIC_KINDS}
            # What was compiled for the state before is not needed again: logs compile what they read.
            self._epochs[-1].cache.clear()
            self._epochs.append(View(objects, self.revision, transaction.now))
        for watcher in list(self.watchers):
            if watcher.qsize() > WATCH_BACKLOG:  # nobody reads it: its client lists again if it lives
                self.watchers.discard(watcher)
                watcher.put_nowait(None)
                continue
            for change in transaction.changes:
                watcher.put_nowait(change)

    def close(self) -> None:
        """End every watch; the cluster is gone or about to be loaded again."""
        self.closed = True
        for watcher in self.watchers:
            watcher.put_nowait(None)


class Transaction:
    """Staged writes over a cluster. Reads see them; nothing else does until :meth:`Cluster.apply`."""

    def __init__(self, cluster: Cluster, now: datetime) -> None:
        self.cluster = cluster
        self.now = now
        self.revision = cluster.revision
        self.counters = dict(cluster.counters)
        self.changes: list[Change] = []
        self.settled = 0
        """How many of the changes the controllers have seen."""
        self._staged: dict[str, dict[Key, Object | None]] = {}

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object as of this transaction."""
        key = (namespace, name)
        staged = self._staged.get(plural, {})
        return staged[key] if key in staged else self.cluster.objects.get(plural, {}).get(key)

    def list(self, plural: str, namespace: str | None = None) -> Iterator[Object]:
        """All objects of a kind as of this transaction."""
        staged = self._staged.get(plural, {})
        for key, obj in self.cluster.objects.get(plural, {}).items():
            if key not in staged and (namespace is None or key[0] == namespace):
                yield obj
        for key, new in list(staged.items()):
            if new is not None and (namespace is None or key[0] == namespace):
                yield new

    def count(self) -> int:
        """How many objects the cluster holds as of this transaction."""
        stored = sum(len(k) for k in self.cluster.objects.values())
        return stored + sum((c.before is None) - (c.after is None) for c in self.changes)

    def put(self, plural: str, obj: dict[str, Any]) -> Object:
        """Stage an object under a new resourceVersion; one that says nothing new is not written."""
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        before = self.get(plural, namespace, name)
        if before is None:
            meta.setdefault("uid", str(uuid.uuid4()))
            meta.setdefault("creationTimestamp", stamp(self.now))
        else:
            for key in ("uid", "creationTimestamp"):
                meta.setdefault(key, before["metadata"][key])
            if _same(before, obj) and _owners(before) == _owners(obj):
                return before
        self.revision += 1
        meta["resourceVersion"] = str(self.revision)
        self._stage(plural, namespace, name, before, obj)
        return obj

    def delete(self, plural: str, namespace: str, name: str) -> Object | None:
        """Stage a removal; gives what was removed."""
        before = self.get(plural, namespace, name)
        if before is not None:
            self.revision += 1
            self._stage(plural, namespace, name, before, None)
        return before

    def _stage(self, plural: str, namespace: str, name: str, before: Object | None, after: Object | None) -> None:
        self._staged.setdefault(plural, {})[(namespace, name)] = after
        traffic = plural in TRAFFIC_KINDS and (before is None or after is None or not _same(before, after))
        self.changes.append(Change(self.revision, plural, namespace, name, before, after, self.now, traffic))

    def next(self, counter: str, first: int = 1) -> int:
        """The next number of a counter that is kept with the cluster (addresses, for one)."""
        self.counters[counter] = self.counters.get(counter, first - 1) + 1
        return self.counters[counter]


def _owners(o: Object) -> list[dict[str, Any]]:
    return [{k: v for k, v in e.items() if k != "time"} for e in o["metadata"].get("managedFields") or []]


def _same(a: Object, b: Object) -> bool:
    """Equal but for resourceVersion and managedFields."""

    def bare(o: Object) -> dict[str, Any]:
        return {
            **o,
            "metadata": {k: v for k, v in o["metadata"].items() if k not in ("resourceVersion", "managedFields")},
        }

    return bare(a) == bare(b)
