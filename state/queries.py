"""Every read: positions for the engine, boards for people, due numbers for sweeps. Frozen rows only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from state.enums import Party, PinProvenance, Side, Status, WaveState
from state.errors import NotFound, NotMigrated
from state.ledger import events, gates
from state.ledger import halt_rule as halts
from state.ledger.attempts import BUDGET_WINDOW
from state.models import (
    Attempt,
    BudgetCall,
    Code,
    CredentialProfile,
    Customer,
    Event,
    FieldFact,
    Finding,
    Instance,
    Message,
    Number,
    NumberMigration,
    Outbox,
    Waba,
    Wave,
)
from state.naming import spellings
from state.rows import CodeRow, EventRow, FindingRow, InstanceRow, OpenAttempt, Position, UndecidedRow, UnplannedRow
from state.types import SqlClock, UtcDateTime


@dataclass(frozen=True, slots=True)
class WaveRow:
    id: int
    name: str
    state: WaveState
    released: str
    window_start: datetime | None
    window_end: datetime | None
    time_zone: str
    canary_size: int
    concurrency: int
    halt_count: int | None
    halt_share: float | None
    because: str | None
    numbers: int


@dataclass(frozen=True, slots=True)
class WavePart:
    """A wave's numbers, or every `of`-th of them from place `at` on: by place, so that parts are of one size."""

    wave: str
    at: int = 0
    of: int = 1


def _of(asked: Select[Any], part: WavePart) -> Select[Any]:
    """Only the numbers of this part."""
    m = NumberMigration
    place = func.row_number().over(order_by=m.id).label("place")
    ranked = select(m.id, place).join(Wave, Wave.id == m.wave_pk).where(Wave.name == part.wave).subquery()
    mine = select(ranked.c.id).where((ranked.c.place - 1) % part.of == part.at)
    return asked.where(m.id.in_(mine))


def _worked_at() -> ColumnElement[bool]:
    """A mover has been at the number: its first word about a step is one of these."""
    words = ("advanced", "already_in_place", "passed_over", "intent", "waiting", "held", "blocked", "reopened")
    at_it = select(Event.id).where(Event.migration_pk == NumberMigration.id, Event.kind.in_(words))
    return at_it.correlate(NumberMigration).exists()


def _is_named(meant: str) -> ColumnElement[bool]:
    return or_(Number.ref == meant, Number.e164 == meant, Number.phone_number_id == meant)


def _instance_columns() -> list[Any]:
    return [getattr(Instance, name).label(f"i_{name}") for name in InstanceRow.__slots__]


@cache
def _positions() -> Select[Any]:
    """Built once: it is asked for several times a step."""
    m, n, i = NumberMigration, Number, Instance
    return (
        select(
            m.id.label("migration_id"),
            n.id.label("number_id"),
            n.ref,
            n.e164,
            n.phone_number_id,
            Waba.waba_id,
            Customer.name.label("customer"),
            Customer.hook,
            Customer.traffic,
            CredentialProfile.id.label("profile_id"),
            CredentialProfile.name.label("profile"),
            CredentialProfile.halted_at.label("profile_halted_at"),
            CredentialProfile.app_id,
            *_instance_columns(),
            Wave.name.label("wave"),
            Wave.state.label("wave_state"),
            Wave.released.label("wave_released"),
            Wave.window_start,
            Wave.window_end,
            m.canary,
            m.itinerary,
            m.because,
            m.next_step,
            m.status,
            m.hold,
            m.side,
            m.side_read_at,
            m.dark_since,
            m.dark_by_us,
            m.outage_seconds,
            m.crossed_at,
            m.sender_gap_seconds,
            m.paused_at,
            m.waiting_until,
            m.waiting_on,
            m.reason,
            m.runbook,
            m.tries,
            m.spend_reserve,
            m.epoch,
            m.lease_holder,
            m.lease_until,
            m.fence,
            m.attempts,
            n.language,
            n.code_method,
            n.storage_region,
            n.smoke_to,
            n.pin_provenance,
            n.pin_since,
            n.onprem_off_stated_by,
            n.onprem_off_stated_at,
            n.disposition,
            n.route,
            m.created_at,
            m.ended_at,
        )
        .select_from(m)
        .join(n, n.id == m.number_pk)
        .join(Waba, Waba.id == n.waba_pk)
        .join(Customer, Customer.id == Waba.customer_id)
        .join(CredentialProfile, CredentialProfile.id == Waba.profile_id)
        .outerjoin(i, i.id == n.instance_pk)
        .outerjoin(Wave, Wave.id == m.wave_pk)
    )


