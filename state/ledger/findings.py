"""Findings: the latest result of each step, and what a step or a preflight noted."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.ledger.inserting import replace_row
from state.ledger.versions import raise_versions
from state.models import FindingTable, MigrationTable
from state.types import SqlClock

# The step that asks Meta for a code, and how long that code is good, as `migration.steps.code_requests` has it.
REQUEST, CODE_IS_GOOD = "request_code", timedelta(minutes=10)
# Made once: every step forgets its note.
_FORGET = delete(FindingTable).where(
    FindingTable.migration_pk == bindparam("of_migration"), FindingTable.step == bindparam("of_step")
)
_FORGET_KIND = _FORGET.where(FindingTable.kind == bindparam("of_kind"))


class Findings:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def record_note(self, migration_id: int, name: str, facts: Mapping[str, Any]) -> None:
        """Keep what was read of a number outside its steps, in place of the last note of that name."""
        async with self._engine.begin() as tx:
            await put_finding(tx, migration_id, name, "note", facts, self._clock.now())
            await raise_versions(tx, MigrationTable.id == migration_id)


async def put_finding(
    tx: AsyncConnection, migration_id: int, step: str, kind: str, facts: Mapping[str, Any], at: Any
) -> None:
    """Write a result or note in place of the last one; `at` is a time or an SQL expression of one."""
    row = {"migration_pk": migration_id, "step": step, "kind": kind, "at": at, "facts": dict(facts)}
    await replace_row(tx, FindingTable, ("migration_pk", "step", "kind"), row)


async def forget(tx: AsyncConnection, migration_id: int, step: str, kind: str | None = None) -> None:
    """Delete a step's result and note, or only the one of `kind` ("result" or "note")."""
    names = {"of_migration": migration_id, "of_step": step} | ({"of_kind": kind} if kind is not None else {})
    await tx.execute(_FORGET if kind is None else _FORGET_KIND, names)


async def forget_all_but_what_holds(tx: AsyncConnection, clock: SqlClock, migration_id: int) -> None:
    """The number goes on by another itinerary."""
    await tx.execute(delete(FindingTable).where(FindingTable.migration_pk == migration_id, ~_holds(clock)))


async def copy_what_holds(tx: AsyncConnection, clock: SqlClock, before: int, migration_id: int) -> None:
    """From the number's migration before this one."""
    query = select(FindingTable.step, FindingTable.kind, FindingTable.at, FindingTable.facts)
    rows = (await tx.execute(query.where(FindingTable.migration_pk == before, _holds(clock)))).mappings().all()
    if rows:
        await tx.execute(insert(FindingTable), [{"migration_pk": migration_id, **row} for row in rows])


def _holds(clock: SqlClock) -> ColumnElement[bool]:
    """On every itinerary: the snapshot, which shows the number as it was, and that a code is on its way.

    Meta knows no itineraries: whoever has that code in hand types it in, and the phone does not ring again for it.
    """
    asked = (FindingTable.step == REQUEST, FindingTable.kind == "result", FindingTable.at > clock.now(-CODE_IS_GOOD))
    return or_(FindingTable.step == "snapshot", and_(*asked))
