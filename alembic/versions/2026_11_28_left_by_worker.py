"""The numbers that a killed worker has left are found among all events, so that people are told of each.

Revises: 2026_11_27_failures_found
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_left_by_worker"
down_revision = "2026_11_27_failures_found"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_events_left_by_worker", "events"
LEFT = sa.text("kind = 'left_by_worker'")


def upgrade() -> None:
    op.create_index(INDEX, TABLE, ["at"], sqlite_where=LEFT, postgresql_where=LEFT)


def downgrade() -> None:
    op.drop_index(INDEX, table_name=TABLE)
