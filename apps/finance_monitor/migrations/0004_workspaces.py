"""Whose news and alerts they are: several workspaces share a store."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = ("news", "alerts")


def upgrade() -> None:
    """Name the workspace; what was there before is the first one's."""
    for table in _TABLES:
        op.add_column(table, sa.Column("app", sa.String(80), nullable=False, server_default="finance_monitor"))
        op.create_index(op.f(f"ix_{table}_app"), table, ["app"])


def downgrade() -> None:
    """Take it back."""
    for table in _TABLES:
        op.drop_index(op.f(f"ix_{table}_app"), table)
        op.drop_column(table, "app")
