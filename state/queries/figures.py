"""Counts of the whole fleet, by the database: for a page's head line and for a program that watches."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select

from state.code_steps import VERIFY_STEPS
from state.declaring import aliased
from state.enums import Party, Side, Status
from state.models import CauseTable, MigrationTable, NoticeTable, NumberTable, OutboxTable, WabaTable, WaveTable
from state.proof import MAY_BE_MENDED, NOT_TO_CLOUD, Proof, Weight, proof_of
from state.queries.position_rows import foreign_waba, position_of, select_positions
from state.queries.reader import Reader


@dataclass(frozen=True, slots=True)
class Figures:
    """`by_status`: of the newest migration of each number. `oldest_reading`: of those that are not at their end."""

    by_status: Mapping[str, int]
    by_side: Mapping[str, int]
    numbers: int
    without_migration: int
    dark: int  # on neither side by the last reading
    dark_by_us: int
    down: int  # either of the two
    waiting_for_code: int
    dark_for_s: float  # the longest, since the last moment at which it was known to serve
    oldest_reading: datetime | None
    by_proof: Mapping[str, int]  # of moved numbers, by what has proved that they work
    waves: Mapping[str, int]
    open_causes: Mapping[str, int]
    unsent_messages: int
    unconfirmed_announcements: int  # to senders
    now: datetime


@dataclass(frozen=True, slots=True)
class WaveCount:
    """`running`: how many numbers of the wave are moved now, by the step that they are at."""

    total: int
    ended: int
    running: Mapping[str, int]


NO_NUMBERS = WaveCount(0, 0, {})


class FigureQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def read(self) -> Figures:
        """All of them. What is grouped is sorted row by row, so no more than two short columns are."""
        migration, now = MigrationTable, await self._reader.now()
        by_place = select(migration.status, migration.side, func.count().label("numbers")).where(is_newest())
        rows, (live,), by_proof = await asyncio.gather(
            self._reader.rows(by_place.group_by(migration.status, migration.side), long=True),
            self._reader.rows(_of_live(), long=True),
            self.by_proof(),
        )
        total = (await self._reader.rows(select(func.count().label("all")).select_from(NumberTable)))[0]["all"]
        served = live["served"]
        return Figures(
            by_status={one.value: _of(rows, "status", one.value) for one in Status},
            by_side={one.value: _of(rows, "side", one.value) for one in Side},
            numbers=total,
            without_migration=total - sum(row["numbers"] for row in rows),
            dark=live["dark"],
            dark_by_us=live["by_us"],
            down=live["down"],
            waiting_for_code=live["codes"],
            dark_for_s=max((now - served).total_seconds(), 0.0) if served is not None else 0.0,
            oldest_reading=live["seen"],
            by_proof=by_proof,
            waves=await self._counts(WaveTable.state),
            open_causes=await self._counts(CauseTable.kind, CauseTable.resolved_at.is_(None)),
            unsent_messages=await self._count(NoticeTable.id, NoticeTable.sent_at.is_(None)),
            unconfirmed_announcements=await self._count(OutboxTable.id, OutboxTable.answer.is_(None)),
            now=now,
        )

    async def by_proof(self, wave_id: int | None = None) -> Mapping[str, int]:
        """Moved numbers, of all or of one wave, as `state.proof` says, in SQL: 50,000 are counted and not read.

        Only those are read whose report may have ended since by what the number has shown: few ever have one.
        """
        migration = MigrationTable
        moved = and_(
            migration.status == Status.DONE, migration.side == Side.CLOUD, migration.itinerary.not_in(NOT_TO_CLOUD)
        )
        sends = and_(migration.sends_at.is_not(None), migration.smoke_error.is_(None))
        against = f'%"weight": {int(Weight.DOUBT)}%'
        reported = [func.coalesce(cast(one, String), "").like(against) for one in (_OF_NUMBER, _OF_WABA)]
        failed = and_(migration.smoke_error.is_not(None), ~sends)
        lost = or_(migration.profile_lost.is_not(None), migration.limit_lowered.is_not(None))
        doubted = or_(foreign_waba().is_not(None), failed, lost, *reported)
        state = case(
            (doubted, Proof.NOT_PROVED.value),
            (and_(sends, migration.receives_at.is_not(None)), Proof.IN_SERVICE.value),
            (sends, Proof.SENDS.value),
            (migration.receives_at.is_not(None), Proof.RECEIVES.value),
            else_=Proof.NOT_PROVED.value,
        ).label("proved_as")
        query = (
            select(state, func.count().label("numbers"))
            .select_from(migration)
            .join(NumberTable, NumberTable.id == migration.number_pk)
            .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
            .where(moved, is_newest(), *((migration.wave_pk == wave_id,) if wave_id is not None else ()))
        )
        may_be_mended = and_(or_(*reported), or_(*(_names(topic) for topic in MAY_BE_MENDED)))
        counts = Counter[str]()
        for row in await self._reader.rows(query.where(~may_be_mended).group_by(state), long=True):
            counts[row["proved_as"]] += row["numbers"]
        read = select_positions().where(migration.id.in_(query.with_only_columns(migration.id).where(may_be_mended)))
        mended = await self._reader.rows(read, long=True)
        counts.update(proof_of(position_of(row, lambda _: False)) for row in mended)
        return {one.value: counts[one.value] for one in Proof}

    async def of_waves(self, wave_id: int | None = None) -> Mapping[int, WaveCount]:
        """By the wave's id; of all waves that have numbers, or of one."""
        migration = MigrationTable
        step = case((migration.status == Status.RUNNING, migration.next_step)).label("running_step")
        ended = migration.ended_at.is_not(None).label("has_ended")
        of = migration.wave_pk == wave_id if wave_id is not None else migration.wave_pk.is_not(None)
        query = select(migration.wave_pk, ended, step, func.count().label("numbers")).where(of, is_newest())
        found: dict[int, WaveCount] = {}
        for row in await self._reader.rows(query.group_by(migration.wave_pk, ended, step), long=True):
            so_far, numbers = found.get(row["wave_pk"], NO_NUMBERS), row["numbers"]
            at = {row["running_step"]: numbers} if row["running_step"] is not None else {}
            found[row["wave_pk"]] = WaveCount(
                so_far.total + numbers,
                so_far.ended + (numbers if row["has_ended"] else 0),
                {**so_far.running, **at},
            )
        return found

    async def _counts(self, by: Any, *only: ColumnElement[bool]) -> dict[str, int]:
        query = select(by.label("name"), func.count().label("times")).where(*only).group_by(by)
        return {row["name"]: row["times"] for row in await self._reader.rows(query)}

    async def _count(self, column: Any, *only: ColumnElement[bool]) -> int:
        return int((await self._reader.rows(select(func.count(column).label("times")).where(*only)))[0]["times"])


