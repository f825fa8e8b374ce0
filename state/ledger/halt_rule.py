"""When a wave stops itself: too many of its numbers have failed. Counted in SQL, so that every gate can ask."""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select
from sqlalchemy.orm import aliased

from state.enums import Side, Status
from state.models import MigrationTable, WaveTable


def failed(m: Any) -> ColumnElement[bool]:
    """Blocked, or dark since a call of ours: both need a person. Not what a person knew of and let the wave go on."""
    dark = and_(m.dark_by_us.is_(True), m.side == Side.NEITHER)
    return and_(or_(m.status == Status.BLOCKED, dark), m.failure_known.is_(False))


def failures() -> ScalarSelect[int]:
    """How many numbers of a wave have failed, for a statement that reads `Wave`."""
    m = aliased(MigrationTable)
    return select(func.count(m.id)).where(m.wave_pk == WaveTable.id, failed(m)).correlate(WaveTable).scalar_subquery()


def ends() -> ScalarSelect[int]:
    """How many numbers of a wave are at their end."""
    m = aliased(MigrationTable)
    return (
        select(func.count(m.id))
        .where(m.wave_pk == WaveTable.id, m.ended_at.is_not(None))
        .correlate(WaveTable)
        .scalar_subquery()
    )


def within_rule() -> ColumnElement[bool]:
    """The halt rule of `Wave` is not broken. The share counts over the numbers that have failed or ended."""
    count = failures()
    few = or_(WaveTable.halt_count.is_(None), count < WaveTable.halt_count)
    small = or_(WaveTable.halt_share.is_(None), count == 0, count <= WaveTable.halt_share * (count + ends()))
    return and_(few, small)


def why_halt(halt_count: int | None, halt_share: float | None, count: int, ended: int) -> str:
    """In words what broke the rule, for `count` failed and `ended` numbers."""
    said = f"{count} number{'s' if count != 1 else ''} failed"
    if halt_count is not None and count >= halt_count:
        return f"{said}; the halt rule allows {halt_count - 1}"
    return f"{said} of {count + ended}; the halt rule allows {halt_share or 0:.0%}"
