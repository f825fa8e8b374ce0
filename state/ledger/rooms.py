"""The customers' rooms: one page a number, opened by a signed link that ends, and that a person can end before."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.errors import NotFound
from state.ledger import events
from state.ledger.inserting import chunks, insert_or_nothing
from state.models import MigrationTable, RoomTable
from state.types import SqlClock

# After so many codes in a row that were not verified, a room takes no other for so many seconds.
PAUSES_S = (0, 10, 30, 120, 600)


class Rooms:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def open(self, numbers: Sequence[int], expires_at: datetime, by: str) -> Mapping[int, int]:
        """Make the rooms of these numbers, or let them be entered until then. Returns the versions of their links.

        Links that were given before stay good until their own end, but for those of a room that was revoked.
        """
        versions: dict[int, int] = {}
        async with self._engine.begin() as tx:
            for part in chunks(numbers):
                for number_id in part:
                    new = {
                        "number_pk": number_id,
                        "version": 1,
                        "made_at": self._clock.now(),
                        "made_by": by,
                        "expires_at": expires_at,
                        "wrong_codes": 0,
                    }
                    await tx.execute(insert_or_nothing(tx, RoomTable, new))
                later = case((RoomTable.expires_at > expires_at, RoomTable.expires_at), else_=expires_at)
                again = update(RoomTable).where(RoomTable.number_pk.in_(part)).values(revoked_at=None, expires_at=later)
                rows = await tx.execute(again.returning(RoomTable.number_pk, RoomTable.version))
                versions |= {int(row.number_pk): int(row.version) for row in rows}
        return versions

    async def revoke(self, number_id: int, because: str, by: str) -> None:
        """End every link to the room of this number. Raises NotFound where it has none."""
        async with self._engine.begin() as tx:
            values = {"version": RoomTable.version + 1, "revoked_at": self._clock.now()}
            ended = update(RoomTable).where(RoomTable.number_pk == number_id).values(**values)
            if (await tx.execute(ended.returning(RoomTable.number_pk))).one_or_none() is None:
                raise NotFound("the number has no room; `cutover rooms WAVE --out FILE` makes them")
            await _note(tx, self._clock, number_id, "room_revoked", {"by": by, "reason": because})

    async def entered(self, number_id: int) -> None:
        """Somebody opened it just now."""
        async with self._engine.begin() as tx:
            seen = update(RoomTable).where(RoomTable.number_pk == number_id)
            await tx.execute(seen.values(seen_at=self._clock.now()))

    async def consent(self, number_id: int) -> bool:
        """The customer agrees to the move. False where it had done so before."""
        async with self._engine.begin() as tx:
            new = update(RoomTable).where(RoomTable.number_pk == number_id, RoomTable.consented_at.is_(None))
            given = (await tx.execute(new.values(consented_at=self._clock.now()))).rowcount > 0
            if given:
                await _note(tx, self._clock, number_id, "customer_consented", {"by": "the customer, in its room"})
        return given

    async def try_code(self, number_id: int) -> datetime | None:
        """Count a code that is typed in the room. A time: none is taken before it, and this one was not counted."""
        async with self._engine.begin() as tx:
            pauses = {count: self._clock.now(timedelta(seconds=pause)) for count, pause in enumerate(PAUSES_S)}
            longest = self._clock.now(timedelta(seconds=PAUSES_S[-1]))
            taken = (
                update(RoomTable)
                .where(
                    RoomTable.number_pk == number_id,
                    or_(RoomTable.codes_from.is_(None), RoomTable.codes_from <= self._clock.now()),
                )
                .values(
                    wrong_codes=RoomTable.wrong_codes + 1,
                    codes_from=case(pauses, value=RoomTable.wrong_codes, else_=longest),
                )
            )
            if (await tx.execute(taken)).rowcount:
                return None
            query = select(RoomTable.codes_from).where(RoomTable.number_pk == number_id)
            until: datetime | None = (await tx.execute(query)).scalar_one_or_none()
            return until

    async def forget_tries(self, number_id: int) -> None:
        """A code of it was verified: whoever is in the room is its customer."""
        async with self._engine.begin() as tx:
            room = update(RoomTable).where(RoomTable.number_pk == number_id)
            await tx.execute(room.values(wrong_codes=0, codes_from=None))


async def _note(tx: AsyncConnection, clock: SqlClock, number_id: int, kind: str, facts: Mapping[str, str]) -> None:
    """In the history of the number's newest migration."""
    newest = select(func.max(MigrationTable.id)).where(MigrationTable.number_pk == number_id).scalar_subquery()
    locked = (
        update(MigrationTable)  # locks the row, which keeps the events in one chain
        .where(MigrationTable.id == newest)
        .values(version=MigrationTable.version + 1)
        .returning(MigrationTable.id, clock.now().label("now"))
    )
    row = (await tx.execute(locked)).one_or_none()
    if row is not None:
        await events.append(tx, row.id, row.now, kind, facts)
