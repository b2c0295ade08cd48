"""The app's first tables; stores from before the apps had tables of their own hold them already."""

import sqlalchemy as sa
from alembic import op

from core.platform.store.schema import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create what is new."""
    op.create_table(
        "items",
        sa.Column("app", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("app", "key", name=op.f("pk_items")),
        if_not_exists=True,
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=True),
        sa.Column("time", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_events_decision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("owner", "key", name=op.f("uq_events_owner_key")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_events_owner"), "events", ["owner"], if_not_exists=True)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("events")
    op.drop_table("items")
