"""A version of each number's row, raised by whatever arrives for it while a worker is at it.

Revises: 2026_11_26_drop_outbox_ask_url
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_version_of_a_number"
down_revision = "2026_11_26_drop_outbox_ask_url"
branch_labels = None
depends_on = None

TABLE = "number_migrations"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.drop_column(TABLE, "version")
