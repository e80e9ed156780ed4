"""Where simulated clusters live: three SQL tables. A request is answered only after its writes are committed here."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tutor.kubesim.view import Object

_META = MetaData()
_CLUSTERS = Table(
    "sim_clusters",
    _META,
    Column("id", String(64), primary_key=True),
    Column("created", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("counters", Text, nullable=False),
)
_OBJECTS = Table(
    "sim_objects",
    _META,
    Column("cluster", String(64), primary_key=True),
    Column("plural", String(64), primary_key=True),
    Column("namespace", String(64), primary_key=True),
    Column("name", String(253), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("body", Text, nullable=False),
)
_CHANGES = Table(
    "sim_changes",
    _META,
    Column("cluster", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("at", String(32), nullable=False),
    Column("plural", String(64), nullable=False),
    Column("namespace", String(64), nullable=False),
    Column("name", String(253), nullable=False),
    Column("before", Text, nullable=True),
)
KEEP_CHANGES = 400
"""How many traffic-relevant changes of a cluster are remembered for its workloads' logs."""


_READ = "kubesim_read"
_CLAIM = 0x6B756265
"""The number of the advisory lock, ``kube`` in ASCII."""


class StorageError(Exception):
    """The database refused a read or a write; nothing of it was kept."""


@dataclass(frozen=True)
class Change:
    """One write. ``before`` and ``after`` are None for what did not exist, or exists no more."""

    revision: int
    plural: str
    namespace: str
    name: str
    before: Object | None
    after: Object | None
    at: datetime
    traffic: bool
    """Whether it can change what packets do (then it is remembered for the logs)."""


@dataclass(frozen=True)
class Loaded:
    """A cluster as it was committed last."""

    revision: int
    created: datetime
    counters: dict[str, int]
    objects: list[tuple[str, str, str, Object]]
    changes: list[Change] = field(default_factory=list)


class StorageBusy(StorageError):
    """Another process is this database's writer."""


