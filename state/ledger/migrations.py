"""How the migration of a number begins, and how it ends where the number is not moved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Disposition, Side, Status
from state.errors import Conflict, NotFound
from state.ledger import events, findings, gates, recorded_rows
from state.ledger.guard import not_leased, refusal
from state.ledger.inserting import chunks
from state.ledger.senders import NOT_PAUSED
from state.ledger.shredding import number_owner, of_ended, shredded
from state.models import AttemptTable, MigrationTable, NumberTable, WaveTable
from state.service import Service
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class NewMigration:
    """As the arguments of `Migrations.start`, for a number that never had a migration."""

    number_id: int
    itinerary: str
    first: str
    because: str
    side: Side
    dark_since: datetime | None = None
    service: Service = field(default_factory=Service)
    signup_ends_at: datetime | None = None


# In the first event of a migration whose events say each change of its side, and how it ended: `cutover audit verify`
# compares its row with them. Those of older releases left some of it out.
SAYS_SIDE_AND_END = "says_side_and_end"
# Whose chain it is, so that `cutover audit verify` finds rows of `numbers` that were exchanged.
IDENTITY = (NumberTable.ref, NumberTable.e164, NumberTable.phone_number_id)


def _identity(row: Any) -> dict[str, str]:
    """For the first event of a migration; of all but the reference, the record keeps a keyed reference."""
    return {"ref": row.ref, "e164": row.e164, "phone_number_id": row.phone_number_id}


class Migrations:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def start(
        self,
        number_id: int,
        *,
        itinerary: str,
        first: str,
        because: str,
        side: Side,
        dark_since: datetime | None = None,
        service: Service | None = None,
        in_wave: bool = True,
        after: int | None = None,
        by: str | None = None,
        signup_ends_at: datetime | None = None,
    ) -> int:
        """Begin a migration at step `first`, in the wave that the number was imported for. Returns its id.

        `service`: what was read of whether it is served.
        `after`: the number's last migration, of which what still holds is copied. `by`: the person who began it.
        Raises NotFound; Conflict when one is live, or when the number has a disposition.
        """
        async with self._engine.begin() as tx:
            number = await self._change_number(tx, number_id, {"ref": NumberTable.ref})
            now = number.now
            if number.disposition is not None:
                raise Conflict(
                    f"{number.ref} has the disposition {number.disposition}; "
                    "`cutover import FILE --correct` takes its row in again"
                )
            if (await tx.execute(_live(number_id))).first() is not None:
                raise Conflict("the number has a live migration")
            wave = (
                select(WaveTable.id)
                .join(NumberTable, NumberTable.wave_name == WaveTable.name)
                .where(NumberTable.id == number_id)
            )
            new = insert(MigrationTable).values(
                number_pk=number_id,
                wave_pk=wave.scalar_subquery() if in_wave else None,
                itinerary=itinerary,
                because=because,
                next_step=first,
                status=Status.READY,
                side=side,
                side_read_at=now,
                read_epoch=gates.this_epoch(),
                dark_since=dark_since,
                signup_ends_at=signup_ends_at,
                created_at=now,
                **(service or Service()).columns(),
            )
            migration_id = int((await tx.execute(new.returning(MigrationTable.id))).scalar_one())
            await _take_over_pause(tx, number_id, migration_id)
            if after is not None:
                await findings.copy_what_holds(tx, self._clock, after, migration_id)
            facts = {"itinerary": itinerary, "because": because, "side": side, "by": by, SAYS_SIDE_AND_END: True}
            await events.append(tx, migration_id, now, "started", facts | _identity(number))
        return migration_id

    async def start_all(self, new: Sequence[NewMigration], by: str) -> dict[int, int]:
        """Begin many migrations with the few statements of one: the id of each by its number's.

        Left out are numbers that `start` would refuse, as one that was begun meanwhile; it says why.
        """
        begun: dict[int, int] = {}
        for part in chunks(sorted(new, key=lambda each: each.number_id)):
            async with self._engine.begin() as tx:
                begun |= await self._start_part(tx, part, by)
        return begun

    async def _start_part(self, tx: AsyncConnection, part: Sequence[NewMigration], by: str) -> dict[int, int]:
        ids = [each.number_id for each in part]
        # In one order for all writers; on SQLite the update takes the lock of the whole file.
        await tx.execute(
            select(NumberTable.id)
            .where(NumberTable.id.in_(ids))
            .order_by(NumberTable.id)
            .with_for_update(key_share=True)
        )
        kept_out = update(NumberTable).where(NumberTable.id.in_(ids), NumberTable.disposition.is_(None))
        returned = (NumberTable.id, NumberTable.wave_name, self._clock.now().label("now"), *IDENTITY)
        numbers = (await tx.execute(kept_out.values(ref=NumberTable.ref).returning(*returned))).all()
        live = set((await tx.execute(_live_of(ids, MigrationTable.number_pk))).scalars())
        waves = await _wave_ids(tx, {row.wave_name for row in numbers if row.wave_name is not None})
        rows = {row.id: (waves.get(row.wave_name), row.now) for row in numbers if row.id not in live}
        identities = {row.id: _identity(row) for row in numbers}
        taken = [each for each in part if each.number_id in rows]
        if not taken:
            return {}
        now = next(iter(rows.values()))[1]
        made = insert(MigrationTable).values(read_epoch=gates.this_epoch())
        await tx.execute(made, [_columns(each, rows[each.number_id][0], now) for each in taken])
        found = await tx.execute(_live_of(list(rows), MigrationTable.number_pk, MigrationTable.id))
        begun = {row.number_pk: int(row.id) for row in found}
        for number_id in await _with_paused_senders(tx, list(rows)):
            await _take_over_pause(tx, number_id, begun[number_id])
        facts = {
            begun[each.number_id]: {
                "itinerary": each.itinerary,
                "because": each.because,
                "side": each.side,
                "by": by,
                SAYS_SIDE_AND_END: True,
                **identities[each.number_id],
            }
            for each in taken
        }
        await events.begin_chains(tx, now, "started", facts)
        return begun

    async def dispose(
        self, number_id: int, disposition: Disposition, reason: str, evidence: Mapping[str, Any], by: str
    ) -> None:
        """End a number otherwise than by moving it, with reason, evidence and who decided.

        Raises NotFound, LeaseLost while a worker acts on it, Conflict past its point of no return.
        """
        async with self._engine.begin() as tx:
            disposed = {
                "disposition": disposition,
                "disposition_reason": reason,
                "disposition_evidence": dict(evidence),
                "disposition_by": by,
                "disposition_at": self._clock.now(),
            }
            now = (await self._change_number(tx, number_id, disposed)).now
            await self._skip(tx, number_id, now, reason, {"disposition": disposition, "reason": reason, "by": by})
            still_live = (await tx.execute(_live(number_id))).scalar_one_or_none()
            if still_live is not None:
                raise await refusal(tx, self._clock, still_live)  # no number has a disposition and a live migration
            await recorded_rows.note_dispositions(tx, self._clock, recorded_rows.DISPOSED, [number_id])

    async def _change_number(self, tx: AsyncConnection, number_id: int, values: Mapping[str, Any]) -> Any:
        """Change the number's row, which keeps every other writer of it out until the end of the transaction.

        Two that begin or end its migration at once come one after the other. Raises NotFound.
        """
        changed = update(NumberTable).where(NumberTable.id == number_id).values(**values)
        returned = (self._clock.now().label("now"), NumberTable.disposition, *IDENTITY)
        row = (await tx.execute(changed.returning(*returned))).one_or_none()
        if row is None:
            raise NotFound(f"there is no number {number_id}")
        return row

    async def _skip(
        self, tx: AsyncConnection, number_id: int, now: datetime, reason: str, facts: Mapping[str, Any]
    ) -> None:
        """End the live migration, unless it has crossed, a worker holds it or a call's outcome is not known."""
        ended = await tx.execute(
            update(MigrationTable)
            .where(
                MigrationTable.number_pk == number_id,
                MigrationTable.ended_at.is_(None),
                MigrationTable.crossed_at.is_(None),
                not_leased(self._clock),
                ~select(AttemptTable.id)
                .where(AttemptTable.migration_pk == MigrationTable.id, AttemptTable.ended.is_(None))
                .exists(),
            )
            .values(status=Status.SKIPPED, ended_at=now, next_step=None, reason=reason, waiting_until=None)
            .returning(MigrationTable.id)
        )
        for row in ended.all():
            await tx.execute(shredded(of_ended(number_owner(number_id)), at=now))
            await events.append(tx, row.id, now, "skipped", {**facts, "ended_as": Status.SKIPPED})


