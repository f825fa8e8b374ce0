"""Heads of the chains of events, a chain for decisions and for the home, and triggers that keep the record append-only.

Revises: 2026_11_27_notices
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_keyed_record"
down_revision = "2026_11_27_notices"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NO_EVENT = "0" * 64
APPEND_ONLY = ("events", "wave_events", "home_events", "budget_calls")
# A call that never left is taken back: Meta did not count it.
NEVER_LEFT = "EXISTS (SELECT 1 FROM attempts WHERE id = OLD.attempt_pk AND ended = 'never left')"
FOLLOWS = (
    "EXISTS (SELECT 1 FROM number_migrations WHERE id = NEW.migration_pk"
    " AND events = NEW.seq - 1 AND events_head = NEW.previous)"
)
COUNT = "UPDATE number_migrations SET events = NEW.seq, events_head = NEW.hash WHERE id = NEW.migration_pk"


def upgrade() -> None:
    for table in ("home", "waves", "number_migrations"):
        op.add_column(table, sa.Column("events", sa.Integer(), nullable=False, server_default=sa.text("0")))
        op.add_column(table, sa.Column("events_head", sa.String(64), nullable=False, server_default=NO_EVENT))
    op.add_column("home", sa.Column("record_epoch", sa.Integer(), nullable=True))
    anchored = sa.Column("anchored_events", sa.Integer(), nullable=False, server_default=sa.text("0"))
    op.add_column("number_migrations", anchored)
    op.add_column("number_migrations", sa.Column("anchor", sa.String(64), nullable=True))
    op.add_column("wave_events", sa.Column("seq", sa.Integer(), nullable=True))
    op.add_column("wave_events", sa.Column("previous", sa.String(64), nullable=True))
    op.add_column("wave_events", sa.Column("hash", sa.String(64), nullable=True))
    op.create_index("ix_wave_events_wave_pk_seq", "wave_events", ["wave_pk", "seq"], unique=True)
    op.drop_index("ix_secrets_openable", "secrets")
    op.create_index("ix_secrets_owner_name", "secrets", ["owner", "name"])
    op.create_table(
        "home_events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_home_events")),
        sa.UniqueConstraint("seq", name=op.f("uq_home_events_seq")),
    )
    last = "SELECT {} FROM events WHERE migration_pk = number_migrations.id ORDER BY seq DESC LIMIT 1"
    op.execute(
        f"UPDATE number_migrations SET events = ({last.format('seq')}), events_head = ({last.format('hash')})"  # noqa: S608
        " WHERE EXISTS (SELECT 1 FROM events WHERE migration_pk = number_migrations.id)"
    )
    make_triggers()


def make_triggers() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in sqlite_triggers():
            op.execute(statement)
        return
    for statement in postgres_triggers():
        op.execute(statement)


def sqlite_triggers() -> list[str]:
    made = []
    for table in APPEND_ONLY:
        refuse = f"SELECT RAISE(ABORT, 'the record is append-only: {table}')"
        unless = f" WHEN NOT {NEVER_LEFT}" if table == "budget_calls" else ""
        made.append(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN {refuse}; END")
        made.append(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}{unless} BEGIN {refuse}; END")
    refuse = "SELECT RAISE(ABORT, 'an event has to follow the last one')"
    made.append(f"CREATE TRIGGER events_follow BEFORE INSERT ON events WHEN NOT {FOLLOWS} BEGIN {refuse}; END")
    made.append(f"CREATE TRIGGER events_counted AFTER INSERT ON events BEGIN {COUNT}; END")
    return made


def postgres_triggers() -> list[str]:
    refuse = "RAISE EXCEPTION 'the record is append-only: % of %', TG_OP, TG_TABLE_NAME"
    made = [
        _function("append_only", f"{refuse};"),
        _function(
            "budget_kept", f"IF TG_OP = 'DELETE' THEN IF {NEVER_LEFT} THEN RETURN OLD; END IF; END IF; {refuse};"
        ),
        _function(
            "count_event",
            f"{COUNT} AND events = NEW.seq - 1 AND events_head = NEW.previous;"
            " IF NOT FOUND THEN RAISE EXCEPTION 'an event has to follow the last one'; END IF; RETURN NEW;",
        ),
        "CREATE TRIGGER events_counted AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION cutover_count_event()",
    ]
    for table in APPEND_ONLY:
        row = "cutover_budget_kept()" if table == "budget_calls" else "cutover_append_only()"
        made.append(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {row}"
        )
        made.append(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION cutover_append_only()"
        )
    return made


def _function(name: str, body: str) -> str:
    return f"CREATE OR REPLACE FUNCTION cutover_{name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$"


def drop_triggers() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            op.execute(f"DROP TRIGGER {table}_no_update")
            op.execute(f"DROP TRIGGER {table}_no_delete")
        op.execute("DROP TRIGGER events_follow")
        op.execute("DROP TRIGGER events_counted")
        return
    op.execute("DROP TRIGGER events_counted ON events")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER {table}_kept ON {table}")
        op.execute(f"DROP TRIGGER {table}_not_emptied ON {table}")
    for name in ("append_only", "budget_kept", "count_event"):
        op.execute(f"DROP FUNCTION IF EXISTS cutover_{name}()")


def downgrade() -> None:
    drop_triggers()
    op.drop_table("home_events")
    op.drop_index("ix_secrets_owner_name", "secrets")
    openable = sa.text("shredded_at IS NULL")
    op.create_index("ix_secrets_openable", "secrets", ["owner"], sqlite_where=openable, postgresql_where=openable)
    op.drop_index("ix_wave_events_wave_pk_seq", "wave_events")
    for name in ("hash", "previous", "seq"):
        op.drop_column("wave_events", name)
    for name in ("anchor", "anchored_events"):
        op.drop_column("number_migrations", name)
    op.drop_column("home", "record_epoch")
    for table in ("home", "waves", "number_migrations"):
        op.drop_column(table, "events_head")
        op.drop_column(table, "events")
