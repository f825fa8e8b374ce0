"""Numbers in lists: a page of them, or all, by what a person chooses; and how many there are of each kind.

A list says the same of a number as `status` does: a number whose worker has gone is ready, one whose wait is over is
ours to move.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select

from state.declaring import aliased
from state.enums import ENDED, Party, Side, Status
from state.ledger import gates, outside_failures
from state.ledger.outside_failures import NO_PAGE
from state.models import CredentialProfileTable, CustomerTable, MigrationTable, NumberTable, WabaTable, WaveTable
from state.queries.position_rows import foreign_waba
from state.queries.reader import Reader
from state.rows import ListedNumber

TOKEN_REFUSED = "token-refused"  # the page of a halted profile; its numbers stand still without one of their own


@dataclass(frozen=True, slots=True)
class NumberFilter:
    """Which numbers a list shows; None does not filter.

    `wave`: its name, empty for numbers in no wave. `status`: the one that is shown. `waits_for`: whose move it is.
    `blocked_by`: the name of the runbook that a person has to follow, such as `wrong-pin`.
    """

    wave: str | None = None
    customer: str | None = None
    status: Status | None = None
    waits_for: Party | None = None
    blocked_by: str | None = None


@dataclass(frozen=True, slots=True)
class NumberCounts:
    """How many numbers a filter leaves, together and by what they can be filtered by; `by_side` as last recorded.

    `dark_by_us`: those that a call of ours may have taken out of service.
    """

    total: int = 0
    dark_by_us: int = 0
    by_wave: Mapping[str, int] = field(default_factory=dict)  # empty name: in no wave
    by_status: Mapping[Status, int] = field(default_factory=dict)
    by_party: Mapping[Party, int] = field(default_factory=dict)  # without numbers that have ended
    by_runbook: Mapping[str, int] = field(default_factory=dict)
    by_side: Mapping[Side, int] = field(default_factory=dict)


EVERYTHING = NumberFilter()


class ListingQueries:
    """`is_gone`: whether the worker of that name is known to have exited. `older_copy`: as in Queries."""

    def __init__(self, reader: Reader, is_gone: Callable[[str], bool], *, older_copy: bool) -> None:
        self._reader = reader
        self._is_gone = is_gone
        self._older_copy = older_copy

    async def page(
        self, chosen: NumberFilter = EVERYTHING, *, after: int = 0, offset: int = 0, limit: int = 100
    ) -> tuple[ListedNumber, ...]:
        """At most `limit` numbers in the order of their references: those with a `number_id` above `after`.

        `offset`: so many of them are left out. The first page of the next call begins after the last number of this.
        """
        shown = await self._shown_columns()
        query = self._listed(shown).where(*_filters(chosen, shown), NumberTable.id > after)
        return await self._numbers(query.order_by(NumberTable.id).offset(offset).limit(limit))

    async def all(self, chosen: NumberFilter = EVERYTHING) -> tuple[ListedNumber, ...]:
        """In the order of their references."""
        shown = await self._shown_columns()
        return await self._numbers(self._listed(shown).where(*_filters(chosen, shown)).order_by(NumberTable.id))

    async def counts(self, chosen: NumberFilter = EVERYTHING) -> NumberCounts:
        """Counted by the database, in one statement."""
        shown = await self._shown_columns()
        groups = (
            func.coalesce(WaveTable.name, "").label("shown_wave"),
            shown.status.label("shown_status"),
            shown.party.label("shown_party"),
            shown.runbook.label("shown_runbook"),
            MigrationTable.side.label("shown_side"),
            MigrationTable.dark_by_us.label("dark"),
        )
        query = _joined(select(*groups, func.count().label("numbers"))).where(*_filters(chosen, shown))
        return _added_up(await self._reader.rows(query.group_by(*groups)))

    async def _shown_columns(self) -> "_Shown":
        """With the workers that have gone, of which only this process's machine can tell."""
        holders = select(MigrationTable.lease_holder).where(MigrationTable.status == Status.RUNNING).distinct()
        names = [row["lease_holder"] for row in await self._reader.rows(holders)]
        return _shown([name for name in names if name is not None and self._is_gone(name)], self._reader)

    def _listed(self, shown: "_Shown") -> Select[*tuple[Any, ...]]:
        return _listed(shown, false() if self._older_copy else gates.sides_read())

    async def _numbers(self, query: Select[*tuple[Any, ...]]) -> tuple[ListedNumber, ...]:
        return tuple(map(_number_of, await self._reader.tuples(query)))


@dataclass(frozen=True, slots=True)
class _Shown:
    """SQL for what is shown of a number and not recorded as such."""

    status: ColumnElement[Any]
    party: ColumnElement[Any]  # "" once it has ended
    runbook: ColumnElement[Any]  # "" where no page waits for a person
    worker_gone: ColumnElement[bool]


