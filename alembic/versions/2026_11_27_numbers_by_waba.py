"""An index for the numbers of a WABA: each step asks whether one of its customer's was on Cloud at its import.

Revises: 2026_11_27_forgotten_customers
"""

from alembic import op

revision = "2026_11_27_numbers_by_waba"
down_revision = "2026_11_27_forgotten_customers"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_numbers_waba_pk_disposition", "numbers"


def upgrade() -> None:
    op.create_index(INDEX, TABLE, ["waba_pk", "disposition"])


def downgrade() -> None:
    op.drop_index(INDEX, table_name=TABLE)
