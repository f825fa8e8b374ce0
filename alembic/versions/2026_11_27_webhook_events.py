"""What Meta's webhooks said of numbers and WABAs of the fleet.

Revises: 2026_11_27_people_at_the_phone
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_webhook_events"
down_revision = "2026_11_27_people_at_the_phone"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INDEXED = ("message", "number_pk", "received_at", "waba_id")


def upgrade() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("profile", sa.String(100), nullable=False),
        sa.Column("waba_id", sa.String(40), nullable=False),
        sa.Column("number_pk", ID, nullable=True),
        sa.Column("field", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("message", sa.String(64), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('message', 'status', 'error', 'change')", name=op.f("ck_webhook_events_kind_known")
        ),
        sa.ForeignKeyConstraint(["number_pk"], ["numbers.id"], name=op.f("fk_webhook_events_number_pk_numbers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("key", name=op.f("uq_webhook_events_key")),
    )
    for column in INDEXED:
        op.create_index(f"ix_webhook_events_{column}", "webhook_events", [column])


def downgrade() -> None:
    for column in reversed(INDEXED):
        op.drop_index(f"ix_webhook_events_{column}", table_name="webhook_events")
    op.drop_table("webhook_events")
