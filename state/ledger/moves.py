"""Writes the outcome of a step: cursor, attempt, side, findings, secrets and event in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import ENDED, AttemptEnd, Party, Side, Status
from state.errors import LeaseLost, Outdated, StateError
from state.ledger import call_budgets, events, findings, gates, outside_failures, terms
from state.ledger.changed_rows import ChangeTarget, apply_to_migration, apply_to_number
from state.ledger.changes import (
    AttemptClosed,
    Change,
    Compared,
    EpochRaised,
    MessageSent,
    OutsideFailed,
    OutsideSettled,
    SendersPaused,
    SendersResumed,
    ServiceSeen,
    SideRead,
    SideRestored,
)
from state.ledger.concurrency_limit import BETWEEN_STEPS, SHORT_WAIT
from state.ledger.needless_secrets import OwnSecrets, shred_needless
from state.ledger.senders import NOT_PAUSED
from state.models import MigrationTable
from state.prepared import Prepared, parameters, settings, shape_of
from state.rows import Lease, Position
from state.types import SqlClock, UtcDateTime


@dataclass(frozen=True, slots=True)
class Move:
    """One guarded write: where the cursor must be, where it goes, and what changes with it."""

    step: str  # where the cursor must still be
    status: Status
    kind: str  # of the event; empty where it would only repeat the event before it
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the event
    to: str | None = None  # the new cursor; None: it stays, or the migration has ended
    itinerary: str | None = None  # the number takes this one from now on; earlier findings do not count on it
    until: datetime | None = None
    on: Party | None = None
    reason: str | None = None
    runbook: str | None = None
    tries: int = 0
    changes: tuple[Change, ...] = ()
    keep_lease: bool = False
    for_calls: bool = False  # waits for calls of its WABA that Graph takes
    before: tuple["Move", ...] = ()  # steps that only read and were done just before it; written with it


def as_one(done: Sequence[Move]) -> Move:
    """Steps that only read as one write."""
    return replace(done[-1], before=tuple(done[:-1]))


# What a Position has of the migration's own row.
POSITION_COLUMNS = tuple(column for column in MigrationTable.__table__.columns if column.name in Position.__slots__)
_READ_BACK = (
    MigrationTable.number_pk,
    MigrationTable.calls_kept_until,
    MigrationTable.moving_until,
    MigrationTable.crossed_at,
    MigrationTable.outside_failure,
)
_NAMES_READ_BACK = frozenset(column.key for column in _READ_BACK)
# Made once, as the statements are that contain them.
_FENCE_RAISED, _EPOCH_RAISED = MigrationTable.fence + 1, MigrationTable.epoch + 1


class Moves:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock
        self._prepared = Prepared()
        stays = clock.now(BETWEEN_STEPS)
        soon = bindparam("v_waiting_until", type_=UtcDateTime()) <= clock.now(SHORT_WAIT)
        self._stays, self._stays_if_soon = stays, case((soon, stays), else_=None)

    async def record(self, lease: Lease, move: Move) -> tuple[datetime, Mapping[str, Any]]:
        """Write it all, or write nothing and raise LeaseLost, or Outdated where something arrived for the number.

        Returns the database's time of the write, and the columns of the migration that a Position has, as they are now.
        """
        moved = await self._write(lease, move, self._columns(move), *POSITION_COLUMNS)
        return moved.now, _position_columns(moved)

    async def record_and_keep(self, lease: Lease, move: Move, duration: timedelta) -> tuple[Lease, Mapping[str, Any]]:
        """As `record`, and take the number for its next step in the same write. Raises as `record`.

        Returns the new lease, and the same columns.
        """
        until = self._clock.now(duration)
        kept = {
            "status": Status.RUNNING,
            "lease_holder": lease.holder,
            "lease_until": until,
            "moving_until": until,
            "failure_known": False,
            "fence": _FENCE_RAISED,
        }
        moved = await self._write(lease, move, self._columns(move) | kept, *POSITION_COLUMNS)
        new = Lease(lease.migration_id, lease.holder, moved.fence, moved.now, moved.lease_until, moved.version)
        return new, _position_columns(moved)

    async def _write(self, lease: Lease, move: Move, columns: Mapping[str, Any], *more: Any) -> Any:
        async with self._engine.begin() as tx:
            await self.pass_over(tx, lease, move.before)
            return await self._write_in(tx, lease, move, columns, *more)

    async def pass_over(self, tx: AsyncConnection, lease: Lease, done: Sequence[Move]) -> None:
        """Write steps that only read, in a transaction of the caller's; the lease stays. Raises as `record`."""
        for move in done:
            columns: dict[str, Any] = {"next_step": move.to}
            for change in move.changes:
                columns |= self._columns_of(change)
            await self._write_in(tx, lease, move, columns)

    async def _write_in(
        self, tx: AsyncConnection, lease: Lease, move: Move, columns: Mapping[str, Any], *more: Any
    ) -> Any:
        guarded = self._prepared.get((shape_of(columns), bool(more)), lambda: self._guarded(columns, more))
        held = {"w_id": lease.migration_id, "w_fence": lease.fence, "w_version": lease.version}
        moved = (await tx.execute(guarded, {**parameters(columns), **held, "w_step": move.step})).one_or_none()
        if moved is None:
            raise await _why_not(tx, lease, move.step)
        if move.itinerary is not None:
            await findings.forget_all_but_what_holds(tx, self._clock, lease.migration_id)
        target = ChangeTarget(lease.migration_id, move.step, moved.number_pk, moved.now)
        of = OwnSecrets(lease.migration_id, moved.number_pk, move.step)
        await shred_needless(tx, of, move.status, move.changes, moved.now)
        for change in move.changes:
            await apply_to_migration(tx, change, target)
            await apply_to_number(tx, self._clock, change, target)
            if isinstance(change, AttemptClosed) and (move.step, change.end) == ("register", AttemptEnd.DONE):
                await terms.shown_by_register(tx, target.number_id, moved.now)
            if isinstance(change, SideRead) and change.side is Side.CLOUD:
                await call_budgets.waba_has_number_on_cloud(tx, self._clock, target.number_id)
            elif isinstance(change, SideRead) and move.step == "deregister_cloud":
                await call_budgets.waba_lost_a_number_on_cloud(tx, target.number_id)
        await _let_others_cross(tx, self._clock, move, moved, target)
        if move.kind:
            head = events.Head(moved.events, moved.events_head)
            await events.append(tx, lease.migration_id, moved.now, move.kind, _event_facts(move), head)
        return moved

    # -- the row of the migration

    def _guarded(self, columns: Mapping[str, Any], more: Sequence[Any]) -> Any:
        return (
            update(MigrationTable)
            .where(
                MigrationTable.id == bindparam("w_id"),
                MigrationTable.fence == bindparam("w_fence"),
                MigrationTable.next_step == bindparam("w_step"),
                MigrationTable.version == bindparam("w_version"),
            )
            .values(**settings(columns))
            .returning(
                *_READ_BACK,
                self._clock.now().label("now"),
                *events.HEAD_COLUMNS,
                *(column for column in more if column.name not in _NAMES_READ_BACK),
            )
        )

    def _columns(self, move: Move) -> dict[str, Any]:
        ended = move.status in ENDED
        values: dict[str, Any] = {
            "next_step": None if ended else move.to or move.step,
            "status": move.status,
            "ended_at": self._clock.now() if ended else None,
            "waiting_until": move.until,
            "waiting_on": move.on,
            "reason": move.reason,
            "runbook": move.runbook,
            "tries": move.tries,
            "waits_for_calls": move.for_calls,
        }
        if not move.keep_lease:
            values |= {"lease_holder": None, "lease_until": None, "moving_until": self._keeps_slot_until(move)}
        if move.itinerary is not None:
            values |= {"itinerary": move.itinerary, "because": move.facts.get("because", "")}
        for change in move.changes:
            values |= self._columns_of(change)
        return values

    def _keeps_slot_until(self, move: Move) -> Any:
        """Until when the number keeps its place among those that its wave moves."""
        if move.status is Status.READY:
            return self._stays
        return self._stays_if_soon if move.status is Status.WAITING else None

    def _columns_of(self, change: Change) -> dict[str, Any]:
        """What a change sets in the row of the migration."""
        match change:
            case ServiceSeen(service):
                return service.columns()
            case SideRead(side, undone):
                read = {"side_read_at": self._clock.now(), "read_epoch": gates.this_epoch()}
                return _side_columns(side, undone=undone) | read
            case SideRestored(Side.ON_PREMISES | Side.CLOUD as side):
                return {"side": side, "dark_since": None, "dark_by_us": False, "crossed_at": None}
            case SideRestored(side):
                return {"side": side}
            case Compared() | MessageSent():
                return _proof_columns(change)
            case OutsideFailed() | OutsideSettled():
                failed = change.failure if isinstance(change, OutsideFailed) else outside_failures.settled()
                return {"outside_failure": failed}
            case SendersPaused(at):
                return {"paused_at": at}
            case SendersResumed(gap_seconds):
                return {"sender_gap_seconds": gap_seconds, **NOT_PAUSED}
            case EpochRaised():
                return {"epoch": _EPOCH_RAISED}
            case _:
                return {}


