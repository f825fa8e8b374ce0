"""A version of each sealed secret, and an index of those that can be opened.

Revises: 2026_11_27_terms_of_customers
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_versions_of_secrets"
down_revision = "2026_11_27_terms_of_customers"
branch_labels = None
depends_on = None

TABLE = "secrets"
INDEX = "ix_secrets_openable"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("version", sa.BigInteger(), nullable=True))
    openable = sa.text("shredded_at IS NULL")
    op.create_index(INDEX, TABLE, ["owner"], sqlite_where=openable, postgresql_where=openable)


def downgrade() -> None:
    op.drop_index(INDEX, TABLE)
    op.drop_column(TABLE, "version")
