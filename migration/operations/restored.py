"""After a restore: both sides of each number that stands still are read and compared with the record."""

from collections.abc import Sequence
from dataclasses import dataclass

from migration.app import App
from migration.engine.itineraries import AFTER_CROSSING, Itinerary, itinerary_named
from migration.errors import MigrationError
from migration.steps.both_sides import read_sides
from state.enums import Side, Status
from state.epochs import PAGE
from state.errors import StateError
from state.rows import Position


@dataclass(frozen=True, slots=True)
class Difference:
    """One number: where it is by the record, where both sides show it, and what became of it."""

    ref: str
    recorded: Side
    found: str
    goes_on: bool
    what: str


async def look_after_restore(app: App, by: str) -> Sequence[Difference]:
    """Let each number go on whose sides are as on record, or that has moved to Cloud since; the others stay blocked."""
    board = await app.queries.positions.board()
    stopped = [row for row in board if row.ended_at is None and (not row.sides_read or _still_stands(row))]
    return [await _look(app, position, by) for position in stopped]


def _still_stands(row: Position) -> bool:
    """A sweep may have read its sides since; it waits for a person nevertheless."""
    return row.status is Status.BLOCKED and row.runbook == PAGE


async def _look(app: App, position: Position, by: str) -> Difference:
    try:
        number = await app.loader.load(position, await app.queries.now())
        found = (await read_sides(number)).side or Side.UNKNOWN
        what = await _decide(app, position, found, by)
    except (MigrationError, StateError) as exc:
        return Difference(position.ref, position.side, "not read", False, str(exc))
    stays = "both sides differ from the record: see `cutover runbook restored`"
    return Difference(position.ref, position.side, found.value, what is not None, what or stays)


async def _decide(app: App, position: Position, found: Side, by: str) -> str | None:
    """What the number does now; None where a person decides."""
    because = f"restored; both sides read: {found}"
    changes, migration_id = app.ledger.operator_changes, position.migration_id
    if await app.queries.records.open_attempt(migration_id) is not None:
        await changes.retry(migration_id, because, by, read=True)
        return "goes on; its open call is settled by reading both sides"
    if found is Side.CLOUD and position.crossed_at is None and _moves_to_cloud(itinerary_named(position.itinerary)):
        await changes.reopen(migration_id, AFTER_CROSSING, f"{because}; it moved after the backup", by, read=True)
        return f"it moved after the backup; goes on at {AFTER_CROSSING}"
    if found is position.side and found is not Side.UNKNOWN:
        await changes.retry(migration_id, because, by, read=True)
        return "as on record; goes on"
    return None


def _moves_to_cloud(itinerary: Itinerary) -> bool:
    return itinerary.goes_to is Side.CLOUD and itinerary.has(AFTER_CROSSING)
