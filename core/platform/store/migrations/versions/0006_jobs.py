"""Workspaces that are trained in the background."""

import sqlalchemy as sa
from alembic import op

from core.platform.store.schema import UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the jobs."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("workspace", sa.String(80), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("runner", sa.String(32), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("started", UtcTime(), nullable=True),
        sa.Column("seen", UtcTime(), nullable=True),
        sa.Column("ended", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_workspace", "jobs", ["workspace"])
    op.create_index("ix_jobs_state", "jobs", ["state"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("jobs")
