"""What somebody thought of a decision goes with the decision, and the decisions of a person are found fast."""

from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = "fk_feedback_decision_id"


def upgrade() -> None:
    """Let the database remove what refers to a decision."""
    with op.batch_alter_table("feedback") as table:
        table.drop_constraint(_KEY, type_="foreignkey")
        table.create_foreign_key(_KEY, "decisions", ["decision_id"], ["id"], ondelete="CASCADE")
    op.create_index("ix_decisions_owner", "decisions", ["owner"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_decisions_owner", "decisions")
    with op.batch_alter_table("feedback") as table:
        table.drop_constraint(_KEY, type_="foreignkey")
        table.create_foreign_key(_KEY, "decisions", ["decision_id"], ["id"])