def _position(row: Mapping[str, Any]) -> Position:
    own = {name: row[name] for name in Position.__slots__ if name in row and name not in ("instance", "hook_required")}
    own |= {
        "status": Status(row["status"]),
        "side": Side(row["side"]),
        "waiting_on": Party(row["waiting_on"]) if row["waiting_on"] else None,
        "pin_provenance": PinProvenance(row["pin_provenance"]) if row["pin_provenance"] else None,
        "hook_required": row["traffic"] == "required",
        "instance": _instance(row),
    }
    return Position(**own)


def _instance(row: Mapping[str, Any]) -> InstanceRow | None:
    if row["i_id"] is None:
        return None
    return InstanceRow(**{name: row[f"i_{name}"] for name in InstanceRow.__slots__})


class Queries:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def _rows(self, asked: Select[Any]) -> Sequence[Mapping[str, Any]]:
        async with self._engine.connect() as connection:
            found: Sequence[Any] = (await connection.execute(asked)).mappings().all()
        return found

    async def now(self) -> datetime:
        """The database's time."""
        async with self._engine.connect() as connection:
            return (await connection.execute(select(self._clock.now()))).scalar_one()

    # -- one number migration

    async def position(self, migration_id: int) -> Position:
        """Raises NotFound."""
        rows = await self._rows(_positions().where(NumberMigration.id == migration_id))
        if not rows:
            raise NotFound(f"there is no number migration {migration_id}")
        return _position(rows[0])

    async def find(self, named: str) -> Position:
        """The newest migration of a number named by reference, E.164 or phone number id. Raises NotFound."""
        for meant in spellings(named):
            newest = _positions().where(_is_named(meant)).order_by(NumberMigration.id.desc()).limit(1)
            rows = await self._rows(newest)
            if rows:
                return _position(rows[0])
        raise await self._why_not_found(named)

    async def _why_not_found(self, named: str) -> NotFound:
        """A number without a migration is known all the same: it ended otherwise, or nobody has looked at it yet."""
        asked = select(Number.ref, Number.disposition).where(or_(*(_is_named(meant) for meant in spellings(named))))
        rows = await self._rows(asked)
        if not rows:
            return NotFound("there is no such number; `cutover status` lists the references")
        ref, ended = rows[0]["ref"], rows[0]["disposition"]
        if ended is None:
            return NotMigrated(f"{ref} has no migration yet; `cutover preflight` chooses its way")
        return NotMigrated(f"{ref} was not moved by cutover: {ended.replace('_', ' ')}")

    async def history(self, number_id: int) -> tuple[Position, ...]:
        """All migrations of a number, oldest first."""
        rows = await self._rows(_positions().where(Number.id == number_id).order_by(NumberMigration.id))
        return tuple(_position(row) for row in rows)

    async def open_attempt(self, migration_id: int) -> OpenAttempt | None:
        asked = select(Attempt.__table__).where(Attempt.migration_pk == migration_id, Attempt.ended.is_(None))
        rows = await self._rows(asked)
        if not rows:
            return None
        row = rows[0]
        return OpenAttempt(
            row["id"],
            row["number"],
            row["step"],
            row["key"],
            row["intent"],
            Side(row["side_before"]),
            row["opened_at"],
            row["answer_due"],
            row["settle_by"],
        )

    async def findings(self, migration_id: int, kind: str = "result") -> dict[str, FindingRow]:
        asked = select(Finding.step, Finding.at, Finding.facts).where(
            Finding.migration_pk == migration_id, Finding.kind == kind
        )
        return {row["step"]: FindingRow(row["step"], row["at"], row["facts"]) for row in await self._rows(asked)}

    async def latest_code(self, migration_id: int) -> CodeRow | None:
        """The verification code that was typed in last, used or not."""
        query = (
            select(Code.id, Code.entered_at, Code.entered_by, Code.state)
            .where(Code.migration_pk == migration_id)
            .order_by(Code.id.desc())
            .limit(1)
        )
        rows = await self._rows(query)
        return CodeRow(**rows[0]) if rows else None

    async def events(self, migration_id: int) -> tuple[EventRow, ...]:
        asked = (
            select(Event.seq, Event.at, Event.kind, Event.facts)
            .where(Event.migration_pk == migration_id)
            .order_by(Event.seq)
        )
        return tuple(EventRow(**row) for row in await self._rows(asked))

    async def broken_link(self, migration_id: int) -> int | None:
        """Where the event chain of a migration was tampered with, if it was."""
        async with self._engine.connect() as connection:
            return await events.first_broken_link(connection, migration_id)

    async def attempts(self, migration_id: int) -> tuple[Mapping[str, Any], ...]:
        asked = select(Attempt.__table__).where(Attempt.migration_pk == migration_id).order_by(Attempt.number)
        return tuple(await self._rows(asked))

    async def budget_spent(self, phone_number_id: str, call: str) -> tuple[int, datetime | None]:
        """Calls of the moving 72 h as Meta counts them, and when the oldest of them falls out."""
        asked = select(func.count(), func.min(BudgetCall.at)).where(
            BudgetCall.phone_number_id == phone_number_id,
            BudgetCall.call == call,
            BudgetCall.at > self._clock.now(-BUDGET_WINDOW),
        )
        async with self._engine.connect() as connection:
            count, oldest = (await connection.execute(asked)).one()
        return count, None if count == 0 else oldest + BUDGET_WINDOW

    async def why_gate_closed(self, migration_id: int, fits_in: timedelta) -> str | None:
        """Which condition keeps the gate of this number shut now, or None."""
        async with self._engine.connect() as connection:
            return await gates.why_closed(connection, migration_id, self._clock, fits_in)

    async def messages(self, migration_id: int) -> tuple[Mapping[str, Any], ...]:
        asked = select(Message.__table__).where(Message.migration_pk == migration_id).order_by(Message.id)
        return tuple(await self._rows(asked))

    async def outbox(self, migration_id: int) -> tuple[Mapping[str, Any], ...]:
        asked = select(Outbox.__table__).where(Outbox.migration_pk == migration_id).order_by(Outbox.id)
        return tuple(await self._rows(asked))

    # -- fleets

    async def field_facts(self) -> dict[str, str]:
        return {row["name"]: row["value"] for row in await self._rows(select(FieldFact.name, FieldFact.value))}

    async def measured(self) -> tuple[Mapping[str, Any], ...]:
        """Field facts whole: name, value, measured_at, measured_by, evidence."""
        return tuple(await self._rows(select(FieldFact.__table__).order_by(FieldFact.name)))

    async def board(self, *, wave: str | None = None) -> tuple[Position, ...]:
        """The newest migration of every number (of a wave), by reference."""
        newest = select(func.max(NumberMigration.id)).group_by(NumberMigration.number_pk).scalar_subquery()
        asked = _positions().where(NumberMigration.id.in_(newest)).order_by(Number.id)
        if wave is not None:
            asked = asked.where(Wave.name == wave)
        return tuple(_position(row) for row in await self._rows(asked))

    async def without_migration(self) -> tuple[Mapping[str, Any], ...]:
        """Imported numbers that have no migration: those with a disposition from the start."""
        asked = (
            select(Number.id, Number.ref, Number.e164, Number.disposition, Number.disposition_reason)
            .where(~select(NumberMigration.id).where(NumberMigration.number_pk == Number.id).exists())
            .order_by(Number.id)
        )
        return tuple(await self._rows(asked))

    async def unplanned(self) -> tuple[UnplannedRow, ...]:
        """Live migrations that have not crossed and are in no wave."""
        asked = (
            select(
                NumberMigration.id.label("migration_id"),
                Number.ref,
                Customer.name.label("customer"),
                Number.tags,
                Number.daily_volume,
            )
            .join(Number, Number.id == NumberMigration.number_pk)
            .join(Waba, Waba.id == Number.waba_pk)
            .join(Customer, Customer.id == Waba.customer_id)
            .where(
                NumberMigration.ended_at.is_(None),
                NumberMigration.wave_pk.is_(None),
                NumberMigration.crossed_at.is_(None),
            )
            .order_by(NumberMigration.id)
        )
        return tuple(UnplannedRow(**row) for row in await self._rows(asked))

    async def without_way(self, again: Collection[int] = ()) -> tuple[UndecidedRow, ...]:
        """Imported numbers that have neither a migration nor a disposition: an import was cut off before them.

        `again`: ids of numbers whose migration has ended and that are to begin anew.
        """
        m = NumberMigration
        live = select(m.id).where(m.number_pk == Number.id, m.ended_at.is_(None)).exists()
        asked = (
            select(
                Number.id.label("number_id"),
                Number.ref,
                Number.phone_number_id,
                Number.forced_itinerary.label("forced"),
                CredentialProfile.id.label("profile_id"),
                CredentialProfile.name.label("profile"),
                *_instance_columns(),
            )
            .join(Waba, Waba.id == Number.waba_pk)
            .join(CredentialProfile, CredentialProfile.id == Waba.profile_id)
            .outerjoin(Instance, Instance.id == Number.instance_pk)
            .where(
                Number.disposition.is_(None),
                or_(~select(m.id).where(m.number_pk == Number.id).exists(), and_(Number.id.in_(again), ~live)),
            )
            .order_by(Number.id)
        )
        own = [name for name in UndecidedRow.__slots__ if name != "instance"]
        return tuple(
            UndecidedRow(**{name: row[name] for name in own}, instance=_instance(row))
            for row in await self._rows(asked)
        )

    async def due(
        self, part: WavePart | None = None, *, limit: int = 500, begun: Collection[str] = ()
    ) -> tuple[int, ...]:
        """Migrations that a mover may take now: ready, waits that are over, leases that ran out, gates to look at.

        `begun`: itineraries that an import chooses. Given, it leaves out what nobody has asked to move yet: waves that
        are planned, and numbers of these itineraries that are in no wave and at which no mover has been.
        """
        return await self._due(self._clock.now(), part, limit, begun=begun)

    async def due_by(self, when: datetime, part: WavePart | None = None, *, limit: int = 10_000) -> tuple[int, ...]:
        """Migrations that are due now or will be by `when` if nobody does anything; held ones are not among them."""
        return await self._due(literal(when, UtcDateTime()), part, limit, held=False)

    async def at_gate(self, part: WavePart) -> tuple[int, ...]:
        """Migrations of this part that a gate holds."""
        m = NumberMigration
        return tuple(row["id"] for row in await self._rows(_of(select(m.id).where(m.status == Status.HELD), part)))

    async def _due(
        self,
        by: ColumnElement[datetime],
        part: WavePart | None,
        limit: int,
        *,
        held: bool = True,
        begun: Collection[str] = (),
    ) -> tuple[int, ...]:
        m = NumberMigration
        free = or_(m.lease_until.is_(None), m.lease_until <= by)
        waits = [Status.WAITING, Status.HELD] if held else [Status.WAITING]
        over = and_(m.status.in_(waits), or_(m.waiting_until.is_(None), m.waiting_until <= by))
        asked = (
            select(m.id)
            .outerjoin(Wave, Wave.id == m.wave_pk)
            .where(m.ended_at.is_(None), free, or_(m.status.in_([Status.READY, Status.RUNNING]), over))
            .order_by(m.id)
            .limit(limit)
        )
        if part is not None:
            asked = _of(asked, part)
        if begun:
            alone = and_(m.wave_pk.is_(None), or_(m.status != Status.READY, m.itinerary.not_in(begun), _worked_at()))
            asked = asked.where(or_(alone, Wave.state != WaveState.PLANNED))
        return tuple(row["id"] for row in await self._rows(asked))

    async def holders(self) -> tuple[str, ...]:
        """Who holds a number now."""
        m = NumberMigration
        asked = select(m.lease_holder).where(m.lease_until > self._clock.now()).distinct()
        return tuple(row["lease_holder"] for row in await self._rows(asked))

    async def to_halt(self) -> tuple[tuple[str, str], ...]:
        """Running waves whose halt rule is broken: name, and why in words."""
        asked = select(
            Wave.name, Wave.halt_count, Wave.halt_share, halts.failures().label("failed"), halts.ends().label("ended")
        ).where(Wave.state == WaveState.RUNNING, ~halts.within_rule())
        return tuple(
            (row["name"], halts.why_halt(row["halt_count"], row["halt_share"], row["failed"], row["ended"]))
            for row in await self._rows(asked)
        )

    async def waves(self) -> tuple[WaveRow, ...]:
        numbers = (
            select(func.count())
            .where(NumberMigration.wave_pk == Wave.id)
            .correlate(Wave)
            .scalar_subquery()
            .label("numbers")
        )
        rows = await self._rows(select(Wave.__table__, numbers).order_by(Wave.id))
        return tuple(
            WaveRow(**{name: row[name] for name in WaveRow.__slots__} | {"state": WaveState(row["state"])})
            for row in rows
        )

    async def wave(self, name: str) -> WaveRow:
        """Raises NotFound."""
        for row in await self.waves():
            if row.name == name:
                return row
        raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")

    async def profiles(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(await self._rows(select(CredentialProfile.__table__).order_by(CredentialProfile.id)))

    async def wabas(self) -> tuple[Mapping[str, Any], ...]:
        asked = (
            select(
                Waba.waba_id,
                Customer.name.label("customer"),
                CredentialProfile.id.label("profile_id"),
                CredentialProfile.name.label("profile"),
                CredentialProfile.app_id,
            )
            .join(Customer, Customer.id == Waba.customer_id)
            .join(CredentialProfile, CredentialProfile.id == Waba.profile_id)
            .order_by(Waba.id)
        )
        return tuple(await self._rows(asked))

    async def dark(self, older_than: timedelta = timedelta()) -> tuple[Position, ...]:
        """Numbers on neither side or of unknown side since a call of ours, longest first."""
        asked = (
            _positions()
            .where(
                NumberMigration.ended_at.is_(None),
                NumberMigration.dark_since.is_not(None),
                NumberMigration.dark_since <= self._clock.now(-older_than),
            )
            .order_by(NumberMigration.dark_since)
        )
        return tuple(_position(row) for row in await self._rows(asked))
