"""Since when it is known that a customer's business has accepted Meta's Terms, and by whom.

Revises: 2026_11_27_service_seen
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_terms_of_customers"
down_revision = "2026_11_27_service_seen"
branch_labels = None
depends_on = None

TABLE = "customers"
REGISTERED = """
    FROM attempts JOIN number_migrations ON number_migrations.id = attempts.migration_pk
    JOIN numbers ON numbers.id = number_migrations.number_pk JOIN wabas ON wabas.id = numbers.waba_pk
    WHERE attempts.step = 'register' AND attempts.ended = 'done' AND wabas.customer_id = customers.id
"""


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("terms_known_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(TABLE, sa.Column("terms_known_by", sa.String(100), nullable=True))
    op.execute(f"UPDATE {TABLE} SET terms_known_at = (SELECT min(attempts.ended_at) {REGISTERED})")  # noqa: S608
    by = "terms_known_by = 'a register that went through'"
    op.execute(f"UPDATE {TABLE} SET {by} WHERE terms_known_at IS NOT NULL")  # noqa: S608


def downgrade() -> None:
    op.drop_column(TABLE, "terms_known_by")
    op.drop_column(TABLE, "terms_known_at")
