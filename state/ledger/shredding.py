"""Destroys sealed secrets that nobody needs any more: the wrapped data key is deleted, and the ciphertext stays closed.

What a step no longer needs is destroyed in the transaction that says so. `Shredding` finds the rest: what time has
made superfluous, and what an earlier release left.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.models import AttemptTable, CodeTable, MigrationTable, NumberTable, SecretTable
from state.types import SqlClock

INTENT, CODE, BACKUP = "intent", "code", "backup"
PICTURE = "picture"  # of the business profile: kept as long as a backup, because its way back is the same


@dataclass(frozen=True, slots=True)
class KeepFor:
    """How long is kept what a later need is possible for."""

    backups: timedelta  # after the number's last migration has ended
    superseded: timedelta  # where nothing has proved that the value in its place works
    codes: timedelta = timedelta(hours=1)  # one that was typed in and never sent; long since no good


def shredded(*conditions: ColumnElement[bool], at: Any) -> Any:
    """The statement that destroys the secrets for which these conditions hold."""
    alive = SecretTable.shredded_at.is_(None)
    return update(SecretTable).where(alive, *conditions).values(wrapped_key=None, shredded_at=at)


async def shred_intent(tx: AsyncConnection, migration_id: int, attempt: int, at: Any) -> None:
    """What a closed attempt had sealed: its call has succeeded, was refused, or a repeat holds the same."""
    await tx.execute(shredded(SecretTable.owner == intent_owner(migration_id, attempt), at=at))


def superseded_pins(owner: Any) -> ColumnElement[bool]:
    """Earlier PINs of a number, once the one in their place has been proved."""
    is_pin = (SecretTable.owner == owner, SecretTable.name == "pin")
    return and_(*is_pin, SecretTable.superseded_at.is_not(None))


def used_code(code_id: Any, migration_id: Any, owner: Any) -> ColumnElement[bool]:
    """The code that was sent, unless another one was typed in since."""
    another = select(CodeTable.id).where(
        CodeTable.migration_pk == migration_id, CodeTable.state == "entered", CodeTable.id != code_id
    )
    return and_(SecretTable.owner == owner, SecretTable.name == CODE, ~another.exists())


def of_ended(owner: Any) -> ColumnElement[bool]:
    """What a number whose migration has ended needs no more: its codes, and every earlier value of its secrets."""
    no_more = or_(SecretTable.name == CODE, SecretTable.superseded_at.is_not(None))
    return and_(SecretTable.owner == owner, no_more)


def number_owner(number_id: int) -> str:
    return f"number:{number_id}"


def intent_owner(migration_id: int, attempt: int) -> str:
    return f"attempt:{migration_id}/{attempt}"


class Shredding:
    """Set by set over the whole home; each is one statement, and safe beside every worker."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def shred_due(self, keep: KeepFor) -> int:
        """Destroy what is due. Returns how many secrets that were."""
        async with self._engine.begin() as tx:
            now = self._clock.now()
            old = or_(self._is_old(keep.superseded), self._is_old_code(keep.codes), self._backup(keep))
            due = or_(_intent_is_closed(), _is_of_ended_number(), old)
            return int((await tx.execute(shredded(due, at=now))).rowcount)

    def _is_old(self, superseded: timedelta) -> ColumnElement[bool]:
        return SecretTable.superseded_at <= self._clock.now(-superseded)

    def _is_old_code(self, codes: timedelta) -> ColumnElement[bool]:
        return and_(SecretTable.name == CODE, SecretTable.made_at <= self._clock.now(-codes))

    def _backup(self, keep: KeepFor) -> ColumnElement[bool]:
        before = self._clock.now(-keep.backups)
        ended = _owners(
            select(NumberTable.id)
            .join(MigrationTable, MigrationTable.number_pk == NumberTable.id)
            .group_by(NumberTable.id)
            .having(and_(func.max(MigrationTable.ended_at) <= before, ~_any_live()))
        )
        return and_(
            SecretTable.name.in_([BACKUP, PICTURE]), SecretTable.made_at <= before, SecretTable.owner.in_(ended)
        )


def _any_live() -> ColumnElement[bool]:
    return func.count(MigrationTable.ended_at) < func.count(MigrationTable.id)


def _owners(numbers: Any) -> Any:
    found = numbers.subquery()
    return select(literal("number:").concat(cast(found.c.id, String)))


def _intent_is_closed() -> ColumnElement[bool]:
    attempt = literal("attempt:").concat(cast(AttemptTable.migration_pk, String)).concat("/")
    still_open = select(attempt.concat(cast(AttemptTable.number, String))).where(AttemptTable.ended.is_(None))
    return and_(SecretTable.name == INTENT, SecretTable.owner.like("attempt:%"), SecretTable.owner.not_in(still_open))


def _is_of_ended_number() -> ColumnElement[bool]:
    """Of a number without a live migration: codes and earlier values."""
    live = _owners(select(MigrationTable.number_pk.label("id")).where(MigrationTable.ended_at.is_(None)))
    no_more = or_(SecretTable.name == CODE, SecretTable.superseded_at.is_not(None))
    return and_(SecretTable.owner.like("number:%"), SecretTable.owner.not_in(live), no_more)
