"""The row of a backup names the file with its second copy, which has a name of its own for each lease.

Revises: 2026_11_26_version_of_a_number
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_file_of_a_backup"
down_revision = "2026_11_26_version_of_a_number"
branch_labels = None
depends_on = None

TABLE = "secrets"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("shelf_file", sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column(TABLE, "shelf_file")
