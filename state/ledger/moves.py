"""What became of a step: cursor, attempt, side, findings, secrets and event move together or not at all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, insert, literal, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import ENDED, AttemptEnd, Party, PinProvenance, Side, Status
from state.errors import LeaseLost
from state.ledger import events
from state.ledger.concurrency_limit import BETWEEN_STEPS, SHORT_WAIT
from state.ledger.sealed import replace_secret
from state.models import (
    Attempt,
    BudgetCall,
    Code,
    CredentialProfile,
    Finding,
    Message,
    Number,
    NumberMigration,
    Outbox,
)
from state.rows import Lease, SealedSecret
from state.types import SqlClock, UtcDateTime


@dataclass(frozen=True, slots=True)
class SideRead:
    """A reading that resolved the side. `outage_seconds` only when it ended an outage of our making."""

    side: Side
    outage_seconds: float | None = None
    dark_since: datetime | None = None  # for a side of `neither`: since when, if the reading can say
    dark_by_us: bool = False
    undone: bool = False  # it serves where its itinerary set out: there is something to abort again


@dataclass(frozen=True, slots=True)
class Move:
    """Everything one guarded transaction writes."""

    step: str  # where the cursor must still be
    status: Status
    kind: str  # of the event
    facts: Mapping[str, Any] = field(default_factory=dict)
    to: str | None = None  # the new cursor; None only together with an ended status
    until: datetime | None = None
    on: Party | None = None
    reason: str | None = None
    runbook: str | None = None
    tries: int = 0
    side: SideRead | None = None
    attempt: int | None = None  # the open attempt that this closes
    attempt_end: AttemptEnd | None = None
    answer: Mapping[str, Any] | None = None
    side_back: Side | None = None  # nothing was sent: the side is what it was
    result: Mapping[str, Any] | None = None
    result_at: datetime | None = None  # where it holds from an earlier time on than that of the record
    note: Mapping[str, Any] | None = None
    forget: Sequence[str] = ()  # steps whose results no longer hold
    sealed: Sequence[tuple[str, SealedSecret]] = ()
    pin: PinProvenance | None = None
    forget_pin: bool = False  # the far side refused it: it is known no longer
    code: tuple[int, str] | None = None
    message: Mapping[str, Any] | None = None
    outbox: tuple[str, str, str | None] | None = None  # key, answer ("" while it drains), ask_url
    halts_profile: tuple[int, str] | None = None
    paused_at: datetime | None = None
    sender_gap_seconds: float | None = None
    new_epoch: bool = False
    keep_lease: bool = False
    itinerary: str | None = None  # the number takes this one from now on; nothing found before counts on it


class Moves:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(self, lease: Lease, move: Move) -> datetime:
        """Write it all, or raise LeaseLost and write nothing. Returns the database's time of the record."""
        async with self._engine.begin() as tx:
            now = self._clock.now()
            moved = (
                await tx.execute(
                    update(NumberMigration)
                    .where(
                        NumberMigration.id == lease.migration_id,
                        NumberMigration.fence == lease.fence,
                        NumberMigration.next_step == move.step,
                    )
                    .values(**self._columns(move))
                    .returning(NumberMigration.number_pk, now.label("now"))
                )
            ).one_or_none()
            if moved is None:
                raise LeaseLost(f"migration {lease.migration_id} is no longer at {move.step}")
            await self._close_attempt(tx, lease, move, moved.now)
            await self._findings(tx, lease, move, moved.now)
            await self._around(tx, lease, move, moved.number_pk, moved.now)
            if move.kind:  # none where it would only repeat the event before it
                await events.append(tx, lease.migration_id, moved.now, move.kind, _event_facts(move))
        return moved.now  # type: ignore[no-any-return]

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
        }
        if not move.keep_lease:
            values |= {"lease_holder": None, "lease_until": None, "moving_until": self._keeps_turn(move)}
        if move.side is not None:
            values |= self._side_columns(move.side)
        if move.side_back is not None:
            values |= {"side": move.side_back}
            if move.side_back in (Side.ON_PREMISES, Side.CLOUD):
                values |= {"dark_since": None, "dark_by_us": False, "crossed_at": None}
        if move.paused_at is not None:
            values |= {"paused_at": move.paused_at}
        if move.sender_gap_seconds is not None:
            values |= {"sender_gap_seconds": move.sender_gap_seconds, "paused_at": None}
        if move.itinerary is not None:
            values |= {"itinerary": move.itinerary, "because": move.facts.get("because", "")}
        if move.new_epoch:
            values |= {"epoch": NumberMigration.epoch + 1}
        return values

    def _keeps_turn(self, move: Move) -> Any:
        """Until when the number keeps its place among those that its wave moves."""
        stays = self._clock.now(BETWEEN_STEPS)
        if move.status is Status.READY:
            return stays
        if move.status is Status.WAITING:
            soon = literal(move.until, UtcDateTime()) <= self._clock.now(SHORT_WAIT)
            return case((soon, stays), else_=None)
        return None

    def _side_columns(self, read: SideRead) -> dict[str, Any]:
        values: dict[str, Any] = {"side": read.side, "side_read_at": self._clock.now()}
        if read.side in (Side.ON_PREMISES, Side.CLOUD):
            values |= {"dark_since": None, "dark_by_us": False}
            if read.undone:
                values |= {"crossed_at": None}
            if read.outage_seconds is not None:
                values |= {"outage_seconds": read.outage_seconds}
        elif read.side is Side.NEITHER and read.dark_since is not None:
            values |= {"dark_since": read.dark_since, "dark_by_us": read.dark_by_us}
        return values

    async def _close_attempt(self, tx: AsyncConnection, lease: Lease, move: Move, at: datetime) -> None:
        if move.attempt is None:
            return
        closed = await tx.execute(
            update(Attempt)
            .where(Attempt.id == move.attempt, Attempt.ended.is_(None))
            .values(ended=move.attempt_end, ended_at=at, answer=_plain(move.answer))
            .returning(Attempt.id)
        )
        if closed.one_or_none() is None:
            raise LeaseLost(f"the attempt at {move.step} of migration {lease.migration_id} was closed by another")
        if move.attempt_end is AttemptEnd.NEVER_LEFT:
            await tx.execute(delete(BudgetCall).where(BudgetCall.attempt_pk == move.attempt))

    async def _findings(self, tx: AsyncConnection, lease: Lease, move: Move, at: datetime) -> None:
        mine = Finding.migration_pk == lease.migration_id
        if move.itinerary is not None:
            await tx.execute(delete(Finding).where(mine, Finding.step != "snapshot"))  # as it was before all
        for step in move.forget:
            await tx.execute(delete(Finding).where(mine, Finding.step == step))
        for kind, facts, when in (("result", move.result, move.result_at or at), ("note", move.note, at)):
            if facts is None:
                continue
            await tx.execute(delete(Finding).where(mine, Finding.step == move.step, Finding.kind == kind))
            await tx.execute(
                insert(Finding).values(
                    migration_pk=lease.migration_id, step=move.step, kind=kind, at=when, facts=_plain(facts)
                )
            )
        if move.result is not None:
            await tx.execute(delete(Finding).where(mine, Finding.step == move.step, Finding.kind == "note"))

    async def _around(self, tx: AsyncConnection, lease: Lease, move: Move, number_pk: int, at: datetime) -> None:
        for owner, sealed in move.sealed:
            await replace_secret(tx, owner, sealed, at)
        if move.pin is not None:
            await tx.execute(update(Number).where(Number.id == number_pk).values(pin_provenance=move.pin, pin_since=at))
        if move.forget_pin:
            await tx.execute(update(Number).where(Number.id == number_pk).values(pin_provenance=None, pin_since=at))
        if move.side is not None and move.side.side is Side.ON_PREMISES:
            # Whoever said that the client is off for good: it serves. Left standing, the word would prove a later stop.
            await tx.execute(
                update(Number)
                .where(Number.id == number_pk, Number.onprem_off_stated_by.is_not(None))
                .values(onprem_off_stated_by=None, onprem_off_stated_at=None)
            )
        if move.code is not None:
            await tx.execute(update(Code).where(Code.id == move.code[0]).values(state=move.code[1]))
        if move.message is not None:
            await tx.execute(insert(Message).values(migration_pk=lease.migration_id, at=at, **move.message))
        if move.outbox is not None:
            await self._answer_outbox(tx, move.outbox, number_pk, at)
        if move.halts_profile is not None:
            profile, because = move.halts_profile
            await tx.execute(
                update(CredentialProfile)
                .where(CredentialProfile.id == profile, CredentialProfile.halted_at.is_(None))
                .values(halted_at=at, halted_because=because)
            )

    async def _answer_outbox(
        self, tx: AsyncConnection, outbox: tuple[str, str, str | None], number_pk: int, at: datetime
    ) -> None:
        key, answer, ask_url = outbox
        values: dict[str, Any] = {"ask_url": ask_url}
        if answer:
            values |= {"answer": answer, "answered_at": at}
        answered = update(Outbox).where(Outbox.key == key).values(**values).returning(Outbox.event, Outbox.body)
        row = (await tx.execute(answered)).one_or_none()
        if row is not None and answer == "done" and row.event == "switch_route":
            await tx.execute(update(Number).where(Number.id == number_pk).values(route=row.body["to"]))


def _plain(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if facts is None else json.loads(json.dumps(dict(facts), default=str))


def _event_facts(move: Move) -> dict[str, Any]:
    facts: dict[str, Any] = {"step": move.step, **move.facts}
    for name in ("reason", "runbook", "on", "until", "to"):
        value = getattr(move, name)
        if value is not None:
            facts[name] = value
    if move.side is not None:
        facts["side"] = move.side.side
        if move.side.outage_seconds is not None:
            facts["outage_seconds"] = move.side.outage_seconds
    if move.attempt_end is not None:
        facts |= {"attempt_end": move.attempt_end, "answer": dict(move.answer or {})}
    return facts
