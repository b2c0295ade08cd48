"""Turns outlive the decisions that they refer to."""

from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = "fk_turns_decision_id"


def upgrade() -> None:
    """Let the database forget the decision."""
    with op.batch_alter_table("turns") as table:
        table.drop_constraint(_KEY, type_="foreignkey")
        table.create_foreign_key(_KEY, "decisions", ["decision_id"], ["id"], ondelete="SET NULL")
    op.create_index("ix_turns_decision_id", "turns", ["decision_id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_turns_decision_id", "turns")
    with op.batch_alter_table("turns") as table:
        table.drop_constraint(_KEY, type_="foreignkey")
        table.create_foreign_key(_KEY, "decisions", ["decision_id"], ["id"])
