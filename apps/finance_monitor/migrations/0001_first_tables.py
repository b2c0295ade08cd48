"""The app's first tables; stores from before the apps had tables of their own hold them already."""

import sqlalchemy as sa
from alembic import op

from core.platform.store.schema import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create what is new."""
    op.create_table(
        "news",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("company", sa.String(length=80), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("arrived", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_news")),
        sa.UniqueConstraint("key", name=op.f("uq_news_key")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_news_time"), "news", ["time"], if_not_exists=True)
    op.create_table(
        "scores",
        sa.Column("news_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("sentiment", sa.String(length=16), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["news_id"], ["news.id"], name=op.f("fk_scores_news_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("news_id", "version", name=op.f("pk_scores")),
        if_not_exists=True,
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("company", sa.String(length=80), nullable=False),
        sa.Column("opened", UtcTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("key", name=op.f("uq_alerts_key")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_alerts_company"), "alerts", ["company"], if_not_exists=True)
    op.create_table(
        "alert_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_changes_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_changes")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_alert_changes_alert_id"), "alert_changes", ["alert_id"], if_not_exists=True)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("alert_changes")
    op.drop_table("alerts")
    op.drop_table("scores")
    op.drop_table("news")