_OF_NUMBER, _OF_WABA = NumberTable.reported, WabaTable.reported


def _names(topic: str) -> ColumnElement[bool]:
    texts = (func.coalesce(cast(one, String), "") for one in (_OF_NUMBER, _OF_WABA))
    return or_(*(text.like(f'%"{topic}"%') for text in texts))


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _of(rows: Sequence[Mapping[str, Any]], column: str, value: str) -> int:
    return sum(row["numbers"] for row in rows if row[column] == value)


def _of_live() -> Select[*tuple[Any, ...]]:
    """Of migrations that have not ended: how many are dark or wait for a code, since when, and the oldest reading."""
    migration = MigrationTable
    dark, by_us = migration.dark_from.is_not(None), migration.dark_by_us.is_(True)
    return select(
        _sum(dark).label("dark"),
        _sum(by_us).label("by_us"),
        _sum(or_(dark, by_us)).label("down"),
        _sum(_waits_for_code()).label("codes"),
        func.min(case((by_us, migration.served_at))).label("served"),
        func.min(func.coalesce(migration.seen_at, migration.side_read_at)).label("seen"),
    ).where(migration.ended_at.is_(None))


def _waits_for_code() -> ColumnElement[bool]:
    steps = MigrationTable.next_step.in_(VERIFY_STEPS)
    return and_(steps, MigrationTable.status == Status.WAITING, MigrationTable.waiting_on == Party.CUSTOMER)


def is_newest() -> ColumnElement[bool]:
    """Of the migration in `MigrationTable`: its number has no later one. Only one that has ended has to be looked for:
    a number has one live migration at most, and begins none while it lives."""
    later = aliased(MigrationTable, "later_counted")
    another = select(later.id).where(later.number_pk == MigrationTable.number_pk, later.id > MigrationTable.id)
    return or_(MigrationTable.ended_at.is_(None), ~another.correlate(MigrationTable).exists())