class Store:
    """The tables of all simulated clusters. Called from one thread only (the server's writer).

    :param url: the database. It is claimed until :meth:`close`: there is one writer.
    :raises StorageBusy: another process has claimed it.
    :raises StorageError: it cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._claim = _claim(url)
        self.engine = _engine(url)
        try:
            with _Wrapped(self.engine) as c:
                _META.create_all(c)
        except StorageError:
            self.close()
            raise

    def close(self) -> None:
        """Give the connections and the claim back."""
        self.engine.dispose()
        self._claim()

    def ids(self) -> list[str]:
        """Every cluster there is."""
        with self._read() as c:
            return list(c.scalars(select(_CLUSTERS.c.id).order_by(_CLUSTERS.c.created)))

    def revision(self, cluster: str) -> int | None:
        """The revision a cluster was committed with last, or None when there is none of this id."""
        with self._read() as c:
            found = c.scalar(select(_CLUSTERS.c.revision).where(_CLUSTERS.c.id == cluster))
            return None if found is None else int(found)

    def load(self, cluster: str) -> Loaded | None:
        """One cluster, or None."""
        with self._read() as c:
            row = c.execute(select(_CLUSTERS).where(_CLUSTERS.c.id == cluster)).one_or_none()
            if row is None:
                return None
            objects = c.execute(select(_OBJECTS).where(_OBJECTS.c.cluster == cluster).order_by(_OBJECTS.c.revision))
            changes = c.execute(select(_CHANGES).where(_CHANGES.c.cluster == cluster).order_by(_CHANGES.c.revision))
            return Loaded(
                row.revision,
                datetime.fromisoformat(row.created),
                json.loads(row.counters),
                [(o.plural, o.namespace, o.name, json.loads(o.body)) for o in objects],
                [_change(r) for r in changes],
            )

    def create(self, cluster: str, created: datetime) -> None:
        """Make the row of a cluster; does nothing when it exists."""
        with self._begin() as c:
            if c.execute(select(_CLUSTERS.c.id).where(_CLUSTERS.c.id == cluster)).one_or_none() is None:
                c.execute(insert(_CLUSTERS).values(id=cluster, created=created.isoformat(), revision=0, counters="{}"))

    def delete(self, cluster: str) -> None:
        """Forget a cluster and everything in it."""
        with self._begin() as c:
            for table in (_OBJECTS, _CHANGES):
                c.execute(delete(table).where(table.c.cluster == cluster))
            c.execute(delete(_CLUSTERS).where(_CLUSTERS.c.id == cluster))

    def commit(self, cluster: str, revision: int, counters: Mapping[str, int], changes: Iterable[Change]) -> None:
        """Write one transaction of a cluster: all of it or nothing.

        :raises StorageError: the database refused (full, read-only, gone).
        """
        last: dict[tuple[str, str, str], Change] = {}
        log: list[dict[str, Any]] = []
        for change in changes:
            last[(change.plural, change.namespace, change.name)] = change
            if change.traffic:
                log.append(_change_row(cluster, change))
        gone = [k for k, c in last.items()]
        rows = [
            {
                "cluster": cluster,
                "plural": p,
                "namespace": ns,
                "name": n,
                "revision": c.revision,
                "body": json.dumps(c.after),
            }
            for (p, ns, n), c in last.items()
            if c.after is not None
        ]
        with self._begin() as c:
            values = {"revision": revision, "counters": json.dumps(counters)}
            c.execute(_CLUSTERS.update().where(_CLUSTERS.c.id == cluster).values(values))
            for p, ns, n in gone:
                o = _OBJECTS.c
                c.execute(delete(_OBJECTS).where(o.cluster == cluster, o.plural == p, o.namespace == ns, o.name == n))
            if rows:
                c.execute(insert(_OBJECTS), rows)
            if log:
                c.execute(insert(_CHANGES), log)
                kept = select(_CHANGES.c.revision).where(_CHANGES.c.cluster == cluster)
                oldest = c.scalar(kept.order_by(_CHANGES.c.revision.desc()).offset(KEEP_CHANGES).limit(1))
                if oldest is not None:
                    c.execute(delete(_CHANGES).where(_CHANGES.c.cluster == cluster, _CHANGES.c.revision <= oldest))

    def _begin(self) -> _Wrapped:
        return _Wrapped(self.engine)

    def _read(self) -> _Wrapped:
        return _Wrapped(self.engine.execution_options(**{_READ: True}))


class _Wrapped:
    """``engine.begin()`` whose database errors are StorageError."""

    def __init__(self, engine: Engine) -> None:
        self._context = engine.begin()

    def __enter__(self) -> Connection:
        try:
            return self._context.__enter__()
        except SQLAlchemyError as e:
            raise StorageError(str(e.__cause__ or e)) from e

    def __exit__(self, kind: Any, value: BaseException | None, trace: Any) -> None:
        try:
            self._context.__exit__(kind, value, trace)
        except SQLAlchemyError as e:
            raise StorageError(str(e.__cause__ or e)) from e
        if isinstance(value, SQLAlchemyError):
            raise StorageError(str(value.__cause__ or value)) from value


def _change_row(cluster: str, change: Change) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "revision": change.revision,
        "at": change.at.isoformat(),
        "plural": change.plural,
        "namespace": change.namespace,
        "name": change.name,
        "before": None if change.before is None else json.dumps(change.before),
    }


def _change(row: Any) -> Change:
    before = None if row.before is None else json.loads(row.before)
    at = datetime.fromisoformat(row.at).astimezone(UTC)
    return Change(row.revision, row.plural, row.namespace, row.name, before, None, at, traffic=True)


def _claim(url: str) -> Callable[[], None]:
    """Claim a database; gives what lets it go. The system does the same when this process dies, kill -9 included."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _claim_by_session(url)
    path = (parsed.database or "").removeprefix("file:").partition("?")[0]
    if path in ("", ":memory:"):
        return lambda: None
    try:
        handle = os.open(f"{path}.clusters-lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as e:
        raise StorageError(f"{e.strerror}: {path}") from e
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(handle)
        raise StorageBusy(f"another process already serves the simulated clusters of {path}") from e
    return lambda: os.close(handle)


def _claim_by_session(url: str) -> Callable[[], None]:
    """PostgreSQL: an advisory lock that lives as long as one connection."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
        got = connection.scalar(select(func.pg_try_advisory_lock(_CLAIM)))
    except SQLAlchemyError as e:
        raise StorageError(str(e.__cause__ or e)) from e
    if not got:
        connection.close()
        raise StorageBusy("another process already serves the simulated clusters of this database")
    return connection.close


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": 15, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=15000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A reader needs no lock, and works on a full or read-only disk too.
        reads = connection.get_execution_options().get(_READ)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
