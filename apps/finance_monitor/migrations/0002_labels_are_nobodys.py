"""A label of public news holds nobody's words, whoever corrected it first."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Leave opinions to their owners, and decisions to nobody."""
    op.execute("UPDATE decisions SET owner = '' WHERE app = 'finance_monitor'")


def downgrade() -> None:
    """Who it was is not known any more."""
