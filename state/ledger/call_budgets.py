"""Graph's limits on calls: one row per app and WABA, from which workers take calls in blocks.

The row is written once a block, once a throttled answer and once a number that crosses; never once a call.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.database import read
from state.declaring import aliased
from state.enums import Side, Status
from state.ledger.call_window import ACTIVE, CROSSES, RESERVE, CallWindow
from state.ledger.inserting import write_or_nothing
from state.ledger.versions import raise_versions
from state.models import CallBudgetTable, CredentialProfileTable, MigrationTable, NumberTable, WabaTable
from state.prepared import Prepared
from state.rows import Lease
from state.types import SqlClock

# Of the calls that one worker takes at once: how many are written for nothing where it is killed.
BLOCK = {True: 50, False: 5}  # by whether the WABA is active
# Of a row that is closed where Graph refuses the calls of an app on any WABA. The calls of the app itself, such as
# uploads, have a limit of their own: https://developers.facebook.com/docs/graph-api/overview/rate-limiting
EVERY_WABA = "*"
# How long a number that waits for another one of its WABA to cross is left alone, where nothing wakes it sooner. A
# worker stays with a number for waits of up to 30 s, and would move no other in its place.
LOOK_AGAIN = timedelta(seconds=40)
# The steps before which a number may wait for calls: those with a gate.
GATED = ("pause_sends", "deregister_onprem", "register", "deregister_cloud")
# How long the first number of a WABA is left alone after its crossing: it is read on Cloud within seconds, or not soon.
ALONE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class CallBlock:
    """Calls that one worker may make. `granted` 0: none before `free_at`; `closed`: because Graph said so.

    `app_closed_until`: Graph takes no calls of the app itself until then, such as uploads.
    """

    granted: int
    left: int  # of the hour, after this block
    ours: int  # what the workers of this home have taken in the hour, this block included
    limit: int
    now: datetime
    free_at: datetime
    closed: bool = False
    app_closed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CrossingRefused:
    """Why a number may not cross now, and when it is looked at again."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """`waba_id` is empty for the calls that count for the app itself, and EVERY_WABA for all others of it together."""

    app_id: str
    waba_id: str = ""

    @property
    def whose(self) -> str:
        return f"WABA {self.waba_id}" if self.waba_id not in ("", EVERY_WABA) else f"app {self.app_id}"


class CallBudgets:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock
        self._prepared = Prepared()

    async def take(
        self, key: BudgetKey, *, urgent: bool, unused: int = 0, used_by_others: int | None = None
    ) -> CallBlock:
        """Take a block of calls, and give back `unused` ones of the block before.

        `urgent`: for a number that crosses; it gets a call as long as Graph itself takes calls. `used_by_others`: as
        the headers of the last answer show.
        """
        async with self._engine.begin() as tx:
            row, window = await self._lock(tx, key, -unused, used_by_others)
            kept = RESERVE + await self._reserved(tx, key) if key.waba_id else 0
            refused = _closed(key, row)
            if refused is not None:
                granted, free_at, closed = 0, refused.until, True
            elif window.left > kept:
                granted, free_at, closed = min(BLOCK[window.active], window.left - kept), window.now, False
            else:
                granted, free_at, closed = int(urgent), window.free_at(kept + 1), False
            values: dict[str, Any] = {"minutes": window.after(granted)}
            if used_by_others is not None:
                values |= {"used_by_others": used_by_others, "seen_at": window.now}
            await tx.execute(update(CallBudgetTable).where(_is(key)).values(**values))
        ours = sum(window.recent.values()) + granted
        of_app = row.uploads_closed_until
        of_app = of_app if of_app is not None and of_app > row.now else None
        return CallBlock(
            granted, max(window.left - granted, 0), ours, window.limit, window.now, free_at, closed, of_app
        )

    async def give_back(self, key: BudgetKey, unused: int, used_by_others: int | None = None) -> None:
        """A worker makes fewer calls than it took, or saw that others use calls of the same budget."""
        async with self._engine.begin() as tx:
            _, window = await self._lock(tx, key, -unused, used_by_others)
            values: dict[str, Any] = {"minutes": window.recent}
            if used_by_others is not None:
                values |= {"used_by_others": used_by_others, "seen_at": window.now}
            await tx.execute(update(CallBudgetTable).where(_is(key)).values(**values))

    async def close(self, key: BudgetKey, duration: timedelta) -> datetime:
        """Graph takes no calls for `duration`; the longest of several answers counts. Returns until when."""
        async with self._engine.begin() as tx:
            row, window = await self._lock(tx, key)
            until = max(row.closed_until or window.now, window.now + duration)
            await tx.execute(update(CallBudgetTable).where(_is(key)).values(closed_until=until))
        return until

    async def closed_until(self, key: BudgetKey) -> tuple[datetime, timedelta] | None:
        """Until when Graph takes no calls of this budget, and how long that is from now; None where it takes them."""
        query = self._prepared.get("closed", self._select_closed)
        values = {"w_app_id": key.app_id, "w_waba_id": key.waba_id}
        row = await read(self._engine, query, values, lambda result: result.one_or_none())
        return (row.closed_until, row.closed_until - row.now) if row is not None else None

    def _select_closed(self) -> Select[*tuple[Any, ...]]:
        budget, now = CallBudgetTable, self._clock.now()
        named = and_(budget.app_id == bindparam("w_app_id"), budget.waba_id == bindparam("w_waba_id"))
        return select(budget.closed_until, now.label("now")).where(named, budget.closed_until > now)

    async def saw_numbers(self, key: BudgetKey, *, any_on_cloud: bool) -> bool:
        """Graph listed the WABA. Returns whether it is active; a list may lag behind what we moved ourselves."""
        async with self._engine.begin() as tx:
            await self._lock(tx, key)
            active = any_on_cloud or await _has_number_on_cloud(tx, key.waba_id)
            await tx.execute(update(CallBudgetTable).where(_is(key)).values(active=active))
            if active:
                await _wake(tx, self._clock, key.waba_id)
        return active

    async def admit(self, lease: Lease, key: BudgetKey, *, needs: int, lasts: timedelta) -> CrossingRefused | None:
        """Keep `needs` calls for a number that is about to cross, or say why it may not now.

        Where the WABA has no registered number, one crosses first: that lifts the limit for all the others.
        """
        async with self._engine.begin() as tx:
            row, window = await self._lock(tx, key)
            closed = _closed(key, row)
            if closed is not None:
                return closed
            reserved = await self._reserved(tx, key, but=lease.migration_id)
            first = None if window.active else await self._crossing(tx, key, lease.migration_id)
            if first is not None:
                until = min(first.calls_kept_until, window.now + LOOK_AGAIN)
                reason = f"WABA {key.waba_id} has no number on Cloud yet: {first.ref} crosses first"
                lifts = f"that lifts its limit of {window.limit} calls an hour to {ACTIVE:,}"
                return CrossingRefused(until, f"{reason}; {lifts}")
            wanted = needs + RESERVE + reserved
            if window.left < wanted:
                until = window.free_at(wanted)
                reason = f"WABA {key.waba_id} has {window.left} of {window.limit} calls left this hour"
                return CrossingRefused(until, f"{reason}; the next number may cross at {until:%H:%M} UTC")
            keep = self._prepared.get(("keep", lasts), lambda: self._keep(lasts))
            values = {"w_id": lease.migration_id, "w_fence": lease.fence, "v_needs": needs}
            await tx.execute(keep, values)
        return None

    def _keep(self, lasts: timedelta) -> Any:
        number = and_(MigrationTable.id == bindparam("w_id"), MigrationTable.fence == bindparam("w_fence"))
        values = {"calls_kept": bindparam("v_needs"), "calls_kept_until": self._clock.now(lasts)}
        return update(MigrationTable).where(number).values(**values)

    async def _lock(
        self, tx: AsyncConnection, key: BudgetKey, more: int = 0, used_by_others: int | None = None
    ) -> tuple[Any, CallWindow]:
        """The row, locked until the end of the transaction, and what is left by it."""
        lock, named = self._prepared.get("lock", self._lock_row), {"w_app_id": key.app_id, "w_waba_id": key.waba_id}
        row = (await tx.execute(lock, named)).one_or_none()
        if row is None:
            active = await _has_number_on_cloud(tx, key.waba_id)
            values = {
                "app_id": key.app_id,
                "waba_id": key.waba_id,
                "active": active,
                "minutes": {},
                "used_by_others": 0,
            }
            await write_or_nothing(tx, CallBudgetTable, values)
            row = (await tx.execute(lock, named)).one()
        others, seen_at = (row.used_by_others, row.seen_at) if used_by_others is None else (used_by_others, row.now)
        window = CallWindow(row.now, row.active, row.minutes, others, seen_at)
        if more:
            window = CallWindow(row.now, row.active, window.after(more), others, seen_at)
        return row, window

    def _lock_row(self) -> Any:
        app_id: Any = bindparam("w_app_id")
        waba_id: Any = bindparam("w_waba_id")
        app = aliased(CallBudgetTable, "budget_of_app")
        of_app = select(app.closed_until).where(app.app_id == app_id, app.waba_id == EVERY_WABA)
        app_closed = of_app.scalar_subquery().label("app_closed_until")
        itself = aliased(CallBudgetTable, "budget_of_app_itself")
        of_itself = select(itself.closed_until).where(itself.app_id == app_id, itself.waba_id == "")
        uploads_closed = of_itself.scalar_subquery().label("uploads_closed_until")
        return (
            update(CallBudgetTable)
            .where(CallBudgetTable.app_id == app_id, CallBudgetTable.waba_id == waba_id)
            .values(app_id=app_id)
            .returning(*CallBudgetTable.__table__.columns, self._clock.now().label("now"), app_closed, uploads_closed)
        )

    async def _reserved(self, tx: AsyncConnection, key: BudgetKey, but: int = 0) -> int:
        """The calls that are kept for numbers of the WABA that cross now."""
        query = self._prepared.get("reserved", self._select_reserved)
        return int((await tx.execute(query, {"w_waba_id": key.waba_id, "w_but": but})).scalar_one())

    def _select_reserved(self) -> Select[*tuple[Any, ...]]:
        kept = func.coalesce(func.sum(MigrationTable.calls_kept), 0)
        return select(kept).where(*self._crossing_now())

    async def _crossing(self, tx: AsyncConnection, key: BudgetKey, but: int) -> Any:
        """The first number of the WABA that crosses now, if there is one.

        One that waits before its crossing (for its callbacks to drain, say) keeps its calls and no other number: it may
        wait for ten minutes and then need a person. Nor does one that waits longer than its worker stays with it, or
        that Graph does not show on Cloud long after its crossing: healthy numbers would wait for what is odd at one.
        """
        query = self._prepared.get("crossing", self._select_crossing)
        return (await tx.execute(query, {"w_waba_id": key.waba_id, "w_but": but})).one_or_none()

    def _select_crossing(self) -> Select[*tuple[Any, ...]]:
        query = select(NumberTable.ref, MigrationTable.calls_kept_until).join(
            NumberTable, NumberTable.id == MigrationTable.number_pk
        )
        moves = or_(MigrationTable.lease_until > self._clock.now(), MigrationTable.moving_until > self._clock.now())
        not_crossed = and_(MigrationTable.crossed_at.is_(None), MigrationTable.status != Status.WAITING)
        goes_on = or_(MigrationTable.crossed_at > self._clock.now(-ALONE), not_crossed)
        return query.where(*self._crossing_now(), moves, goes_on).limit(1)

    def _crossing_now(self) -> tuple[ColumnElement[bool], ...]:
        return (
            MigrationTable.id != bindparam("w_but"),
            MigrationTable.calls_kept_until > self._clock.now(),
            MigrationTable.status.in_(CROSSES),
            # A number that has not crossed, and whose worker is gone, keeps no other from crossing.
            or_(
                MigrationTable.crossed_at.is_not(None),
                MigrationTable.lease_until > self._clock.now(),
                MigrationTable.moving_until > self._clock.now(),
            ),
            _in_waba(bindparam("w_waba_id")),
        )


def _closed(key: BudgetKey, row: Any) -> CrossingRefused | None:
    """Graph takes no calls of the WABA, or of the whole app, as any worker has met it; the longer time counts."""
    times = ((row.closed_until, key), (row.app_closed_until, BudgetKey(key.app_id, EVERY_WABA)))
    over = [(until, whose) for until, whose in times if until is not None and until > row.now]
    if not over:
        return None
    until, whose = max(over, key=lambda pair: pair[0])
    return CrossingRefused(until, closed_reason(whose, until))


def closed_reason(key: BudgetKey, until: datetime) -> str:
    """Why no call is made: for a person."""
    return f"Graph takes no calls for {key.whose} until {until:%H:%M} UTC; calls before that would lengthen the wait"


def not_closed(clock: SqlClock) -> ColumnElement[bool]:
    """Graph has not refused calls on the number's WABA for a time that is not over."""
    closed = (
        _budgets_of(MigrationTable.number_pk)
        .where(CallBudgetTable.closed_until > clock.now())
        .correlate(MigrationTable)
    )
    return ~closed.exists()


