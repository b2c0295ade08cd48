"""What was done with an item of a list is an opinion of that item, which the platform keeps."""

from alembic import op

revision = "0002"
down_revision = "0001"

# The last word about an item counts.
_LAST = """
SELECT decision_id, owner, item, CASE kind WHEN 'like' THEN 1.0 ELSE -1.0 END, '{}', time FROM events
WHERE id IN (SELECT max(id) FROM events WHERE decision_id IS NOT NULL GROUP BY decision_id, owner, item)
"""


def upgrade() -> None:
    """Copy what is there."""
    op.execute(f"INSERT INTO feedback (decision_id, owner, subject, value, about, time) {_LAST}")


def downgrade() -> None:
    """Remove the copies."""
    op.execute("DELETE FROM feedback WHERE subject <> '' AND decision_id IN (SELECT decision_id FROM events)")
