"""What a wave moves at once whoever moves it, failures that are known, and where senders were last told to send.

Revises: 2026_11_23_first_tables
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_turns_of_a_wave"
down_revision = "2026_11_23_first_tables"
branch_labels = None
depends_on = None

TABLE = "number_migrations"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("moving_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("numbers", sa.Column("route", sa.String(length=20), nullable=True))
    op.add_column(TABLE, sa.Column("failure_known", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column(TABLE, "failure_known")
    op.drop_column(TABLE, "moving_until")
    op.drop_column("numbers", "route")
