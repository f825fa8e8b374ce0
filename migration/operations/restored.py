"""After a restore: both sides of each number that stands still are read and compared with the record."""

from collections.abc import Sequence
from dataclasses import dataclass

from migration.app import App
from migration.engine.barrier import unexpected
from migration.engine.itineraries import AFTER_CROSSING, Itinerary, itinerary_named
from migration.errors import MigrationError
from migration.steps.both_sides import read_sides
from state.enums import Side, Status
from state.epochs import PAGE
from state.errors import StateError
from state.rows import Position
from state.service import Service, follow, service_of_row


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
        found, service = await sides_and_service(app, position)
        what = await _decide(app, position, found, service, by)
    except (MigrationError, StateError) as exc:
        return Difference(position.ref, position.side, "not read", False, str(exc))
    except Exception as exc:  # noqa: BLE001 -- the barrier: the others are looked at
        return Difference(position.ref, position.side, "not read", False, unexpected(position.ref, "the look", exc))
    stays = "both sides differ from the record: see `cutover runbook restored`"
    return Difference(position.ref, position.side, found.value, what is not None, what or stays)


async def _decide(app: App, position: Position, found: Side, read: Service, by: str) -> str | None:
    """What the number does now; None where a person decides."""
    because = f"restored; both sides read: {found}"
    changes, migration_id = app.ledger.operator_changes, position.migration_id
    if await app.queries.records.open_attempt(migration_id) is not None:
        await changes.retry(migration_id, because, by, read=read)
        return "goes on; its open call is settled by reading both sides"
    if found is Side.CLOUD and position.crossed_at is None and _moves_to_cloud(itinerary_named(position.itinerary)):
        await changes.reopen(migration_id, AFTER_CROSSING, f"{because}; it moved after the backup", by, read=read)
        return f"it moved after the backup; goes on at {AFTER_CROSSING}"
    if found is position.side and found is not Side.UNKNOWN:
        await changes.retry(migration_id, because, by, read=read)
        return "as on record; goes on"
    return None


async def sides_and_service(app: App, position: Position) -> tuple[Side, Service]:
    """Both sides, read anew, and what is known of the number's service after that. Raises what the clients raise."""
    number = await app.loader.load(position, await app.queries.now())
    side = (await read_sides(number)).side or Side.UNKNOWN
    known = service_of_row(position)
    return side, follow(known, number.service.sightings, in_use=position.instance is not None)


def _moves_to_cloud(itinerary: Itinerary) -> bool:
    return itinerary.goes_to is Side.CLOUD and itinerary.has(AFTER_CROSSING)
