"""Intents: committed before the call, with their sealed secret, their budget call and the gate as a condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Row, bindparam, case, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import AttemptEnd, Side, Status
from state.errors import BudgetSpent, GateClosed, LeaseLost, Outdated, PinBeingTried, TooManyCodes
from state.ledger import call_budgets, code_pacing, events, gates, readiness, untried_pins
from state.ledger.counted_calls import BUDGET_CALLS, BUDGET_RESERVE, BUDGET_WINDOW
from state.ledger.inserting import write_or_nothing
from state.ledger.moves import Move, Moves
from state.ledger.sealed import store_intent
from state.ledger.shredding import intent_owner, shred_intent
from state.models import AttemptTable, BudgetCallTable, MigrationTable, NumberTable, OutboxTable
from state.prepared import Prepared, parameters, settings
from state.rows import Lease, OpenAttempt, SealedSecret
from state.service import Service
from state.types import SqlClock

# Made once: every call has them.
_INSERT = insert(AttemptTable).returning(AttemptTable.id)
_SPEND = insert(BudgetCallTable).values(
    phone_number_id=select(NumberTable.phone_number_id)
    .where(NumberTable.id == bindparam("w_number"))
    .scalar_subquery(),
    call=bindparam("v_call"),
    at=bindparam("v_at"),
    attempt_pk=bindparam("v_attempt_pk"),
)


@dataclass(frozen=True, slots=True)
class NewIntent:
    """The call that is about to be made, with all that must be on record before it."""

    step: str
    facts: Mapping[str, Any]
    sealed: SealedSecret | None
    longest_call: timedelta
    settle_for: timedelta
    lease_margin: timedelta
    changes_side: bool = False
    gated: bool = False
    fits_in: timedelta = timedelta()  # how long the number's cutover may take from here
    budget: str | None = None
    announcement: Mapping[str, Any] | None = None
    closes: OpenAttempt | None = None  # an earlier attempt that `witnesses` prove to have had no effect
    witnesses: Mapping[str, Any] | None = None
    person_for: timedelta | None = None  # somebody has to be at the phone, and for so long from now
    code_limit: int | None = None  # fewer codes than so many have to be on their way
    tries_a_pin: bool = False  # no other number may send a PIN of this kind before its outcome is known
    service: Service | None = None  # what this pass has seen of the number's service so far
    before: tuple[Move, ...] = ()  # steps that only read and were done just before it; written with it


def _pauses(new: NewIntent) -> bool:
    return new.announcement is not None and new.announcement["event"] == "pause_sends"


class Attempts:
    def __init__(self, engine: AsyncEngine, clock: SqlClock, moves: Moves) -> None:
        self._engine = engine
        self._clock = clock
        self._moves = moves
        self._prepared = Prepared()

    async def open(self, lease: Lease, new: NewIntent) -> OpenAttempt:
        """Commit an intent. Raises LeaseLost, Outdated, GateClosed, TooManyCodes, PinBeingTried; then nothing was."""
        async with self._engine.begin() as tx:
            if new.code_limit is not None or new.tries_a_pin:
                await code_pacing.one_at_a_time(tx)
            await self._moves.pass_over(tx, lease, new.before)
            moved = (await tx.execute(*self._guarded(lease, new))).one_or_none()
            if moved is None:
                raise await self._refusal(tx, lease, new)
            head = events.Head(moved.events, moved.events_head)
            if new.closes is not None:
                head = await self._close_as_not_done(tx, lease, new, moved, head)
            return await self._insert(tx, lease, new, moved, head)

    def _guarded(self, lease: Lease, new: NewIntent) -> tuple[Any, Mapping[str, Any]]:
        """The update, made once for each kind of step, and its values."""
        service = new.service.columns() if new.service is not None else {}
        gate = (new.gated, new.fits_in, new.person_for, new.code_limit, new.tries_a_pin)
        kind = (new.longest_call, new.lease_margin, new.changes_side, *gate, new.budget, _pauses(new))
        statement = self._prepared.get((kind, tuple(service)), lambda: self._made(new, service))
        values = {"w_id": lease.migration_id, "w_fence": lease.fence, "w_version": lease.version, "w_step": new.step}
        if new.changes_side:
            values["w_served"] = new.facts.get("side_before") in (Side.ON_PREMISES, Side.CLOUD)
        if new.announcement is not None and _pauses(new):
            values["w_pause_until"] = datetime.fromisoformat(new.announcement["deadline"])
        return statement, values | parameters(service)

    def _made(self, new: NewIntent, service: Mapping[str, Any]) -> Any:
        now = self._clock.now()
        values: dict[str, Any] = {
            "attempts": MigrationTable.attempts + 1,
            "status": Status.RUNNING,
            "lease_until": self._clock.now(new.longest_call + new.lease_margin),
            "moving_until": self._clock.now(new.longest_call + new.lease_margin),
        }
        if _pauses(new):
            # Before the hook has answered: it may take the pause, and its answer may be lost.
            values["paused_at"] = func.coalesce(MigrationTable.paused_at, now)
            values["pause_until"] = bindparam("w_pause_until")
        values |= settings(service)
        if new.changes_side:
            serving = [Side.ON_PREMISES, Side.CLOUD]
            served = or_(MigrationTable.side.in_(serving), bindparam("w_served", type_=Boolean()))
            values |= {
                "side": Side.UNKNOWN,
                "side_read_at": None,
                "dark_since": func.coalesce(MigrationTable.dark_since, now),
                "dark_by_us": or_(MigrationTable.dark_by_us, served),
                "crossed_at": func.coalesce(MigrationTable.crossed_at, now),
            }
        conditions = [*self._lease_holds(), MigrationTable.version == bindparam("w_version")]
        if new.gated:
            conditions.append(gates.open_for(self._clock, new.fits_in))
            # Graph may have refused calls since the number was let in: none would be left to read where it is.
            conditions.append(or_(MigrationTable.crossed_at.is_not(None), call_budgets.not_closed(self._clock)))
        if new.changes_side:
            conditions.append(gates.sides_read())
        if new.person_for is not None:
            conditions.append(readiness.somebody_ready(self._clock, new.person_for))
        if new.code_limit is not None:
            conditions.append(code_pacing.awaited(self._clock) < new.code_limit)
        if new.tries_a_pin:
            conditions.append(~untried_pins.being_tried(self._clock))
        if new.budget is not None:
            conditions.append(self._budget_left(new.budget))
        return (
            update(MigrationTable)
            .where(*conditions)
            .values(**values)
            .returning(MigrationTable.attempts, MigrationTable.number_pk, now.label("now"), *events.HEAD_COLUMNS)
        )

    def _lease_holds(self) -> Sequence[ColumnElement[bool]]:
        return (
            MigrationTable.id == bindparam("w_id"),
            MigrationTable.fence == bindparam("w_fence"),
            MigrationTable.next_step == bindparam("w_step"),
            MigrationTable.ended_at.is_(None),
            MigrationTable.lease_until > self._clock.now(),
        )

    def _budget_left(self, call: str) -> ColumnElement[bool]:
        spent = (
            select(func.count())
            .select_from(BudgetCallTable)
            .join(NumberTable, NumberTable.phone_number_id == BudgetCallTable.phone_number_id)
            .where(
                NumberTable.id == MigrationTable.number_pk,
                BudgetCallTable.call == call,
                BudgetCallTable.at > self._clock.now(-BUDGET_WINDOW),
            )
            .correlate(MigrationTable)
            .scalar_subquery()
        )
        allowed = case(
            (MigrationTable.spend_reserve.is_(True), literal(BUDGET_CALLS)),
            else_=literal(BUDGET_CALLS - BUDGET_RESERVE),
        )
        return spent < allowed

    async def _refusal(self, tx: AsyncConnection, lease: Lease, new: NewIntent) -> Exception:
        held = {"w_id": lease.migration_id, "w_fence": lease.fence, "w_step": new.step}
        if (await tx.execute(select(MigrationTable.id).where(*self._lease_holds()), held)).first() is None:
            return LeaseLost(f"the lease on migration {lease.migration_id} was lost before {new.step}")
        read = select(MigrationTable.version).where(MigrationTable.id == lease.migration_id)
        if (await tx.execute(read)).scalar_one() != lease.version:
            return Outdated(f"migration {lease.migration_id} was changed since {new.step} read it")
        if new.changes_side:
            unread = select(MigrationTable.id).where(MigrationTable.id == lease.migration_id, ~gates.sides_read())
            if (await tx.execute(unread)).first() is not None:
                return GateClosed(gates.NOT_READ)
        closed = await gates.why_closed(tx, lease.migration_id, self._clock, new.fits_in) if new.gated else None
        if closed is not None:
            return GateClosed(closed)
        if new.gated and (throttled := await call_budgets.why_closed(tx, self._clock, lease.migration_id)) is not None:
            return GateClosed(throttled)
        if new.person_for is not None and not await readiness.is_attended(
            tx, self._clock, lease.migration_id, new.person_for
        ):
            return GateClosed(readiness.NOBODY)
        limit = new.code_limit
        if limit is not None and await code_pacing.is_full(tx, self._clock, lease.migration_id, limit):
            return TooManyCodes(f"{code_pacing.PACED}: {limit} at once")
        if new.tries_a_pin and await untried_pins.is_being_tried(tx, self._clock, lease.migration_id):
            return PinBeingTried(untried_pins.TRIED)
        return BudgetSpent(f"only the reserve of {BUDGET_RESERVE} {new.budget} calls is left in this moving 72 h")

    async def _close_as_not_done(
        self, tx: AsyncConnection, lease: Lease, new: NewIntent, moved: Row[Any], head: events.Head
    ) -> events.Head:
        assert new.closes is not None
        closed = await tx.execute(
            update(AttemptTable)
            .where(AttemptTable.id == new.closes.id, AttemptTable.ended.is_(None))
            .values(ended=AttemptEnd.NOT_DONE, ended_at=moved.now, answer=dict(new.witnesses or {}))
            .returning(AttemptTable.id)
        )
        if closed.one_or_none() is None:
            raise LeaseLost(f"attempt {new.closes.key} was closed by somebody else")
        if new.closes.has_secret:  # the new intent holds the same
            await shred_intent(tx, lease.migration_id, new.closes.number, moved.now)
        facts = {"attempt": new.closes.number, "step": new.step, "witnesses": dict(new.witnesses or {})}
        return await events.append(tx, lease.migration_id, moved.now, "not_done", facts, head)

    async def _insert(
        self, tx: AsyncConnection, lease: Lease, new: NewIntent, moved: Row[Any], head: events.Head
    ) -> OpenAttempt:
        key = f"{lease.migration_id}/{new.step}/{moved.attempts}"
        due = moved.now + new.longest_call
        side_before = new.facts.get("side_before", Side.UNKNOWN)
        values = {
            "migration_pk": lease.migration_id,
            "number": moved.attempts,
            "step": new.step,
            "key": key,
            "holder": lease.holder,
            "fence": lease.fence,
            "intent": dict(new.facts),
            "side_before": side_before,
            "opened_at": moved.now,
            "answer_due": due,
            "settle_by": due + new.settle_for,
        }
        attempt_id = (await tx.execute(_INSERT, values)).scalar_one()
        if new.sealed is not None:
            await store_intent(tx, intent_owner(lease.migration_id, moved.attempts), new.sealed, moved.now)
        if new.budget is not None:
            await self._spend(tx, moved, new.budget, attempt_id)
        if new.announcement is not None:
            await self._announce(tx, lease, new.announcement, moved)
        facts = {"attempt": moved.attempts, "step": new.step, "intent": dict(new.facts)}
        if new.changes_side:
            facts["side"] = Side.UNKNOWN
        times = {name: values[name] for name in ("answer_due", "settle_by")}
        await events.append(tx, lease.migration_id, moved.now, "intent", facts | times, head)
        return OpenAttempt(
            attempt_id,
            moved.attempts,
            new.step,
            key,
            new.facts,
            Side(side_before),
            moved.now,
            due,
            due + new.settle_for,
            has_secret=new.sealed is not None,
        )

    async def _spend(self, tx: AsyncConnection, moved: Row[Any], call: str, attempt_id: int) -> None:
        values = {"w_number": moved.number_pk, "v_call": call, "v_at": moved.now, "v_attempt_pk": attempt_id}
        await tx.execute(_SPEND, values)

    async def _announce(
        self, tx: AsyncConnection, lease: Lease, announcement: Mapping[str, Any], moved: Row[Any]
    ) -> None:
        named = [announcement[name] for name in ("event", "epoch", "home") if name in announcement]
        key = ":".join(map(str, [lease.migration_id, *named]))
        row = {
            "migration_pk": lease.migration_id,
            "key": key,
            "event": announcement["event"],
            "epoch": announcement["epoch"],
            "body": dict(announcement),
            "made_at": moved.now,
        }
        # Where it is there, the same announcement is repeated under the same idempotency key.
        await write_or_nothing(tx, OutboxTable, row)
