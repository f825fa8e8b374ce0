"""Findings: the latest result of each step, and what a step or a preflight noted."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.ledger.inserting import replace_row
from state.ledger.versions import raise_versions
from state.models import FindingTable, MigrationTable
from state.types import SqlClock

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


async def forget_all_but_the_snapshot(tx: AsyncConnection, migration_id: int) -> None:
    """The snapshot shows the number before anything was touched, so it holds on every itinerary."""
    await tx.execute(
        delete(FindingTable).where(FindingTable.migration_pk == migration_id, FindingTable.step != "snapshot")
    )
