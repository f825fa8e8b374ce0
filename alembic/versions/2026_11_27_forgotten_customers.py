"""Let a row of the budget keep a reference in the place of a forgotten number's id, and change nothing else.

Revises: 2026_11_27_keyed_record
"""

from alembic import op

revision = "2026_11_27_forgotten_customers"
down_revision = "2026_11_27_keyed_record"
branch_labels = None
depends_on = None

NEVER_LEFT = "EXISTS (SELECT 1 FROM attempts WHERE id = OLD.attempt_pk AND ended = 'never left')"
SAME = (
    "NEW.id = OLD.id AND NEW.call = OLD.call AND NEW.at = OLD.at AND NEW.before_import = OLD.before_import"
    " AND NEW.phone_number_id LIKE 'ref:%' AND {}"
)
ATTEMPT = {
    "sqlite": "NEW.attempt_pk IS OLD.attempt_pk",
    "postgresql": "NEW.attempt_pk IS NOT DISTINCT FROM OLD.attempt_pk",
}
REFUSE = "RAISE EXCEPTION 'the record is append-only: % of %', TG_OP, TG_TABLE_NAME;"
KEPT = f"IF TG_OP = 'DELETE' THEN IF {NEVER_LEFT} THEN RETURN OLD; END IF; END IF;"


def upgrade() -> None:
    name = op.get_bind().dialect.name
    forgotten = SAME.format(ATTEMPT[name])
    if name == "sqlite":
        _sqlite(f" WHEN NOT ({forgotten})")
    else:
        _postgres(f"{KEPT} IF TG_OP = 'UPDATE' THEN IF {forgotten} THEN RETURN NEW; END IF; END IF; {REFUSE}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _sqlite("")
    else:
        _postgres(f"{KEPT} {REFUSE}")


def _sqlite(unless: str) -> None:
    refuse = "SELECT RAISE(ABORT, 'the record is append-only: budget_calls')"
    op.execute("DROP TRIGGER budget_calls_no_update")
    op.execute(f"CREATE TRIGGER budget_calls_no_update BEFORE UPDATE ON budget_calls{unless} BEGIN {refuse}; END")


def _postgres(body: str) -> None:
    head = "CREATE OR REPLACE FUNCTION cutover_budget_kept() RETURNS trigger LANGUAGE plpgsql AS"
    op.execute(f"{head} $$BEGIN {body} END$$")
