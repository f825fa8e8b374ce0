"""${message}

Revises: ${down_revision | comma,n}

Rules for a schema revision
- It is never changed once it was released; a mistake is mended by the next one. `make revision NAME=...` starts one.
- It imports nothing of ours: the tables of that day, written out, not the models of today.
- Old code may still be running while it is applied: add first, use later, drop in a release after that.
- Every constraint and index has its name (op.f("ck_table_name")); a partial index says its WHERE for both databases.
- Times are sa.DateTime(timezone=True); a new NOT NULL column has a server_default or is filled here.
- No call to the outside, no long UPDATE of every row in one go; where a lock is needed for longer than 10 s,
  say why and raise it: op.execute("SET LOCAL lock_timeout = '60s'").
- Numbers that an older release left half-way must still reach their end after it: tests/schema/test_old_databases.py
  upgrades the databases in tests/schema/old_databases and moves every number on. A renamed step, event, outbox key or
  secret is renamed in the rows by the revision, too.
- `downgrade` takes back exactly what `upgrade` did. What cannot be taken back says so and raises.
- The id is the file's name, begins with the date, and has at most 32 characters.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
