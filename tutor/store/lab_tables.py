"""The tables of lab sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tutor.store.base import Base, UtcDateTime

_IS_OPEN = "state IN ('requested', 'starting', 'ready', 'failed')"


class LabSessionRow(Base):
    """One opened lab. The truth about it, whichever process looks."""

    __tablename__ = "lab_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    learner: Mapped[str] = mapped_column(String(64), index=True)
    slug: Mapped[str] = mapped_column(String(64))
    provider: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    ending: Mapped[str] = mapped_column(String(16), default="closed")
    """The state that follows ``closing``."""
    handle: Mapped[dict[str, Any] | None] = mapped_column(JSON, nullable=True)
    generation: Mapped[int] = mapped_column(Integer, default=0)
    """Counts resets: what was measured in an earlier generation is not recorded."""
    revision: Mapped[int] = mapped_column(Integer, default=0)
    lease_owner: Mapped[str] = mapped_column(String(64), default="")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    heartbeat: Mapped[datetime] = mapped_column(UtcDateTime)
    deadline: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    content_digest: Mapped[str] = mapped_column(String(128), default="")

    __table_args__ = (
        Index(
            "uq_lab_sessions_open",
            "learner",
            "slug",
            unique=True,
            sqlite_where=text(_IS_OPEN),
            postgresql_where=text(_IS_OPEN),
        ),
    )


class LabResultRow(Base):
    """One verification of one stage; only ever added."""

    __tablename__ = "lab_stage_results"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    session: Mapped[str] = mapped_column(ForeignKey("lab_sessions.id"), index=True)
    stage: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(32))
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    auto: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabCreditRow(Base):
    """A stage passed in a session: latched by the unique constraint."""

    __tablename__ = "lab_credits"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    session: Mapped[str] = mapped_column(ForeignKey("lab_sessions.id"))
    stage: Mapped[str] = mapped_column(String(64))
    learner: Mapped[str] = mapped_column(String(64))
    slug: Mapped[str] = mapped_column(String(64))
    result: Mapped[int] = mapped_column(ForeignKey("lab_stage_results.id"))
    content_digest: Mapped[str] = mapped_column(String(128), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("session", "stage"), Index("ix_lab_credits_learner", "learner", "slug"))


class LabHintRow(Base):
    """A hint opened on purpose."""

    __tablename__ = "lab_hints"

    session: Mapped[str] = mapped_column(ForeignKey("lab_sessions.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(String(64), primary_key=True)
    tier: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabAnswerRow(Base):
    """An answer to a question of the lab; only ever added, the latest counts."""

    __tablename__ = "lab_answers"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    session: Mapped[str] = mapped_column(ForeignKey("lab_sessions.id"), index=True)
    check: Mapped[str] = mapped_column("check_id", String(64))
    choice: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabEventRow(Base):
    """What happened to a session, in order."""

    __tablename__ = "lab_events"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    session: Mapped[str] = mapped_column(ForeignKey("lab_sessions.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
