"""Where the course of each company's news begins, once those before are purged."""

import sqlalchemy as sa
from alembic import op

from core.platform.store.schema import UtcTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create what is new."""
    op.create_table(
        "news_baselines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app", sa.String(length=80), nullable=False),
        sa.Column("company", sa.String(length=80), nullable=False),
        sa.Column("moment", UtcTime(), nullable=False),
        sa.Column("forgets", UtcTime(), nullable=False),
        sa.Column("last", UtcTime(), nullable=False),
        sa.Column("stories", sa.Double(), nullable=False),
        sa.Column("hours", sa.Double(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("delay", sa.Double(), nullable=False),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_news_baselines")),
        sa.UniqueConstraint("app", "company", name=op.f("uq_news_baselines_app_company")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("news_baselines")