def _position_columns(moved: Any) -> Mapping[str, Any]:
    values = moved._mapping  # noqa: SLF001  public in SQLAlchemy, under a name that no column can have
    return {column.name: values[column.name] for column in POSITION_COLUMNS}


def _proof_columns(change: Compared | MessageSent) -> dict[str, Any]:
    """As `state/proof.py` reads them."""
    if isinstance(change, Compared):
        return dict(change.columns)
    return {"smoke_state": change.columns.get("state"), "smoke_error": change.columns.get("error")}


def _settles(move: Move, moved: Any) -> bool:
    """The failure that kept other numbers from crossing is over: the call went through, or the number has ended."""
    return moved.outside_failure == outside_failures.SETTLED or move.status in ENDED


def _crosses_no_more(move: Move, moved: Any) -> bool:
    """It stands before Cloud and keeps no other of its WABA from crossing: it waits, or a person has to act.

    Not where it waits for calls itself: two such numbers would wake each other for ever.
    """
    given_up = moved.crossed_at is None or moved.moving_until is None
    waits = move.status is Status.WAITING and given_up and not move.for_calls
    return moved.calls_kept_until > moved.now and (
        waits or move.status in (Status.BLOCKED, Status.HELD, Status.ABORTED)
    )


def _side_columns(side: Side, *, undone: bool) -> dict[str, Any]:
    values: dict[str, Any] = {"side": side}
    if side in (Side.ON_PREMISES, Side.CLOUD):
        values |= {"dark_since": None, "dark_by_us": False}
        values |= {"crossed_at": None} if undone else {}
    return values


