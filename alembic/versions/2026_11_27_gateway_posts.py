"""Posts of SMS gateways that were taken, so that a copy is refused after a restart too.

Revises: 2026_11_27_profile_and_limit
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_gateway_posts"
down_revision = "2026_11_27_profile_and_limit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_posts",
        sa.Column("gateway", sa.String(100), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "key", name=op.f("pk_gateway_posts")),
    )
    op.create_index("ix_gateway_posts_taken_at", "gateway_posts", ["taken_at"])


def downgrade() -> None:
    op.drop_index("ix_gateway_posts_taken_at", table_name="gateway_posts")
    op.drop_table("gateway_posts")
