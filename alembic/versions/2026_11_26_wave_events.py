"""Who decided what about a wave, when and why.

Revises: 2026_11_26_identity_of_a_home
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_wave_events"
down_revision = "2026_11_26_identity_of_a_home"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "wave_events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("wave_pk", BIG_ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["wave_pk"], ["waves.id"], name=op.f("fk_wave_events_wave_pk_waves")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wave_events")),
    )
    op.create_index(op.f("ix_wave_events_wave_pk"), "wave_events", ["wave_pk"])


def downgrade() -> None:
    op.drop_index(op.f("ix_wave_events_wave_pk"), table_name="wave_events")
    op.drop_table("wave_events")
