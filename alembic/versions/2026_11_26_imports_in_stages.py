"""Imports that are being written, and counters whose values are never given twice.

Revises: 2026_11_26_file_of_a_backup
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_imports_in_stages"
down_revision = "2026_11_26_file_of_a_backup"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HIGHEST = {
    "references": "SELECT max(CAST(substr(ref, 3) AS INTEGER)) FROM numbers",
    "numbers": "SELECT max(id) FROM numbers",
    "instances": "SELECT max(id) FROM instances",
}


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    for name, highest in HIGHEST.items():
        op.execute(f"INSERT INTO counters (name, value) SELECT '{name}', coalesce(({highest}), 0)")
    op.create_table(
        "imports",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("first_instance", sa.BigInteger(), nullable=False),
        sa.Column("numbers", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('staging', 'dropped', 'done')", name=op.f("ck_imports_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )


def downgrade() -> None:
    op.drop_table("imports")
    op.drop_table("counters")