def _columns(new: NewMigration, wave_pk: int | None, now: datetime) -> dict[str, Any]:
    return {
        "number_pk": new.number_id,
        "wave_pk": wave_pk,
        "itinerary": new.itinerary,
        "because": new.because,
        "next_step": new.first,
        "status": Status.READY,
        "side": new.side,
        "side_read_at": now,
        "dark_since": new.dark_since,
        "signup_ends_at": new.signup_ends_at,
        "created_at": now,
        **new.service.columns(),
    }


async def _wave_ids(tx: AsyncConnection, names: Collection[str]) -> dict[str | None, int]:
    rows = await tx.execute(select(WaveTable.name, WaveTable.id).where(WaveTable.name.in_(names)))
    return {row.name: int(row.id) for row in rows}


def _live_of(number_ids: Sequence[int], *columns: Any) -> Any:
    return select(*columns).where(MigrationTable.number_pk.in_(number_ids), MigrationTable.ended_at.is_(None))


async def _with_paused_senders(tx: AsyncConnection, number_ids: Sequence[int]) -> list[int]:
    """Numbers of which an earlier migration has paused senders that have not gone on yet."""
    paused = select(MigrationTable.number_pk).where(
        MigrationTable.number_pk.in_(number_ids), MigrationTable.paused_at.is_not(None)
    )
    return list((await tx.execute(paused.distinct())).scalars())


def _live(number_id: int) -> Any:
    return select(MigrationTable.id).where(MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None))


async def _take_over_pause(tx: AsyncConnection, number_id: int, migration_id: int) -> None:
    """Senders that an earlier migration paused and that have not gone on yet are this one's from now on."""
    earlier = (MigrationTable.number_pk == number_id, MigrationTable.id != migration_id)
    query = select(MigrationTable.paused_at, MigrationTable.pause_until, MigrationTable.senders_error)
    row = (await tx.execute(query.where(*earlier, MigrationTable.paused_at.is_not(None)))).mappings().first()
    if row is not None:
        await tx.execute(update(MigrationTable).where(*earlier).values(**NOT_PAUSED))
        await tx.execute(update(MigrationTable).where(MigrationTable.id == migration_id).values(**row))