def _budgets_of(number_pk: Any) -> Select[*tuple[Any, ...]]:
    """Of the WABA and of the app of a number."""
    budget, profile = CallBudgetTable, CredentialProfileTable
    of_app = and_(budget.waba_id == EVERY_WABA, budget.app_id == profile.app_id)
    return (
        select(budget.app_id, budget.waba_id, budget.closed_until)
        .select_from(NumberTable)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .join(profile, profile.id == WabaTable.profile_id)
        .join(budget, or_(budget.waba_id == WabaTable.waba_id, of_app))
        .where(NumberTable.id == number_pk)
    )


async def why_closed(tx: AsyncConnection, clock: SqlClock, migration_id: int) -> str | None:
    """Why Graph takes no calls on this number's WABA now, or None."""
    number = select(MigrationTable.number_pk).where(MigrationTable.id == migration_id).scalar_subquery()
    query = _budgets_of(number).where(CallBudgetTable.closed_until > clock.now())
    query = query.order_by(CallBudgetTable.closed_until.desc()).limit(1)
    row = (await tx.execute(query)).first()
    return closed_reason(BudgetKey(row.app_id, row.waba_id), row.closed_until) if row is not None else None


async def waba_has_number_on_cloud(tx: AsyncConnection, clock: SqlClock, number_id: int) -> None:
    """A number was read on Cloud: its WABA has 5,000 calls an hour, and those that waited for calls go on."""
    for row in (await tx.execute(_becomes_active(), {"w_number": number_id})).all():
        await _wake(tx, clock, row.waba_id, but=number_id)


