"""The tables of learners, attempts and what was earned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tutor.store.base import Base, UtcDateTime


class AttemptRow(Base):
    """One attempt at a lesson's questions. Closed once; its sheet is kept as it was asked."""

    __tablename__ = "quiz_attempts"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    learner: Mapped[str] = mapped_column(String(64), index=True)
    lesson: Mapped[str] = mapped_column(String(64))
    number: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    right: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int] = mapped_column(Integer, default=0)
    passed: Mapped[bool] = mapped_column(Boolean, default=False)
    content_digest: Mapped[str] = mapped_column(String(64), default="")
    sheet: Mapped[dict[str, Any] | None] = mapped_column(JSON, nullable=True)
    asked: Mapped[dict[str, str] | None] = mapped_column(JSON, nullable=True)
    """Item -> variant, drawn when the attempt began."""

    __table_args__ = (UniqueConstraint("learner", "lesson", "number", name="uq_quiz_attempts_number"),)


class AnswerRow(Base):
    """The answer to one item in one attempt: the first one given counts, and there is never a second."""

    __tablename__ = "quiz_answers"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    attempt: Mapped[int] = mapped_column(ForeignKey("quiz_attempts.id"), index=True)
    item: Mapped[str] = mapped_column(String(64))
    variant: Mapped[str] = mapped_column(String(64))
    option: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("attempt", "item", name="uq_quiz_answers_item"),)


class AchievementRow(Base):
    """Something earned, only ever added: the one value that joins quiz, prose and lab."""

    __tablename__ = "achievements"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    learner: Mapped[str] = mapped_column(String(64), index=True)
    item: Mapped[str] = mapped_column(String(128))
    """``lesson:<slug>``."""
    passed: Mapped[bool] = mapped_column(Boolean)
    score: Mapped[float] = mapped_column(Float)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    content_digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
