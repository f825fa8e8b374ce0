"""The row that says which home a database belongs to, and under which master key its secrets are sealed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, inspect, null, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import for_reading
from state.errors import NotFound
from state.models import HomeTable, SecretTable
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class HomeRow:
    """`openings` counts how often a process opened or closed the database; `epoch` counts restores."""

    home_id: str
    key_id: str | None
    openings: int
    epoch: int
    epoch_mark: str | None
    restored_at: datetime | None
    record_from: datetime | None
    place: str | None


COLUMNS = (
    HomeTable.home_id,
    HomeTable.key_id,
    HomeTable.openings,
    HomeTable.epoch,
    HomeTable.epoch_mark,
    HomeTable.restored_at,
    HomeTable.record_from,
    HomeTable.place,
)


class HomeRecord:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def read(self) -> HomeRow:
        """Raises NotFound where somebody emptied the table."""
        return await self._read(COLUMNS)

    async def read_any_schema(self) -> HomeRow:
        """As `read`, before an upgrade: a column that the database does not have yet is None."""
        async with for_reading(self._engine).connect() as connection:
            there = await connection.run_sync(
                lambda sync: {column["name"] for column in inspect(sync).get_columns("home")}
            )
        return await self._read([column if column.key in there else null().label(column.key) for column in COLUMNS])

    async def _read(self, columns: Sequence[Any]) -> HomeRow:
        async with for_reading(self._engine).connect() as connection:
            row = (await connection.execute(select(*columns).select_from(HomeTable))).one_or_none()
        if row is None:
            raise NotFound("the database says no longer which home it belongs to; `cutover restore FILE` puts one back")
        return HomeRow(*row)

    async def object_ids(self) -> str:
        """PostgreSQL: ids that a replica and an upgraded server keep, and that a restored dump has otherwise."""
        query = text("SELECT oid, 'home'::regclass::oid FROM pg_database WHERE datname = current_database()")
        async with for_reading(self._engine).connect() as connection:
            database, table = (await connection.execute(query)).one()
        return f"oid:{database}.{table}"

    async def count_opening(self, key_id: str | None, place: str) -> HomeRow:
        """Raise the count of openings; where the home has no master key on record yet, `key_id` becomes it."""
        values = {
            "openings": HomeTable.openings + 1,
            "key_id": func.coalesce(HomeTable.key_id, key_id),
            "place": place,
        }
        async with self._engine.begin() as tx:
            await tx.execute(update(HomeTable).values(values))
        return await self.read()

    async def take_identity(self, home_id: str) -> None:
        """The home had an identity before this database's schema had a place for it."""
        async with self._engine.begin() as tx:
            await tx.execute(update(HomeTable).values(home_id=home_id))

    async def set_key(self, key_id: str) -> None:
        """From now on the home's secrets are sealed under this master key."""
        async with self._engine.begin() as tx:
            await tx.execute(update(HomeTable).values(key_id=key_id))

    async def forget_record_key(self) -> None:
        """The master key is lost, and the record's key with it: the next opening makes one, and takes chains over."""
        async with self._engine.begin() as tx:
            lost = update(SecretTable).where(SecretTable.owner == "home", SecretTable.shredded_at.is_(None))
            await tx.execute(lost.values(wrapped_key=None, shredded_at=self._clock.now()))
            await tx.execute(update(HomeTable).values(record_epoch=None))

    async def sealed_under(self, key_ids: Collection[str]) -> tuple[int, int]:
        """How many secrets that are not destroyed are sealed under one of these master keys, and under others."""
        among = SecretTable.key_id.in_(key_ids)
        query = select(among, func.count()).where(SecretTable.shredded_at.is_(None)).group_by(among)
        async with for_reading(self._engine).connect() as connection:
            counts = {bool(known): int(count) for known, count in (await connection.execute(query)).all()}
        return counts.get(True, 0), counts.get(False, 0)


async def sealed_keys(engine: AsyncEngine) -> frozenset[str]:
    """The master keys under which secrets that are not destroyed are sealed; also in an older schema."""
    query = select(SecretTable.key_id).where(SecretTable.shredded_at.is_(None)).distinct()
    async with engine.connect() as connection:
        return frozenset((await connection.execute(query)).scalars())
