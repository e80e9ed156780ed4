"""An attempt keeps which variants it asks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("quiz_attempts", sa.Column("asked", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("quiz_attempts", "asked")