@cache  # made once, because every number is read on Cloud
def _becomes_active() -> Any:
    waba_id = _waba_of(bindparam("w_number")).scalar_subquery()
    return (
        update(CallBudgetTable)
        .where(CallBudgetTable.waba_id == waba_id, CallBudgetTable.active.is_(False))
        .values(active=True, closed_until=None)
        .returning(CallBudgetTable.waba_id)
    )


async def crosses_no_more(tx: AsyncConnection, clock: SqlClock, number_id: int) -> None:
    """A number that others of its WABA wait for has stopped before Cloud: one of them may cross instead, at once.

    Without that they would wait for LOOK_AGAIN, which is longer than a run has patience.
    """
    waba_id = (await tx.execute(_waba_of(number_id))).scalar_one()
    await _wake(tx, clock, waba_id, but=number_id)


async def waba_lost_a_number_on_cloud(tx: AsyncConnection, number_id: int) -> None:
    """A number was taken off Cloud. Without another one there, its WABA has 200 calls an hour again.

    The next list of the WABA says so too, and says otherwise where it has numbers that we do not know.
    """
    waba_id = (await tx.execute(_waba_of(number_id))).scalar_one()
    if not await _has_number_on_cloud(tx, waba_id):
        of_waba = CallBudgetTable.waba_id == waba_id
        await tx.execute(update(CallBudgetTable).where(of_waba).values(active=False))