def _shown(gone: Sequence[str], reader: Reader) -> _Shown:
    migration, now = MigrationTable, reader.clock.now()
    worker_gone = and_(migration.lease_holder.is_not(None), migration.lease_holder.in_(gone))
    lease_over = or_(migration.lease_until.is_(None), migration.lease_until <= now)
    lost = and_(migration.status == Status.RUNNING, or_(lease_over, worker_gone))
    status = case((lost, Status.READY.value), else_=migration.status)
    wait_over = and_(
        migration.status == Status.WAITING, or_(migration.waiting_until.is_(None), migration.waiting_until <= now)
    )
    ours = or_(migration.status.in_([Status.READY, Status.RUNNING]), wait_over)
    party = case(
        (migration.status.in_(ENDED), ""),
        (ours, Party.US.value),
        else_=func.coalesce(migration.waiting_on, Party.OPERATOR.value),
    )
    goes_on = or_(status.in_([Status.HELD, Status.READY]), wait_over)
    runbook = case(
        (migration.status.in_(ENDED), ""),
        (migration.status == Status.BLOCKED, _page_name(func.coalesce(migration.runbook, NO_PAGE))),
        (and_(goes_on, CredentialProfileTable.halted_at.is_not(None)), TOKEN_REFUSED),
        else_="",
    )
    return _Shown(status, party, runbook, worker_gone)


def _page_name(path: ColumnElement[str]) -> ColumnElement[str]:
    """`runbooks/wrong-pin.md` becomes `wrong-pin`."""
    return func.replace(func.replace(path, "runbooks/", ""), ".md", "")


def _listed(shown: _Shown, sides_read: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The columns of a ListedNumber, in its order."""
    migration, number = MigrationTable, NumberTable
    elsewhere: Mapping[str, Any] = {
        "migration_id": migration.id,
        "number_id": number.id,
        "ref": number.ref,
        "e164": number.e164,
        "customer": CustomerTable.name,
        "profile_halted_at": CredentialProfileTable.halted_at,
        "wave": WaveTable.name,
        "wave_state": WaveTable.state,
        "wave_released": WaveTable.released,
        "window_start": WaveTable.window_start,
        "window_end": WaveTable.window_end,
        "sides_read": sides_read,
        "worker_gone": shown.worker_gone,
        "smoke": number.smoke,
        "wave_smoke": WaveTable.smoke,
        "wave_smoke_canary": WaveTable.smoke_canary,
        "smoke_hours": WaveTable.smoke_hours,
        "foreign_waba": foreign_waba(),
        "reported": number.reported,
        "waba_reported": WabaTable.reported,
        "held_for": outside_failures.held_for("ref"),
        "held_for_page": outside_failures.held_for("page"),
        "wave_canary_size": WaveTable.canary_size,
    }
    names = ListedNumber._fields
    columns = [elsewhere[name] if name in elsewhere else getattr(migration, name) for name in names]
    return _joined(select(*(column.label(name) for name, column in zip(names, columns, strict=True))))


def _joined(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The newest migration of every number, and what it belongs to."""
    migration, number, later = MigrationTable, NumberTable, aliased(MigrationTable, "later")
    another = select(later.id).where(later.number_pk == number.id, later.id > migration.id).correlate(number, migration)
    return (
        query.select_from(number)
        .join(migration, migration.number_pk == number.id)
        .join(WabaTable, WabaTable.id == number.waba_pk)
        .join(CustomerTable, CustomerTable.id == WabaTable.customer_id)
        .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
        .outerjoin(WaveTable, WaveTable.id == migration.wave_pk)
        .where(or_(migration.ended_at.is_(None), ~another.exists()))  # a live one is the newest
    )


def _filters(chosen: NumberFilter, shown: _Shown) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.wave == "":
        conditions.append(MigrationTable.wave_pk.is_(None))
    elif chosen.wave is not None:
        wave = select(WaveTable.id).where(WaveTable.name == chosen.wave).scalar_subquery()
        conditions.append(MigrationTable.wave_pk == wave)
    if chosen.customer is not None:
        conditions.append(CustomerTable.name == chosen.customer)
    if chosen.status is not None:
        conditions.append(shown.status == chosen.status.value)
    if chosen.waits_for is not None:
        conditions.append(shown.party == chosen.waits_for.value)
    if chosen.blocked_by is not None:
        conditions.append(shown.runbook == chosen.blocked_by)
    return conditions


_STATUS, _SIDE, _ON, _SERVED = (
    ListedNumber._fields.index(each) for each in ("status", "side", "waiting_on", "served_on")
)
_STATUSES: Mapping[str, Status] = {each.value: each for each in Status}
_SIDES: Mapping[str | None, Side | None] = {None: None} | {each.value: each for each in Side}
_PARTIES: Mapping[str | None, Party | None] = {None: None} | {each.value: each for each in Party}


def _number_of(columns: Sequence[Any]) -> ListedNumber:
    values = list(columns)
    values[_STATUS] = _STATUSES[values[_STATUS]]
    values[_SIDE] = _SIDES[values[_SIDE]]
    values[_ON] = _PARTIES.get(values[_ON])  # None for a word that we do not know, as in `position_rows`
    values[_SERVED] = _SIDES.get(values[_SERVED])
    return ListedNumber._make(values)


def _added_up(rows: Sequence[Mapping[str, Any]]) -> NumberCounts:
    # Names that no column has: PostgreSQL would group by the column.
    by: dict[str, dict[Any, int]] = {name: {} for name in ("wave", "status", "party", "runbook", "side")}
    types: Mapping[str, Any] = {"status": Status, "party": Party, "side": Side}
    dark = 0
    for row in rows:
        dark += row["numbers"] if row["dark"] else 0
        for name, counted in by.items():
            value = row[f"shown_{name}"]
            if name == "wave" or value:
                key = types[name](value) if name in types else value
                counted[key] = counted.get(key, 0) + row["numbers"]
    total = sum(row["numbers"] for row in rows)
    return NumberCounts(total, dark, by["wave"], by["status"], by["party"], by["runbook"], by["side"])
