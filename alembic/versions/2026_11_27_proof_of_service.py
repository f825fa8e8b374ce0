"""What proves that a moved number works: smoke messages, inbound messages, and what Meta reports of it.

Revises: 2026_11_27_attempts_on_record
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_proof_of_service"
down_revision = "2026_11_27_attempts_on_record"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
COLUMNS = {
    "messages": (("error", sa.Integer()), ("sent_at", TIME), ("delivered_at", TIME), ("failed_at", TIME)),
    "number_migrations": (
        ("smoke_state", sa.String(20)),
        ("smoke_error", sa.Integer()),
        ("sends_at", TIME),
        ("receives_at", TIME),
        ("word_at", TIME),
        ("foreign_waba", sa.String(40)),
    ),
    "numbers": (("smoke", sa.String(20)), ("reported", sa.JSON())),
    "wabas": (("reported", sa.JSON()),),
    "waves": (("smoke_canary", sa.String(20)), ("smoke_hours", sa.Integer())),
    "webhook_events": (("correlation", sa.String(80)), ("applied_at", TIME)),
}
NOT_APPLIED = sa.text("applied_at IS NULL")
INDEX = "ix_webhook_events_not_applied"
HASHED = 64  # characters of a SHA-256


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.add_column("waves", sa.Column("smoke", sa.String(20), nullable=False, server_default="outbound"))
    op.create_index(INDEX, "webhook_events", ["id"], sqlite_where=NOT_APPLIED, postgresql_where=NOT_APPLIED)
    op.execute(
        """UPDATE number_migrations SET smoke_state = (SELECT m.state FROM messages m
        WHERE m.migration_pk = number_migrations.id ORDER BY m.id DESC LIMIT 1)
        WHERE id IN (SELECT migration_pk FROM messages)"""
    )
    _hash_message_ids()


def _hash_message_ids() -> None:
    """A message id holds the recipient's phone number: from now on its SHA-256 is kept. There is one row a number."""
    messages = sa.table("messages", sa.column("id", sa.BigInteger()), sa.column("wamid", sa.String(200)))
    database = op.get_bind()
    for row in database.execute(sa.select(messages).where(messages.c.wamid.is_not(None))).all():
        if len(row.wamid) != HASHED:
            hashed = hashlib.sha256(row.wamid.encode()).hexdigest()
            database.execute(sa.update(messages).where(messages.c.id == row.id).values(wamid=hashed))


def downgrade() -> None:
    """Message ids stay hashed: what they were cannot be found out, and the release before compares none of them."""
    op.drop_index(INDEX, table_name="webhook_events")
    op.drop_column("waves", "smoke")
    for table, columns in reversed(COLUMNS.items()):
        for name, _ in reversed(columns):
            op.drop_column(table, name)
