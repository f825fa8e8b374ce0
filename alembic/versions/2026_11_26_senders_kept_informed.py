"""Until when a number's senders are paused, and how often and when they are told again what they have not confirmed.

Revises: 2026_11_26_outside_failures
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_senders_kept_informed"
down_revision = "2026_11_26_outside_failures"
branch_labels = None
depends_on = None

TABLE = "number_migrations"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("pause_until", TIME, nullable=True))
    op.add_column(TABLE, sa.Column("senders_try_at", TIME, nullable=True))
    op.add_column(TABLE, sa.Column("senders_tries", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column(TABLE, sa.Column("senders_error", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("senders_error", "senders_tries", "senders_try_at", "pause_until"):
        op.drop_column(TABLE, name)
