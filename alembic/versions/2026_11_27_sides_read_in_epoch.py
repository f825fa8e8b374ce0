"""The epoch in which both sides of each number were read last; a restore begins a new one.

Revises: 2026_11_26_graph_calls
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_sides_read_in_epoch"
down_revision = "2026_11_26_graph_calls"
branch_labels = None
depends_on = None

TABLE = "number_migrations"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("read_epoch", sa.Integer(), nullable=False, server_default=sa.text("0")))
    # Numbers that still wait for `cutover restore --look` are the only ones that nobody has read since.
    unread = "runbook IS NOT NULL AND runbook = 'runbooks/restored.md'"
    op.execute(f"UPDATE {TABLE} SET read_epoch = (SELECT epoch FROM home) WHERE NOT ({unread})")  # noqa: S608


def downgrade() -> None:
    op.drop_column(TABLE, "read_epoch")
