"""When and by what a field fact was refuted.

Revises: 2026_11_26_senders_kept_informed
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_refuted_facts"
down_revision = "2026_11_26_senders_kept_informed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("field_facts", sa.Column("refuted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("field_facts", sa.Column("refuted_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("field_facts", "refuted_by")
    op.drop_column("field_facts", "refuted_at")
