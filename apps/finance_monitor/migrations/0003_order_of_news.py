"""What an item was a copy of when it was read, and how far into the news an alert was made."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create what is new; no table is made anew, which would take the rows with it that refer to it."""
    op.add_column("scores", sa.Column("copy_of", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_scores_copy_of"), "scores", ["copy_of"])
    op.add_column("alerts", sa.Column("changed", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("alerts", "changed")
    op.drop_index(op.f("ix_scores_copy_of"), "scores")
    op.drop_column("scores", "copy_of")
