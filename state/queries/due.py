"""Which numbers a worker may take now or soon, and who holds numbers at present."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select

from state.enums import Party, Side, Status, WaveState
from state.ledger.readiness import WAITS_FOR_PERSON_BEFORE
from state.ledger.wave_members import LOW_VOLUME_FIRST
from state.models import AttemptTable, EventTable, MigrationTable, NumberTable, WaveTable
from state.queries.reader import Reader
from state.types import UtcDateTime


@dataclass(frozen=True, slots=True)
class WavePart:
    """A wave's numbers, or every `of`-th of them beginning with the one at place `at` (from 0).

    Places are counted, not ids, so that all parts of a wave are of one size.
    """

    wave: str
    at: int = 0
    of: int = 1


class Due(NamedTuple):
    """`held`: a gate kept it when it was looked at last."""

    migration_id: int
    held: bool


class Crossing(NamedTuple):
    """What all workers of the database have across now: how many numbers, and how many workers move them."""

    numbers: int
    workers: int


class DueQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def due_now(
        self, part: WavePart | None = None, *, limit: int = 500, begun: Collection[str] = ()
    ) -> tuple[int, ...]:
        """As `due_and_held`, the ids alone."""
        return tuple(migration_id for migration_id, _ in await self.due_and_held(part, limit=limit, begun=begun))

    async def due_and_held(
        self, part: WavePart | None = None, *, limit: int = 500, begun: Collection[str] = ()
    ) -> tuple[Due, ...]:
        """Migrations that a worker may take now: ready, wait or lease over, or held and to be looked at again.

        `begun`: the itineraries that an import chooses. Where it is given, migrations that nobody has asked to move yet
        are left out: those in waves that are planned, and those on one of these itineraries that are in no wave and
        that no worker has touched.
        """
        return await self._due(self._reader.clock.now(), part, limit, begun=begun)

    async def due_by(self, when: datetime, part: WavePart | None = None, *, limit: int = 10_000) -> tuple[int, ...]:
        """Migrations that are due now or will be by `when` if nobody does anything; held ones are not among them."""
        due = await self._due(literal(when, UtcDateTime()), part, limit, held=False)
        return tuple(migration_id for migration_id, _ in due)

    async def held_at_gate(self, part: WavePart) -> tuple[int, ...]:
        """Migrations of this part that a gate holds, or that wait before it until somebody is at their phones."""
        migration = MigrationTable
        for_people = and_(
            migration.status == Status.WAITING,
            migration.waiting_on == Party.CUSTOMER,
            migration.next_step.in_(WAITS_FOR_PERSON_BEFORE),
        )
        query = _only_part(select(migration.id).where(or_(migration.status == Status.HELD, for_people)), part)
        return tuple(row["id"] for row in await self._reader.rows(query))

    async def standing_still(
        self, client_every: timedelta, graph_every: timedelta, part: WavePart | None = None, *, limit: int
    ) -> tuple[int, ...]:
        """Migrations that a hold, a wait or a person keeps where they are, and that were not read for so long.

        The oldest reading first. `client_every`: of numbers whose client is asked itself. A number with an open call
        is left out: whoever settles the call reads both sides.
        """
        migration, now = MigrationTable, self._reader.clock.now
        by_client = migration.side == Side.ON_PREMISES
        old = case((by_client, migration.seen_at <= now(-client_every)), else_=migration.seen_at <= now(-graph_every))
        open_call = select(AttemptTable.id).where(
            AttemptTable.migration_pk == migration.id, AttemptTable.ended.is_(None)
        )
        stands = [Status.WAITING, Status.HELD, Status.BLOCKED]
        query = (
            select(migration.id)
            .where(
                migration.ended_at.is_(None),
                or_(migration.lease_until.is_(None), migration.lease_until <= now()),
                or_(migration.status.in_(stands), migration.hold.is_(True)),
                or_(migration.seen_at.is_(None), old),
                ~open_call.exists(),
            )
            .order_by(migration.seen_at.is_not(None), migration.seen_at, migration.id)
            .limit(limit)
        )
        query = _only_part(query, part) if part is not None else query
        return tuple(row["id"] for row in await self._reader.rows(query))

    async def moved_by_another(self, part: WavePart, holder: str) -> bool:
        """Whether another worker than `holder` is at a number of this part now."""
        migration = MigrationTable
        query = (
            select(migration.id)
            .where(
                migration.ended_at.is_(None),
                migration.lease_until > self._reader.clock.now(),
                migration.lease_holder != holder,
            )
            .limit(1)
        )
        return bool(await self._reader.rows(_only_part(query, part)))

    async def crossing_now(self) -> Crossing:
        """The numbers that have crossed, or whose senders are paused, and that some worker moves now.

        One that waits, for its queue or for Meta, lets time pass only: its worker has given its place to another one.
        """
        (row,) = await self._reader.rows(self._reader.prepared.get("crossing_now", self._select_crossing))
        return Crossing(int(row["numbers"]), int(row["workers"]))

    def _select_crossing(self) -> Select[*tuple[Any, ...]]:
        migration = MigrationTable
        numbers, workers = func.count().label("numbers"), migration.lease_holder.distinct()
        return select(numbers, func.count(workers).label("workers")).where(
            migration.ended_at.is_(None),
            migration.status != Status.WAITING,
            or_(migration.crossed_at.is_not(None), migration.paused_at.is_not(None)),
            migration.moving_until > self._reader.clock.now(),
        )

    async def lease_holders(self) -> tuple[str, ...]:
        """Names of the workers that hold a number now."""
        query = self._reader.prepared.get("lease_holders", self._select_lease_holders)
        return tuple(row["lease_holder"] for row in await self._reader.rows(query))

    def _select_lease_holders(self) -> Select[*tuple[Any, ...]]:
        holder, until = MigrationTable.lease_holder, MigrationTable.lease_until
        return select(holder).where(until > self._reader.clock.now()).distinct()

    async def _due(
        self,
        by: ColumnElement[datetime],
        part: WavePart | None,
        limit: int,
        *,
        held: bool = True,
        begun: Collection[str] = (),
    ) -> tuple[Due, ...]:
        migration = MigrationTable
        not_leased = or_(migration.lease_until.is_(None), migration.lease_until <= by)
        waiting = [Status.WAITING, Status.HELD] if held else [Status.WAITING]
        wait_is_over = and_(
            migration.status.in_(waiting), or_(migration.waiting_until.is_(None), migration.waiting_until <= by)
        )
        query = (
            select(migration.id, migration.status)
            .join(NumberTable, NumberTable.id == migration.number_pk)
            .outerjoin(WaveTable, WaveTable.id == migration.wave_pk)
            .where(
                migration.ended_at.is_(None),
                not_leased,
                or_(migration.status.in_([Status.READY, Status.RUNNING]), wait_is_over),
            )
            .order_by(migration.crossed_at.is_(None), *LOW_VOLUME_FIRST)  # what may be dark comes before all others
            .limit(limit)
        )
        if part is not None:
            query = _only_part(query, part)
        if begun:
            query = query.where(_was_begun(begun))
        return tuple(Due(row["id"], row["status"] == Status.HELD) for row in await self._reader.rows(query))


def _only_part(query: Select[*tuple[Any, ...]], part: WavePart) -> Select[*tuple[Any, ...]]:
    migration = MigrationTable
    place = func.row_number().over(order_by=migration.id).label("place")
    ranked = (
        select(migration.id, place)
        .join(WaveTable, WaveTable.id == migration.wave_pk)
        .where(WaveTable.name == part.wave)
    )
    places = ranked.subquery()
    return query.where(migration.id.in_(select(places.c.id).where((places.c.place - 1) % part.of == part.at)))


def _was_begun(chosen_by_import: Collection[str]) -> ColumnElement[bool]:
    """Somebody asked to move it: its wave has begun, or it is in no wave and is no longer as an import left it."""
    migration = MigrationTable
    touched = or_(
        migration.status != Status.READY, migration.itinerary.not_in(chosen_by_import), _has_event_of_a_worker()
    )
    return or_(and_(migration.wave_pk.is_(None), touched), WaveTable.state != WaveState.PLANNED)


def _has_event_of_a_worker() -> ColumnElement[bool]:
    """A worker ran a step of it: the first event that it writes is one of these."""
    kinds = ("advanced", "already_in_place", "passed_over", "intent", "waiting", "held", "blocked", "reopened")
    events = select(EventTable.id).where(EventTable.migration_pk == MigrationTable.id, EventTable.kind.in_(kinds))
    return events.correlate(MigrationTable).exists()
