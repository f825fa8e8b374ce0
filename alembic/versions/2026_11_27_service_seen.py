"""What readings have shown of a number's service, and the two bounds of its outage.

Revises: 2026_11_27_sides_read_in_epoch
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_service_seen"
down_revision = "2026_11_27_sides_read_in_epoch"
branch_labels = None
depends_on = None

TABLE = "number_migrations"
TIMES = ("served_at", "dark_from", "dark_until", "seen_at")
# `dark_since` was the time of the intent or of the import. A reading showed the number served just before an intent.
FILLED = """
UPDATE number_migrations SET
  seen_at = side_read_at,
  served_on = CASE WHEN side IN ('on_premises', 'cloud') THEN side WHEN dark_by_us THEN 'on_premises' END,
  served_at = CASE WHEN side IN ('on_premises', 'cloud') THEN side_read_at WHEN dark_by_us THEN dark_since END,
  dark_from = CASE WHEN side = 'neither' THEN dark_since END,
  dark_until = CASE WHEN side = 'neither' THEN dark_since END
WHERE ended_at IS NULL
"""


def upgrade() -> None:
    for name in TIMES:
        op.add_column(TABLE, sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column(TABLE, sa.Column("served_on", sa.String(length=20), nullable=True))
    op.add_column(TABLE, sa.Column("outage_at_least", sa.Double(), nullable=True))
    op.execute(FILLED)


def downgrade() -> None:
    for name in ("outage_at_least", "served_on", *reversed(TIMES)):
        op.drop_column(TABLE, name)
