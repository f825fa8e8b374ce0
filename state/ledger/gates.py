"""The gate before the point of no return: hold, wave, halt rule, window and profile.

As SQL, so that the conditions stand in the WHERE of the update that commits an intent.
"""

from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import Released, WaveState
from state.ledger import halt_rule, outside_failures
from state.models import CredentialProfileTable, HomeTable, MigrationTable, NumberTable, WabaTable, WaveTable
from state.types import SqlClock


def open_for(clock: SqlClock, fits_in: timedelta) -> ColumnElement[bool]:
    """The number may cross now, and the window leaves `fits_in` for the rest of its cutover.

    A halted profile stops every number. Hold, wave and window stop only numbers that have not crossed: a number that
    has crossed may be dark, and a gate that held it there would make its outage longer.
    """
    not_held = and_(MigrationTable.hold.is_(False), _wave_allows(clock, fits_in), ~outside_failures.stopping().exists())
    return and_(_profile_runs(), or_(MigrationTable.crossed_at.is_not(None), not_held))


def sides_read() -> ColumnElement[bool]:
    """Both sides of the number were read since the last restore. What was read before it says nothing about now."""
    return MigrationTable.read_epoch >= this_epoch()


@cache
def this_epoch() -> ScalarSelect[int]:
    return select(HomeTable.epoch).scalar_subquery()


NOT_READ = "both sides were not read since the home was restored; `cutover restore --look` reads them"


def _profile_runs() -> ColumnElement[bool]:
    return (
        select(CredentialProfileTable.id)
        .join(WabaTable, WabaTable.profile_id == CredentialProfileTable.id)
        .join(NumberTable, NumberTable.waba_pk == WabaTable.id)
        .where(NumberTable.id == MigrationTable.number_pk, CredentialProfileTable.halted_at.is_(None))
        .correlate(MigrationTable)
        .exists()
    )


def _wave_allows(clock: SqlClock, fits_in: timedelta) -> ColumnElement[bool]:
    canary = and_(WaveTable.released == Released.CANARY, MigrationTable.canary.is_(True))
    named = MigrationTable.released_by_name.is_(True)
    allowed = (
        select(WaveTable.id)
        .where(
            WaveTable.id == MigrationTable.wave_pk,
            WaveTable.state == WaveState.RUNNING,
            or_(WaveTable.released == Released.ALL, canary, named),
            halt_rule.within_rule(),
            or_(WaveTable.window_start.is_(None), WaveTable.window_start <= clock.now()),
            or_(WaveTable.window_end.is_(None), WaveTable.window_end >= clock.now(fits_in)),
        )
        .correlate(MigrationTable)
        .exists()
    )
    return or_(MigrationTable.wave_pk.is_(None), allowed)


async def why_closed(connection: AsyncConnection, migration_id: int, clock: SqlClock, fits_in: timedelta) -> str | None:
    """In one sentence, which condition of the gate does not hold now; None when the gate is open."""
    row = (await connection.execute(_conditions(clock, fits_in), {"of_migration": migration_id})).one()
    if row.open:
        return None
    if row.halted_at is not None:
        return f"credential profile {row.profile} is halted: {row.halted_because}"
    if row.hold:
        released = release_of_number(row.released, by_name=row.released_by_name)
        wins = f", which wins over the release of wave {row.wave} {released}" if row.wave is not None else ""
        return f"the number is on hold{wins}; `cutover release` lets it go"
    if row.state != WaveState.RUNNING:
        return f"wave {row.wave} is {row.state}" + (f": {row.because}" if row.because else "")
    if not row.within_rule:
        because = halt_rule.halt_reason(row.halt_count, row.halt_share, row.failed, row.ended, row.outside)
        return f"wave {row.wave} is about to be halted: {because}"
    failing = (await connection.execute(outside_failures.stopping_at(migration_id))).first()
    if failing is not None:
        return outside_failures.reason_of(failing.ref, failing.outside_failure)
    if row.early:
        return f"the window of wave {row.wave} has not begun"
    if row.over:
        return f"the window of wave {row.wave} has ended; `cutover plan {row.wave}` gives it another"
    if row.late:
        return f"the window of wave {row.wave} has no room left for a cutover"
    return f"wave {row.wave} is {released_for(row.released)}"


def released_for(released: str | None) -> str:
    """What keeps a number of a wave, as the end of a sentence. Others of the wave may have been released by name."""
    if released == Released.CANARY:
        return "released for its canary, and not for this number"
    return "not released for this number yet"


def release_of_number(released: str | None, *, by_name: bool) -> str:
    """For what part of its wave a number's release is, as the end of a sentence."""
    return "for this number by name" if by_name and released != Released.ALL else f"for {released}"


@lru_cache(maxsize=100)  # made once, because each number asks before several of its steps
def _conditions(clock: SqlClock, fits_in: timedelta) -> Select[*tuple[Any, ...]]:
    return (
        select(
            MigrationTable.hold,
            MigrationTable.released_by_name,
            CredentialProfileTable.name.label("profile"),
            CredentialProfileTable.halted_because,
            CredentialProfileTable.halted_at,
            WaveTable.name.label("wave"),
            WaveTable.state,
            WaveTable.released,
            WaveTable.because,
            *halt_rule.reason_columns(),
            halt_rule.within_rule().label("within_rule"),
            (WaveTable.window_start > clock.now()).label("early"),
            (WaveTable.window_end <= clock.now()).label("over"),
            (WaveTable.window_end < clock.now(fits_in)).label("late"),
            open_for(clock, fits_in).label("open"),
        )
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
        .outerjoin(WaveTable, WaveTable.id == MigrationTable.wave_pk)
        .where(MigrationTable.id == bindparam("of_migration"))
    )
