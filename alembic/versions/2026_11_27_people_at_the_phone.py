"""Whom to call for a code, who is on duty, who is at a phone, and the rooms of customers.

Revises: 2026_11_27_numbers_by_waba
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_people_at_the_phone"
down_revision = "2026_11_27_numbers_by_waba"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = {
    "customers": (
        ("contact", sa.String(200)),
        ("language", sa.String(10)),
        ("time_zone", sa.String(64)),
        ("hours", sa.String(200)),
        ("consent_at", TIME),
        ("consent_by", sa.String(100)),
    ),
    "numbers": (
        ("ready_until", TIME),
        ("ready_how", sa.String(20)),
        ("ready_by", sa.String(100)),
        ("slot_from", TIME),
        ("slot_until", TIME),
        ("slot_by", sa.String(100)),
        ("next_code_method", sa.String(10)),
        ("next_code_language", sa.String(10)),
    ),
    "codes": (("tag", sa.String(64)),),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.add_column("codes", sa.Column("door", sa.String(20), nullable=False, server_default="command"))
    op.create_index("ix_codes_tag", "codes", ["tag"])
    op.add_column("waves", sa.Column("codes", sa.String(20), nullable=False, server_default="when_ready"))
    # A wave that has begun goes on as it was begun.
    op.execute("UPDATE waves SET codes = 'at_once' WHERE state != 'planned'")
    op.create_table(
        "duty_shifts",
        sa.Column("id", ID, nullable=False),
        sa.Column("operator", sa.String(100), nullable=False),
        sa.Column("contact", sa.String(200), nullable=True),
        sa.Column("languages", sa.String(100), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("begins_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.CheckConstraint("begins_at < ends_at", name=op.f("ck_duty_shifts_shift_forward")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_shifts")),
    )
    op.create_table(
        "rooms",
        sa.Column("number_pk", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.String(100), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("consented_at", TIME, nullable=True),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("wrong_codes", sa.Integer(), nullable=False),
        sa.Column("codes_from", TIME, nullable=True),
        sa.ForeignKeyConstraint(["number_pk"], ["numbers.id"], name=op.f("fk_rooms_number_pk_numbers")),
        sa.PrimaryKeyConstraint("number_pk", name=op.f("pk_rooms")),
    )


def downgrade() -> None:
    op.drop_table("rooms")
    op.drop_table("duty_shifts")
    op.drop_column("waves", "codes")
    op.drop_index("ix_codes_tag", table_name="codes")
    op.drop_column("codes", "door")
    for table, columns in reversed(COLUMNS.items()):
        for name, _ in reversed(columns):
            op.drop_column(table, name)
