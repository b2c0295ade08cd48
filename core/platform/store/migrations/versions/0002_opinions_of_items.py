"""An opinion may be about one item of a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the subject."""
    with op.batch_alter_table("feedback") as table:
        table.add_column(sa.Column("subject", sa.String(length=200), nullable=False, server_default=""))
        table.drop_constraint("uq_feedback_decision_id_owner", type_="unique")
        table.create_unique_constraint("uq_feedback_decision_id_owner_subject", ["decision_id", "owner", "subject"])
    with op.batch_alter_table("feedback") as table:
        table.alter_column("subject", server_default=None)


def downgrade() -> None:
    """Forget opinions of items."""
    op.execute("DELETE FROM feedback WHERE subject <> ''")
    with op.batch_alter_table("feedback") as table:
        table.drop_constraint("uq_feedback_decision_id_owner_subject", type_="unique")
        table.create_unique_constraint("uq_feedback_decision_id_owner", ["decision_id", "owner"])
        table.drop_column("subject")
