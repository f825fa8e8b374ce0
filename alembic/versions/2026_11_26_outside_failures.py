"""Why a call failed that would fail for other numbers too.

Revises: 2026_11_26_imports_in_stages
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_outside_failures"
down_revision = "2026_11_26_imports_in_stages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("number_migrations", sa.Column("outside_failure", sa.String(10), nullable=True))


def downgrade() -> None:
    op.drop_column("number_migrations", "outside_failure")
