"""The first tables.

Revises: nothing
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_first_tables"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers rows itself only for INTEGER keys
TIME = sa.DateTime(timezone=True)

# In the order of their foreign keys.
TABLES = (
    "customers",
    "credential_profiles",
    "instances",
    "wabas",
    "numbers",
    "waves",
    "number_migrations",
    "attempts",
    "budget_calls",
    "findings",
    "events",
    "secrets",
    "codes",
    "messages",
    "outbox",
    "field_facts",
)


def where(condition: str) -> dict[str, Any]:
    """A partial index says its condition once for each database."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    fleet()
    migrations()
    attempts()
    secrets()
    words()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def fleet() -> None:
    """Whose numbers they are and where they stand."""
    op.create_table(
        "customers",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("hook", sa.String(length=100), nullable=True),
        sa.Column("traffic", sa.String(length=20), nullable=False),
        sa.CheckConstraint("traffic IN ('required', 'advisory')", name=op.f("ck_customers_traffic_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("name", name=op.f("uq_customers_name")),
    )
    op.create_table(
        "credential_profiles",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("halted_at", TIME, nullable=True),
        sa.Column("halted_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_profiles")),
        sa.UniqueConstraint("name", name=op.f("uq_credential_profiles_name")),
    )
    op.create_table(
        "instances",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("base_url", sa.String(length=500), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("verify_tls", sa.Boolean(), nullable=False),
        sa.Column("stop_command", sa.String(length=100), nullable=True),
        sa.Column("start_command", sa.String(length=100), nullable=True),
        sa.Column("command_arguments", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("name", name=op.f("uq_instances_name")),
    )
    op.create_table(
        "wabas",
        sa.Column("id", BIG, nullable=False),
        sa.Column("waba_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", BIG, nullable=False),
        sa.Column("profile_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_wabas_customer_id_customers")),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["credential_profiles.id"], name=op.f("fk_wabas_profile_id_credential_profiles")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wabas")),
        sa.UniqueConstraint("waba_id", name=op.f("uq_wabas_waba_id")),
    )
    op.create_table(
        "numbers",
        sa.Column("id", BIG, nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.Column("phone_number_id", sa.String(length=40), nullable=False),
        sa.Column("waba_pk", BIG, nullable=False),
        sa.Column("instance_pk", BIG, nullable=True),
        sa.Column("wave_name", sa.String(length=100), nullable=True),
        sa.Column("tags", sa.String(length=500), nullable=False),
        sa.Column("daily_volume", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("code_method", sa.String(length=10), nullable=False),
        sa.Column("storage_region", sa.String(length=2), nullable=True),
        sa.Column("smoke_to", sa.String(length=20), nullable=True),
        sa.Column("forced_itinerary", sa.String(length=40), nullable=True),
        sa.Column("pin_provenance", sa.String(length=30), nullable=True),
        sa.Column("pin_since", TIME, nullable=True),
        sa.Column("onprem_off_stated_by", sa.String(length=100), nullable=True),
        sa.Column("onprem_off_stated_at", TIME, nullable=True),
        sa.Column("disposition", sa.String(length=30), nullable=True),
        sa.Column("disposition_reason", sa.Text(), nullable=True),
        sa.Column("disposition_evidence", sa.JSON(), nullable=True),
        sa.Column("disposition_by", sa.String(length=100), nullable=True),
        sa.Column("disposition_at", TIME, nullable=True),
        sa.Column("imported_at", TIME, nullable=False),
        sa.CheckConstraint("code_method IN ('SMS', 'VOICE')", name=op.f("ck_numbers_code_method_known")),
        sa.CheckConstraint(
            "disposition IS NULL OR disposition IN "
            "('already_on_cloud', 'on_business_app', 'other_partner', 'deleted', 'banned', 'churned', "
            "'line_lost')",
            name=op.f("ck_numbers_disposition_known"),
        ),
        sa.CheckConstraint(
            "pin_provenance IS NULL OR pin_provenance IN "
            "('set_by_us', 'handed_in', 'two_step_off_stated', 'set_on_cloud')",
            name=op.f("ck_numbers_pin_provenance_known"),
        ),
        sa.ForeignKeyConstraint(["instance_pk"], ["instances.id"], name=op.f("fk_numbers_instance_pk_instances")),
        sa.ForeignKeyConstraint(["waba_pk"], ["wabas.id"], name=op.f("fk_numbers_waba_pk_wabas")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numbers")),
        sa.UniqueConstraint("e164", name=op.f("uq_numbers_e164")),
        sa.UniqueConstraint("instance_pk", name=op.f("uq_numbers_instance_pk")),
        sa.UniqueConstraint("phone_number_id", name=op.f("uq_numbers_phone_number_id")),
        sa.UniqueConstraint("ref", name=op.f("uq_numbers_ref")),
    )


def migrations() -> None:
    """Waves, and one number's way across."""
    op.create_table(
        "waves",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("released", sa.String(length=20), nullable=False),
        sa.Column("window_start", TIME, nullable=True),
        sa.Column("window_end", TIME, nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("canary_size", sa.Integer(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("halt_count", sa.Integer(), nullable=True),
        sa.Column("halt_share", sa.Double(), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("released IN ('none', 'canary', 'all')", name=op.f("ck_waves_released_known")),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'held', 'halted', 'stopped', 'done')",
            name=op.f("ck_waves_state_known"),
        ),
        sa.CheckConstraint("canary_size >= 0", name=op.f("ck_waves_canary_not_negative")),
        sa.CheckConstraint("concurrency > 0", name=op.f("ck_waves_concurrency_positive")),
        sa.CheckConstraint(
            "window_end IS NULL OR window_start IS NULL OR window_start < window_end",
            name=op.f("ck_waves_window_forward"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waves")),
        sa.UniqueConstraint("name", name=op.f("uq_waves_name")),
    )
    op.create_table(
        "number_migrations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("number_pk", BIG, nullable=False),
        sa.Column("wave_pk", BIG, nullable=True),
        sa.Column("canary", sa.Boolean(), nullable=False),
        sa.Column("hold", sa.Boolean(), nullable=False),
        sa.Column("itinerary", sa.String(length=40), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("next_step", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("side", sa.String(length=20), nullable=False),
        sa.Column("side_read_at", TIME, nullable=True),
        sa.Column("dark_since", TIME, nullable=True),
        sa.Column("dark_by_us", sa.Boolean(), nullable=False),
        sa.Column("outage_seconds", sa.Double(), nullable=True),
        sa.Column("crossed_at", TIME, nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.Column("sender_gap_seconds", sa.Double(), nullable=True),
        sa.Column("waiting_until", TIME, nullable=True),
        sa.Column("waiting_on", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("runbook", sa.String(length=200), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("spend_reserve", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_holder", sa.String(length=120), nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.CheckConstraint(
            "(status IN ('done', 'skipped', 'aborted')) = (ended_at IS NOT NULL)",
            name=op.f("ck_number_migrations_ended_has_time"),
        ),
        sa.CheckConstraint(
            "side IN ('on_premises', 'cloud', 'neither', 'unknown')",
            name=op.f("ck_number_migrations_side_known"),
        ),
        sa.CheckConstraint(
            "status != 'blocked' OR runbook IS NOT NULL",
            name=op.f("ck_number_migrations_blocked_names_runbook"),
        ),
        sa.CheckConstraint(
            "status != 'waiting' OR waiting_until IS NOT NULL",
            name=op.f("ck_number_migrations_waiting_has_end"),
        ),
        sa.CheckConstraint(
            "status IN ('ready', 'running', 'waiting', 'blocked', 'held', 'done', 'skipped', 'aborted')",
            name=op.f("ck_number_migrations_status_known"),
        ),
        sa.ForeignKeyConstraint(["number_pk"], ["numbers.id"], name=op.f("fk_number_migrations_number_pk_numbers")),
        sa.ForeignKeyConstraint(["wave_pk"], ["waves.id"], name=op.f("fk_number_migrations_wave_pk_waves")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_migrations")),
    )
    op.create_index(op.f("ix_number_migrations_number_pk"), "number_migrations", ["number_pk"])
    op.create_index(op.f("ix_number_migrations_status_waiting_until"), "number_migrations", ["status", "waiting_until"])
    op.create_index(op.f("ix_number_migrations_wave_pk"), "number_migrations", ["wave_pk"])
    op.create_index(
        op.f("uq_number_migrations_one_live_per_number"),
        "number_migrations",
        ["number_pk"],
        unique=True,
        **where("ended_at IS NULL"),
    )


def attempts() -> None:
    """Intents, what they cost, what steps found out, and the history."""
    op.create_table(
        "attempts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("migration_pk", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("intent", sa.JSON(), nullable=False),
        sa.Column("side_before", sa.String(length=20), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("answer_due", TIME, nullable=False),
        sa.Column("settle_by", TIME, nullable=False),
        sa.Column("ended", sa.String(length=20), nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "ended IS NULL OR ended IN ('done', 'not done', 'refused', 'never left')",
            name=op.f("ck_attempts_ended_known"),
        ),
        sa.CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name=op.f("ck_attempts_ended_has_time")),
        sa.ForeignKeyConstraint(
            ["migration_pk"],
            ["number_migrations.id"],
            name=op.f("fk_attempts_migration_pk_number_migrations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("key", name=op.f("uq_attempts_key")),
        sa.UniqueConstraint("migration_pk", "number", name=op.f("uq_attempts_migration_pk_number")),
    )
    op.create_index(
        op.f("uq_attempts_one_open_per_migration"),
        "attempts",
        ["migration_pk"],
        unique=True,
        **where("ended IS NULL"),
    )
    op.create_table(
        "budget_calls",
        sa.Column("id", BIG, nullable=False),
        sa.Column("phone_number_id", sa.String(length=40), nullable=False),
        sa.Column("call", sa.String(length=20), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("attempt_pk", BIG, nullable=True),
        sa.Column("before_import", sa.Boolean(), nullable=False),
        sa.CheckConstraint("call IN ('register', 'deregister')", name=op.f("ck_budget_calls_call_known")),
        sa.ForeignKeyConstraint(["attempt_pk"], ["attempts.id"], name=op.f("fk_budget_calls_attempt_pk_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_calls")),
        sa.UniqueConstraint("attempt_pk", name=op.f("uq_budget_calls_attempt_pk")),
    )
    op.create_index(op.f("ix_budget_calls_phone_number_id_call_at"), "budget_calls", ["phone_number_id", "call", "at"])
    op.create_table(
        "findings",
        sa.Column("migration_pk", BIG, nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.CheckConstraint("kind IN ('result', 'note')", name=op.f("ck_findings_kind_known")),
        sa.ForeignKeyConstraint(
            ["migration_pk"],
            ["number_migrations.id"],
            name=op.f("fk_findings_migration_pk_number_migrations"),
        ),
        sa.PrimaryKeyConstraint("migration_pk", "step", "kind", name=op.f("pk_findings")),
    )
    op.create_table(
        "events",
        sa.Column("id", BIG, nullable=False),
        sa.Column("migration_pk", BIG, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_pk"], ["number_migrations.id"], name=op.f("fk_events_migration_pk_number_migrations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("migration_pk", "seq", name=op.f("uq_events_migration_pk_seq")),
    )


def secrets() -> None:
    """Sealed values and typed-in codes."""
    op.create_table(
        "secrets",
        sa.Column("id", BIG, nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("superseded_at", TIME, nullable=True),
        sa.Column("shredded_at", TIME, nullable=True),
        sa.CheckConstraint(
            "(wrapped_key IS NULL) = (shredded_at IS NOT NULL)", name=op.f("ck_secrets_shredded_has_no_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
    )
    op.create_index(
        op.f("uq_secrets_one_current_per_name"),
        "secrets",
        ["owner", "name"],
        unique=True,
        **where("superseded_at IS NULL AND shredded_at IS NULL"),
    )
    op.create_table(
        "codes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("migration_pk", BIG, nullable=False),
        sa.Column("entered_at", TIME, nullable=False),
        sa.Column("entered_by", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "state IN ('entered', 'verified', 'refused', 'replaced')", name=op.f("ck_codes_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["migration_pk"], ["number_migrations.id"], name=op.f("fk_codes_migration_pk_number_migrations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_codes")),
    )
    op.create_index(op.f("ix_codes_migration_pk"), "codes", ["migration_pk"])
    op.create_index(
        op.f("uq_codes_one_entered_per_migration"),
        "codes",
        ["migration_pk"],
        unique=True,
        **where("state = 'entered'"),
    )


def words() -> None:
    """Smoke messages, words to the partner's senders, field facts."""
    op.create_table(
        "messages",
        sa.Column("id", BIG, nullable=False),
        sa.Column("migration_pk", BIG, nullable=False),
        sa.Column("correlation", sa.String(length=80), nullable=False),
        sa.Column("wamid", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_pk"],
            ["number_migrations.id"],
            name=op.f("fk_messages_migration_pk_number_migrations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("correlation", name=op.f("uq_messages_correlation")),
        sa.UniqueConstraint("wamid", name=op.f("uq_messages_wamid")),
    )
    op.create_index(op.f("ix_messages_migration_pk"), "messages", ["migration_pk"])
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("migration_pk", BIG, nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("event", sa.String(length=30), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("ask_url", sa.String(length=500), nullable=True),
        sa.Column("answer", sa.String(length=20), nullable=True),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("answered_at", TIME, nullable=True),
        sa.CheckConstraint(
            "answer IS NULL OR answer IN ('done', 'vetoed', 'withdrawn')", name=op.f("ck_outbox_answer_known")
        ),
        sa.ForeignKeyConstraint(
            ["migration_pk"], ["number_migrations.id"], name=op.f("fk_outbox_migration_pk_number_migrations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index(op.f("ix_outbox_unanswered"), "outbox", ["migration_pk"], **where("answer IS NULL"))
    op.create_table(
        "field_facts",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.String(length=60), nullable=False),
        sa.Column("measured_at", TIME, nullable=False),
        sa.Column("measured_by", sa.String(length=100), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_field_facts")),
    )
