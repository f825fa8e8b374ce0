"""Graph's limits on calls, shared by the workers of a home, and the calls that are kept for a cutover.

Revises: 2026_11_26_wave_events
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_graph_calls"
down_revision = "2026_11_26_wave_events"
branch_labels = None
depends_on = None

TABLE = "number_migrations"


def upgrade() -> None:
    op.create_table(
        "call_budgets",
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("waba_id", sa.String(length=40), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("minutes", sa.JSON(), nullable=False),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by_others", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("app_id", "waba_id", name=op.f("pk_call_budgets")),
    )
    op.add_column(TABLE, sa.Column("waits_for_calls", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(TABLE, sa.Column("calls_kept", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column(TABLE, sa.Column("calls_kept_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in ("calls_kept_until", "calls_kept", "waits_for_calls"):
        op.drop_column(TABLE, column)
    op.drop_table("call_budgets")