async def _let_others_cross(tx: AsyncConnection, clock: SqlClock, move: Move, moved: Any, target: ChangeTarget) -> None:
    """Wake the numbers that this one has kept from crossing, and keeps no longer."""
    if moved.calls_kept_until is not None and _crosses_no_more(move, moved):
        await call_budgets.crosses_no_more(tx, clock, target.number_id)
    if moved.outside_failure is not None and _settles(move, moved):
        await outside_failures.release_others(tx, target.migration_id)


async def _why_not(tx: AsyncConnection, lease: Lease, step: str) -> StateError:
    held = select(MigrationTable.version).where(
        MigrationTable.id == lease.migration_id,
        MigrationTable.fence == lease.fence,
        MigrationTable.next_step == step,
    )
    if (await tx.execute(held)).one_or_none() is None:
        return LeaseLost(f"migration {lease.migration_id} is no longer at {step}")
    return Outdated(f"migration {lease.migration_id} was changed since {step} read it")


def _event_facts(move: Move) -> dict[str, Any]:
    facts: dict[str, Any] = {"step": move.step, **move.facts}
    for name in ("reason", "runbook", "on", "until", "to"):
        value = getattr(move, name)
        if value is not None:
            facts[name] = value
    if move.status in ENDED:
        facts["ended_as"] = move.status
    for change in move.changes:
        match change:
            case SideRead(side) | SideRestored(side):
                facts["side"] = side
            case ServiceSeen(_, ended):
                facts |= ended or {}
            case AttemptClosed(_, end, answer):
                facts |= {"attempt_end": end, "answer": dict(answer or {})}
    return facts
