"""Numbers that a release names may cross, and the canary of their wave stays what it is.

Revises: 2026_11_28_left_by_worker
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_released_by_name"
down_revision = "2026_11_28_left_by_worker"
branch_labels = None
depends_on = None

NAMED = "SELECT wave_pk FROM number_migrations WHERE released_by_name"


def upgrade() -> None:
    kind = sa.Column("released_by_name", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("number_migrations", kind)


def downgrade() -> None:
    """The numbers that may cross stay the same ones: before, they took the place of the canary, or were part of it."""
    only_named = f"SELECT id FROM waves WHERE released = 'none' AND id IN ({NAMED})"  # noqa: S608
    op.execute(f"UPDATE number_migrations SET canary = released_by_name WHERE wave_pk IN ({only_named})")  # noqa: S608
    op.execute("UPDATE number_migrations SET canary = true WHERE released_by_name")
    op.execute(f"UPDATE waves SET released = 'canary' WHERE released = 'none' AND id IN ({NAMED})")  # noqa: S608
    op.drop_column("number_migrations", "released_by_name")
