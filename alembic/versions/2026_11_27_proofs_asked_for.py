"""Messages that a person has asked for and nobody has sent are found by their state.

Revises: 2026_11_27_place_of_home
"""

from alembic import op

revision = "2026_11_27_proofs_asked_for"
down_revision = "2026_11_27_place_of_home"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_messages_state", "messages", ["state"])


def downgrade() -> None:
    op.drop_index("ix_messages_state", "messages")
