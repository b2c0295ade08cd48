"""Agents take conversations over."""

import sqlalchemy as sa
from alembic import op

from core.platform.store.schema import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create what is new."""
    op.create_table(
        "takeovers",
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_takeovers_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", name="pk_takeovers"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("takeovers")
