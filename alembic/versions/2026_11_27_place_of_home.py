"""Where the home's database lay at its last opening, so that a copy beside it is noticed.

Revises: 2026_11_27_gateway_posts
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_place_of_home"
down_revision = "2026_11_27_gateway_posts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("home", sa.Column("place", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("home", "place")
