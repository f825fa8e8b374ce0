"""Sealed secrets that a step makes superfluous: destroyed in the transaction that says so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import ENDED, AttemptEnd, Status
from state.ledger.changes import AttemptClosed, Change, CodeUsed, SecretSealed
from state.ledger.shredding import intent_owner, number_owner, of_ended, shredded, superseded_pins, used_code
from state.models import SecretTable
from state.types import UtcDateTime


class Needless(StrEnum):
    OF_ENDED = auto()
    INTENT = auto()
    SUPERSEDED_PINS = auto()
    CODE = auto()
    REPLACED = auto()


@dataclass(frozen=True, slots=True)
class OwnSecrets:
    """Whose they are, and the step that was done."""

    migration_id: int
    number_id: int
    step: str


async def shred_needless(
    tx: AsyncConnection, of: OwnSecrets, status: Status, changes: Sequence[Change], at: datetime
) -> None:
    """What the number needs no more after these changes: one statement, or none."""
    found = list(_needless(of, status, changes))
    if found:
        kinds = tuple(kind for kind, _ in found)
        values = {f"{name}_{place}": value for place, (_, given) in enumerate(found) for name, value in given.items()}
        values["v_at"] = at
        await tx.execute(_statement(kinds), values)


def _needless(
    of: OwnSecrets, status: Status, changes: Sequence[Change]
) -> Iterator[tuple[Needless, Mapping[str, Any]]]:
    """The kinds, with the values that name the secrets."""
    owner = number_owner(of.number_id)
    if status in ENDED:
        yield Needless.OF_ENDED, {"owner": owner}
    for change in changes:
        match change:
            case AttemptClosed(_, end, _, sealed):
                if sealed is not None:
                    yield Needless.INTENT, {"owner": intent_owner(of.migration_id, sealed)}
                if (of.step, end) == ("register", AttemptEnd.DONE):  # the PIN in force was proved by it
                    yield Needless.SUPERSEDED_PINS, {"owner": owner}
            case CodeUsed(code_id, _):
                yield Needless.CODE, {"owner": owner, "code": code_id, "migration": of.migration_id}
            case SecretSealed(sealed_for, secret):  # a far side has just taken it: the earlier ones are not in force
                yield Needless.REPLACED, {"owner": sealed_for, "name": secret.name}


@lru_cache(maxsize=100)
def _statement(kinds: tuple[Needless, ...]) -> Any:
    """Made once for each row of kinds: most steps have one."""
    conditions = [_which(kind, str(place)) for place, kind in enumerate(kinds)]
    return shredded(or_(*conditions), at=bindparam("v_at", type_=UtcDateTime()))


def _which(kind: Needless, place: str) -> ColumnElement[bool]:
    owner: BindParameter[Any] = bindparam(f"owner_{place}")
    match kind:
        case Needless.OF_ENDED:
            return of_ended(owner)
        case Needless.INTENT:
            return SecretTable.owner == owner
        case Needless.SUPERSEDED_PINS:
            return superseded_pins(owner)
        case Needless.CODE:
            return used_code(bindparam(f"code_{place}"), bindparam(f"migration_{place}"), owner)
        case Needless.REPLACED:
            return and_(SecretTable.owner == owner, SecretTable.name == bindparam(f"name_{place}"))