def _waba_of(number_id: Any) -> Select[str]:
    """Meta's id of the number's WABA."""
    waba = select(WabaTable.waba_id).join(NumberTable, NumberTable.waba_pk == WabaTable.id)
    return waba.where(NumberTable.id == number_id)


async def _has_number_on_cloud(tx: AsyncConnection, waba_id: str) -> bool:
    """By the last migration of each number: an earlier one may have ended on Cloud."""
    later = aliased(MigrationTable, "later_of_waba")
    superseded = select(later.id).where(later.number_pk == MigrationTable.number_pk, later.id > MigrationTable.id)
    on_cloud = select(MigrationTable.id).where(
        MigrationTable.side == Side.CLOUD, _in_waba(waba_id), ~superseded.exists()
    )
    return (await tx.execute(on_cloud.limit(1))).first() is not None


async def _wake(tx: AsyncConnection, clock: SqlClock, waba_id: str, but: int | None = None) -> None:
    """`but`: the number whose worker writes this, and knows it."""
    # A worker that has just decided to let its number wait writes that later: it has to read and decide anew. Those
    # first: on PostgreSQL one that writes its wait between the two statements is found by the second.
    others = MigrationTable.number_pk != but if but is not None else true()
    leased = MigrationTable.lease_holder.is_not(None)
    await raise_versions(tx, leased, _may_wait_for_calls(clock), _in_waba(waba_id), others)
    waiting = and_(MigrationTable.status == Status.WAITING, MigrationTable.waits_for_calls.is_(True))
    await tx.execute(update(MigrationTable).where(waiting, _in_waba(waba_id)).values(waiting_until=clock.now()))


def _may_wait_for_calls(clock: SqlClock) -> ColumnElement[bool]:
    """Its worker may be deciding that it waits: it stands at a gate or is past it, and no calls are kept for it.

    All others of the WABA would read their numbers again for nothing, each time that one of them waits a moment.
    """
    has_none = or_(MigrationTable.calls_kept_until.is_(None), MigrationTable.calls_kept_until <= clock.now())
    # Past the gate, steps that only read may be done and not written: the row names the first of them.
    past = or_(MigrationTable.crossed_at.is_not(None), MigrationTable.paused_at.is_not(None))
    return and_(has_none, or_(MigrationTable.next_step.in_(GATED), past))


def _is(key: BudgetKey) -> ColumnElement[bool]:
    return and_(CallBudgetTable.app_id == key.app_id, CallBudgetTable.waba_id == key.waba_id)


def _in_waba(waba_id: Any) -> ColumnElement[bool]:
    numbers = select(NumberTable.id).join(WabaTable, WabaTable.id == NumberTable.waba_pk)
    return MigrationTable.number_pk.in_(numbers.where(WabaTable.waba_id == waba_id))
