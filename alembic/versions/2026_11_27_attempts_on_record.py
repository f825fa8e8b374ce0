"""Keep attempts as the record has them, and let no insert take the place of a row of the record.

Revises: 2026_11_27_webhook_events
"""

from alembic import op

revision = "2026_11_27_attempts_on_record"
down_revision = "2026_11_27_webhook_events"
branch_labels = None
depends_on = None

# What an attempt is, from its intent on; its end is written once.
FIXED = (
    "id",
    "migration_pk",
    "number",
    "step",
    "key",
    "holder",
    "fence",
    "side_before",
    "opened_at",
    "answer_due",
    "settle_by",
)
SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in FIXED)
# JSON is text on SQLite; PostgreSQL compares it as text.
FORMS = {
    "sqlite": ("NEW.intent = OLD.intent", "NEW.intent = '{\"forgotten\": true}'", "NEW.ended IS OLD.ended"),
    "postgresql": (
        "NEW.intent::text = OLD.intent::text",
        "NEW.intent::text = '{\"forgotten\": true}'",
        "NEW.ended IS NOT DISTINCT FROM OLD.ended",
    ),
}
# SQLite deletes the row in whose place REPLACE puts another, without asking the triggers of DELETE.
UNIQUE = {
    "events": ("id = NEW.id", "migration_pk = NEW.migration_pk AND seq = NEW.seq"),
    "wave_events": ("id = NEW.id", "wave_pk = NEW.wave_pk AND seq = NEW.seq"),
    "home_events": ("id = NEW.id", "seq = NEW.seq"),
    "budget_calls": ("id = NEW.id", "attempt_pk = NEW.attempt_pk"),
    "attempts": ("id = NEW.id", "migration_pk = NEW.migration_pk AND number = NEW.number", "key = NEW.key"),
}


def upgrade() -> None:
    same_intent, forgotten, same_end = FORMS[op.get_bind().dialect.name]
    allowed = f"{SAME} AND ((OLD.ended IS NULL AND {same_intent}) OR ({forgotten} AND {same_end}))"
    if op.get_bind().dialect.name == "sqlite":
        _sqlite(allowed)
    else:
        _postgres(allowed)


def _sqlite(allowed: str) -> None:
    refuse = "SELECT RAISE(ABORT, 'the record is append-only: {}')"
    of_attempts = refuse.format("attempts")
    unless = f" WHEN NOT ({allowed})"
    op.execute(f"CREATE TRIGGER attempts_no_update BEFORE UPDATE ON attempts{unless} BEGIN {of_attempts}; END")
    op.execute(f"CREATE TRIGGER attempts_no_delete BEFORE DELETE ON attempts BEGIN {of_attempts}; END")
    for table, keys in UNIQUE.items():
        there = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key})" for key in keys)  # noqa: S608
        body = f"BEGIN {refuse.format(table)}; END"
        op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} {body}")


def _postgres(allowed: str) -> None:
    refuse = "RAISE EXCEPTION 'the record is append-only: % of %', TG_OP, TG_TABLE_NAME;"
    body = f"IF TG_OP = 'UPDATE' THEN IF {allowed} THEN RETURN NEW; END IF; END IF; {refuse}"
    head = "CREATE OR REPLACE FUNCTION cutover_attempts_kept() RETURNS trigger LANGUAGE plpgsql AS"
    op.execute(f"{head} $$BEGIN {body} END$$")
    op.execute(
        "CREATE TRIGGER attempts_kept BEFORE UPDATE OR DELETE ON attempts "
        "FOR EACH ROW EXECUTE FUNCTION cutover_attempts_kept()"
    )
    op.execute(
        "CREATE TRIGGER attempts_not_emptied BEFORE TRUNCATE ON attempts "
        "FOR EACH STATEMENT EXECUTE FUNCTION cutover_append_only()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in UNIQUE:
            op.execute(f"DROP TRIGGER {table}_no_replace")
        op.execute("DROP TRIGGER attempts_no_update")
        op.execute("DROP TRIGGER attempts_no_delete")
        return
    op.execute("DROP TRIGGER attempts_kept ON attempts")
    op.execute("DROP TRIGGER attempts_not_emptied ON attempts")
    op.execute("DROP FUNCTION IF EXISTS cutover_attempts_kept()")
