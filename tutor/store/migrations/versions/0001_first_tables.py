"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "achievements",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("learner", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=128), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("achievements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_achievements_learner"), ["learner"], unique=False)

    op.create_table(
        "lab_sessions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("learner", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ending", sa.String(length=16), nullable=False),
        sa.Column("handle", sa.JSON(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content_digest", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("lab_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lab_sessions_learner"), ["learner"], unique=False)
        batch_op.create_index(batch_op.f("ix_lab_sessions_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_lab_sessions_open",
            ["learner", "slug"],
            unique=True,
            sqlite_where=sa.text("state IN ('requested', 'starting', 'ready', 'failed')"),
            postgresql_where=sa.text("state IN ('requested', 'starting', 'ready', 'failed')"),
        )

    op.create_table(
        "quiz_attempts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("learner", sa.String(length=64), nullable=False),
        sa.Column("lesson", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("sheet", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("learner", "lesson", "number", name="uq_quiz_attempts_number"),
    )
    with op.batch_alter_table("quiz_attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quiz_attempts_learner"), ["learner"], unique=False)

    op.create_table(
        "lab_answers",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("check_id", sa.String(length=64), nullable=False),
        sa.Column("choice", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["lab_sessions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("lab_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lab_answers_session"), ["session"], unique=False)

    op.create_table(
        "lab_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["lab_sessions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("lab_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lab_events_session"), ["session"], unique=False)

    op.create_table(
        "lab_hints",
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["lab_sessions.id"],
        ),
        sa.PrimaryKeyConstraint("session", "stage", "tier"),
    )
    op.create_table(
        "lab_stage_results",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("auto", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["lab_sessions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("lab_stage_results", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lab_stage_results_session"), ["session"], unique=False)

    op.create_table(
        "quiz_answers",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=False),
        sa.Column("option", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt"],
            ["quiz_attempts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("attempt", "item", name="uq_quiz_answers_item"),
    )
    with op.batch_alter_table("quiz_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quiz_answers_attempt"), ["attempt"], unique=False)

    op.create_table(
        "lab_credits",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("learner", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("result", sa.Integer(), nullable=False),
        sa.Column("content_digest", sa.String(length=128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["result"],
            ["lab_stage_results.id"],
        ),
        sa.ForeignKeyConstraint(
            ["session"],
            ["lab_sessions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("session", "stage"),
    )
    with op.batch_alter_table("lab_credits", schema=None) as batch_op:
        batch_op.create_index("ix_lab_credits_learner", ["learner", "slug"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("lab_credits", schema=None) as batch_op:
        batch_op.drop_index("ix_lab_credits_learner")

    op.drop_table("lab_credits")
    with op.batch_alter_table("quiz_answers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quiz_answers_attempt"))

    op.drop_table("quiz_answers")
    with op.batch_alter_table("lab_stage_results", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lab_stage_results_session"))

    op.drop_table("lab_stage_results")
    op.drop_table("lab_hints")
    with op.batch_alter_table("lab_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lab_events_session"))

    op.drop_table("lab_events")
    with op.batch_alter_table("lab_answers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lab_answers_session"))

    op.drop_table("lab_answers")
    with op.batch_alter_table("quiz_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quiz_attempts_learner"))

    op.drop_table("quiz_attempts")
    with op.batch_alter_table("lab_sessions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_lab_sessions_open",
            sqlite_where=sa.text("state IN ('requested', 'starting', 'ready', 'failed')"),
            postgresql_where=sa.text("state IN ('requested', 'starting', 'ready', 'failed')"),
        )
        batch_op.drop_index(batch_op.f("ix_lab_sessions_state"))
        batch_op.drop_index(batch_op.f("ix_lab_sessions_learner"))

    op.drop_table("lab_sessions")
    with op.batch_alter_table("achievements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_achievements_learner"))

    op.drop_table("achievements")
