"""What a comparison after the move has found lost: the profile, the messaging limit.

Revises: 2026_11_27_proof_of_service
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_profile_and_limit"
down_revision = "2026_11_27_proof_of_service"
branch_labels = None
depends_on = None

TABLE = "number_migrations"
COLUMNS = (
    ("profile_read_at", sa.DateTime(timezone=True)),
    ("profile_lost", sa.String(200)),
    ("limit_lowered", sa.String(60)),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column(TABLE, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name, _ in reversed(COLUMNS):
        op.drop_column(TABLE, name)
