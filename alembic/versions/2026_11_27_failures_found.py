"""Numbers that others wait for, because something outside failed at them, are found without reading the fleet.

Revises: 2026_11_27_proofs_asked_for
"""

from alembic import op

revision = "2026_11_27_failures_found"
down_revision = "2026_11_27_proofs_asked_for"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_number_migrations_outside_failure", "number_migrations", ["outside_failure"])


def downgrade() -> None:
    op.drop_index("ix_number_migrations_outside_failure", "number_migrations")
