"""Looks again at numbers that stand still: a client that dies while its number is held or waits is noticed.

Done by whatever runs (a wave's loop, a sweep), never by a command that only shows. A client that says itself that it
serves costs no call to Graph; for the others their WABA is listed, and never by calls kept for numbers that cross.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from migration.app import App
from migration.clients.shared_readings import WabaReadings
from migration.engine.itineraries import itinerary_named
from migration.engine.step_run import doubt_before
from migration.errors import MigrationError
from migration.runtime.concurrency import gather_all
from migration.runtime.log import get_logger
from migration.steps.both_sides import look_again
from migration.steps.number import Number
from state.database import is_database_error
from state.errors import StateError
from state.queries.due import WavePart
from state.rows import Position
from state.service import follow, service_of_row

# How old what was read of a number may become. A client is asked itself; the other readings are calls of Graph.
CLIENT_EVERY = timedelta(seconds=60)
GRAPH_EVERY = timedelta(minutes=10)
AT_ONCE = 10
MOST_IN_A_PASS = 200
BETWEEN_PASSES_S = 10.0

_LOG = get_logger("watch")


class Look(StrEnum):
    """What came of looking at one number."""

    READ = "read"
    STOPPED = "stopped serving"  # since it was read last
    UNREAD = "cannot tell"
    TAKEN = "taken by a worker"  # who reads it


async def look_at_standing(
    app: App, part: WavePart | None = None, skip: Callable[[int], bool] = lambda _: False
) -> Mapping[int, Look]:
    """One pass over the numbers whose last reading is too old, by migration id; `skip`: those that are left out."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def look(migration_id: int) -> Look:
        async with limit:
            return await _look(app, migration_id)

    standing = await app.queries.due.standing_still(CLIENT_EVERY, GRAPH_EVERY, part, limit=MOST_IN_A_PASS)
    chosen = [migration_id for migration_id in standing if not skip(migration_id)]
    return dict(zip(chosen, await gather_all(map(look, chosen)), strict=True))


async def _look(app: App, migration_id: int) -> Look:
    """What cannot be read stays as it was read last; its age shows it."""
    try:
        position = await app.queries.positions.get(migration_id)
        number = await _load(app, position)
        await look_again(number, ask_graph=_may_ask_graph(position, number.now))
        before = service_of_row(position)
        after = follow(before, number.service.sightings, in_use=position.instance is not None)
        if after == before:
            return Look.UNREAD
        if not await app.ledger.service.record(position, after):
            return Look.TAKEN
    except StateError:
        return Look.TAKEN
    except MigrationError:
        return Look.UNREAD
    except Exception as exc:
        if is_database_error(exc):
            raise
        _LOG.warning("migration %s could not be looked at: %s", migration_id, type(exc).__name__)
        return Look.UNREAD
    return Look.STOPPED if before.dark_from is None and after.dark_from is not None else Look.READ


def _may_ask_graph(position: Position, now: datetime) -> bool:
    """What Graph did not show twice it is asked for in one minute of ten: an inactive WABA has 200 calls an hour."""
    age = now - (position.seen_at or position.created_at)
    return age < 3 * CLIENT_EVERY or age % GRAPH_EVERY < CLIENT_EVERY


async def _load(app: App, position: Position) -> Number:
    """The number, whose calls to Graph use nothing that is kept for others."""
    number = await app.loader.load(position, await app.queries.now())
    calls = app.clients.budget.of(position.app_id, position.waba_id)
    if position.next_step is not None:
        itinerary = itinerary_named(position.itinerary)
        number.service.doubt = doubt_before(itinerary, itinerary.at(position.next_step))
    cloud = number.cloud.counted_by(calls)
    shared = WabaReadings(app.clients.shared, cloud, position.profile_id, position.waba_id)
    return replace(number, cloud=cloud, shared=shared)


class Watch:
    """Passes in the background, one at a time: a client that does not answer holds no number up."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._pass: asyncio.Task[Mapping[int, Look]] | None = None
        self._next = app.clock.boot_time()
        self._unread: dict[int, float] = {}  # migration id -> until when it is not asked again, on the boot-time clock

    def begin_pass(self, part: WavePart | None, includes: Callable[[int], bool]) -> None:
        """Does nothing while a pass is under way, or a short time after it."""
        now = self._app.clock.boot_time()
        if now < self._next or (self._pass is not None and not self._pass.done()):
            return
        self._note()
        self._next = now + BETWEEN_PASSES_S

        def skip(migration_id: int) -> bool:
            return not includes(migration_id) or self._unread.get(migration_id, 0.0) > now

        self._pass = asyncio.ensure_future(look_at_standing(self._app, part, skip))

    async def finish(self) -> None:
        """Wait for the pass that is under way."""
        if self._pass is not None:
            await asyncio.wait({self._pass})
            self._note()

    def _note(self) -> None:
        """A number that cannot be read stays the oldest one; it is not asked in every pass for that."""
        if self._pass is None or self._pass.cancelled():
            return
        if (exc := self._pass.exception()) is not None:
            _LOG.warning("numbers that stand still could not be looked at: %s", type(exc).__name__)
            return
        until = self._app.clock.boot_time() + CLIENT_EVERY.total_seconds()
        self._unread |= {one: until for one, look in self._pass.result().items() if look is Look.UNREAD}
