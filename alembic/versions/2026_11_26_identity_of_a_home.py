"""The identity of a home, the master key that its secrets are sealed under, and the epoch that a restore begins.

Revises: 2026_11_26_refuted_facts
"""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_identity_of_a_home"
down_revision = "2026_11_26_refuted_facts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    home = op.create_table(
        "home",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("home_id", sa.String(32), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=True),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("epoch_mark", sa.String(16), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("record_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name="only_one"),
        sa.PrimaryKeyConstraint("id", name="pk_home"),
    )
    values = {"id": 1, "home_id": secrets.token_hex(8), "openings": 0, "epoch": 0, "made_at": datetime.now(UTC)}
    op.bulk_insert(home, [values])


def downgrade() -> None:
    op.drop_table("home")
