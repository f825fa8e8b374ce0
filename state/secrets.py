"""Rows of sealed secrets: written, read, re-wrapped under a new master key, shredded. Holds no key itself."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import for_reading, read
from state.declaring import aliased
from state.ledger.inserting import insert_or_nothing
from state.ledger.sealed import replace_secret, secret_columns_of
from state.models import SecretTable
from state.rows import SealedSecret
from state.types import SqlClock

# A transaction of so many rows takes some ten milliseconds.
REWRAPPED_AT_ONCE = 200

_Change = tuple[dict[str, Any], tuple[ColumnElement[bool], ...]]


@cache
def _current(count: int = 1) -> Any:
    """The current ones of so many owners and names. Made once, because every number opens some."""
    columns = (SecretTable.owner, SecretTable.name, SecretTable.ciphertext, SecretTable.wrapped_key, SecretTable.key_id)
    later = aliased(SecretTable, "later_secret")
    same = (later.owner == SecretTable.owner, later.name == SecretTable.name)
    newest = select(func.max(later.id)).where(*same).scalar_subquery()
    more = (SecretTable.shelf_file, SecretTable.version, (SecretTable.id == newest).label("newest"))
    return select(*columns, *more).where(
        or_(*[_is(bindparam(f"owner_{at}"), bindparam(f"name_{at}")) for at in range(count)]),
        SecretTable.superseded_at.is_(None),
        SecretTable.shredded_at.is_(None),
    )


def _is(owner: Any, name: Any) -> ColumnElement[bool]:
    return and_(SecretTable.owner == owner, SecretTable.name == name)


class Secrets:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def put(self, owner: str, sealed: SealedSecret) -> None:
        """Make it the current secret of that owner and name."""
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await replace_secret(tx, owner, sealed, now)

    async def put_once(self, owner: str, sealed: SealedSecret) -> None:
        """Store a secret that its owner has only one of, unless somebody else has meanwhile."""
        async with self._engine.begin() as tx:
            row = secret_columns_of(owner, sealed) | {"made_at": self._clock.now()}
            await tx.execute(insert_or_nothing(tx, SecretTable, row))

    async def get(self, owner: str, name: str) -> SealedSecret | None:
        """The current secret. `newest` is False where an earlier value was put back in its place."""
        return (await self.get_all([(owner, name)])).get((owner, name))

    async def get_all(self, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], SealedSecret]:
        """The current secrets of these owners and names, as far as there are any, with one statement."""
        values = {f"owner_{at}": owner for at, (owner, _) in enumerate(named)}
        values |= {f"name_{at}": name for at, (_, name) in enumerate(named)}
        rows = await read(self._engine, _current(len(named)), values, lambda result: result.mappings().all())
        found = {}
        for row in rows:
            columns = dict(row)
            of = columns.pop("owner")
            if columns["wrapped_key"] is not None:
                found[of, columns["name"]] = SealedSecret(**columns)
        return found

    async def shred(self, owner: str, name: str | None = None) -> int:
        """Delete the data keys of an owner's secrets: of one name, or of all; superseded ones too. Returns how many."""
        shredded = update(SecretTable).where(SecretTable.owner == owner, SecretTable.shredded_at.is_(None))
        if name is not None:
            shredded = shredded.where(SecretTable.name == name)
        async with self._engine.begin() as tx:
            rows = await tx.execute(
                shredded.values(wrapped_key=None, shredded_at=self._clock.now()).returning(SecretTable.id)
            )
            return len(rows.all())

    async def not_under(self, key_id: str) -> int:
        """How many data keys are wrapped by another master key than this one."""
        query = select(func.count()).where(SecretTable.shredded_at.is_(None), SecretTable.key_id != key_id)
        async with for_reading(self._engine).connect() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def rewrap(self, wrap: Callable[[str, SealedSecret], SealedSecret], *, not_under: str) -> int:
        """Wrap anew every data key that is not under the master key `not_under`. Ciphertexts stay as they are.

        `wrap` gets the owner and the row, because a data key is bound to owner and name. Written in short
        transactions; after a kill the rest is under the older key, and another call completes it. Returns how many.
        """
        done, last = 0, 0
        while rows := await self._next_not_under(not_under, last):
            changes = await asyncio.to_thread(_wrapped, rows, wrap)
            async with self._engine.begin() as tx:
                for change, condition in changes:
                    await tx.execute(update(SecretTable).where(*condition).values(**change))
            done, last = done + len(rows), rows[-1]["id"]
        return done

    async def _next_not_under(self, key_id: str, last: int) -> Sequence[RowMapping]:
        query = (
            select(SecretTable.__table__)
            .where(SecretTable.shredded_at.is_(None), SecretTable.key_id != key_id, SecretTable.id > last)
            .order_by(SecretTable.id)
            .limit(REWRAPPED_AT_ONCE)
        )
        async with for_reading(self._engine).connect() as connection:
            return (await connection.execute(query)).mappings().all()


def _wrapped(rows: Sequence[RowMapping], wrap: Callable[[str, SealedSecret], SealedSecret]) -> list[_Change]:
    """What each row becomes, where it still is as it was read: it may have been shredded meanwhile."""
    changes: list[_Change] = []
    for row in rows:
        sealed = (row[name] for name in ("name", "ciphertext", "wrapped_key", "key_id", "shelf_file", "version"))
        new = wrap(row["owner"], SealedSecret(*sealed))
        as_read = (SecretTable.id == row["id"], SecretTable.key_id == row["key_id"], SecretTable.shredded_at.is_(None))
        changes.append(({"wrapped_key": new.wrapped_key, "key_id": new.key_id}, as_read))
    return changes
