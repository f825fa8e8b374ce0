"""Drop outbox.ask_url, which no release has ever written or read.

Code of earlier releases may keep running: it names the columns of every row that it writes to this table.

Revises: 2026_11_23_turns_of_a_wave
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_drop_outbox_ask_url"
down_revision = "2026_11_23_turns_of_a_wave"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("outbox", "ask_url")


def downgrade() -> None:
    op.add_column("outbox", sa.Column("ask_url", sa.String(length=500), nullable=True))
