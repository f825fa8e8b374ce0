"""What an instance's row allows of its address; and no user name in an address any more, which is kept in clear.

Revises: 2026_11_27_versions_of_secrets
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_instance_addresses"
down_revision = "2026_11_27_versions_of_secrets"
branch_labels = None
depends_on = None

TABLE = "instances"
# It was never sent: the login has its own columns.
USER_INFO = re.compile(r"^([A-Za-z]+://)[^/?#]*@")


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("clear_http", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(TABLE, sa.Column("certificate", sa.String(100), nullable=True))
    rows = sa.table(TABLE, sa.column("id"), sa.column("name"), sa.column("base_url"))
    found = op.get_bind().execute(sa.select(rows).where(rows.c.base_url.like("%@%"))).all()
    for row in found:
        values = {"base_url": USER_INFO.sub(r"\1", row.base_url)}
        if row.name != USER_INFO.sub(r"\1", row.name):
            values["name"] = f"instance {row.id}"  # its address was its name, and another's may be the same without it
        op.execute(sa.update(rows).where(rows.c.id == row.id).values(**values))


def downgrade() -> None:
    op.drop_column(TABLE, "certificate")
    op.drop_column(TABLE, "clear_http")
