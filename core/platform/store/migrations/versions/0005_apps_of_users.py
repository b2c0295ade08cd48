"""Which apps and workspaces a user may use; whoever was there before may use all."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("users", sa.Column("apps", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Everybody may use everything again."""
    op.drop_column("users", "apps")
