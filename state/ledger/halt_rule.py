"""When a wave stops itself because too many of its numbers have failed. Counted in SQL, as part of every gate."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select

from state.declaring import aliased
from state.enums import OutsideFailure, Side, Status
from state.models import MigrationTable, NumberTable, WaveTable


def is_failed(migration: Any) -> ColumnElement[bool]:
    """Blocked, or dark since a call of ours: both need a person.

    Excludes failures that a person has acknowledged by releasing the wave.
    """
    dark = and_(migration.dark_by_us.is_(True), migration.side == Side.NEITHER)
    return and_(or_(migration.status == Status.BLOCKED, dark), migration.failure_known.is_(False))


@cache
def failed_count() -> ScalarSelect[int]:
    """How many numbers of a wave have failed, for a statement that reads `WaveTable`."""
    migration = aliased(MigrationTable, "failed_migration")
    return _count_in_wave(migration, is_failed(migration))


@cache
def failed_outside() -> ScalarSelect[str]:
    """The reference of one number of a wave that is blocked by what would stop the others too, or NULL."""
    migration, number = aliased(MigrationTable, "outside_migration"), aliased(NumberTable, "outside_number")
    query = (
        select(func.min(number.ref))
        .join(migration, migration.number_pk == number.id)
        .where(
            migration.wave_pk == WaveTable.id,
            migration.status == Status.BLOCKED,
            # Terms and a restricted account concern a customer or a WABA; the gate keeps back their numbers alone.
            migration.outside_failure == OutsideFailure.GRAPH,
            migration.failure_known.is_(False),
        )
    )
    return query.correlate(WaveTable).scalar_subquery()


@cache
def ended_count() -> ScalarSelect[int]:
    """How many migrations of a wave have ended, for a statement that reads `WaveTable`."""
    migration = aliased(MigrationTable, "ended_migration")
    return _count_in_wave(migration, migration.ended_at.is_not(None))


def _count_in_wave(migration: Any, condition: ColumnElement[bool]) -> ScalarSelect[int]:
    query = select(func.count(migration.id)).where(migration.wave_pk == WaveTable.id, condition)
    return query.correlate(WaveTable).scalar_subquery()


@cache
def reason_columns() -> tuple[ColumnElement[Any], ...]:
    """What `halt_reason` is given, in its order, for a statement that reads `WaveTable`."""
    return (
        WaveTable.halt_count.expression,
        WaveTable.halt_share.expression,
        failed_count().label("failed"),
        ended_count().label("ended"),
        failed_outside().label("outside"),
    )


@cache
def within_rule() -> ColumnElement[bool]:
    """The halt rule of `WaveTable` is not broken. The share is of the numbers that have failed or ended.

    One number is enough where what stopped it would stop the others too.
    """
    failed = failed_count()
    below_count = or_(WaveTable.halt_count.is_(None), failed < WaveTable.halt_count)
    share_allows = failed <= WaveTable.halt_share * (failed + ended_count())
    below_share = or_(WaveTable.halt_share.is_(None), failed == 0, share_allows)
    return and_(below_count, below_share, failed_outside().is_(None))


def halt_reason(
    halt_count: int | None, halt_share: float | None, failed: int, ended: int, outside: str | None = None
) -> str:
    """In words, what broke the rule. `outside`: the reference of a number that `failed_outside` gives."""
    if outside is not None:
        return f"what stopped {outside} would stop the other numbers too; `cutover show {outside}`"
    failures = f"{failed} number{'s' if failed != 1 else ''} failed"
    if halt_count is not None and failed >= halt_count:
        return f"{failures}; the halt rule allows {halt_count - 1}"
    return f"{failures} of {failed + ended}; the halt rule allows {halt_share or 0:.0%}"
