"""Writes the rows that a move changes beside the migration's own: attempts, findings, the number, its secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import AttemptEnd, OutsideFailure, Side
from state.errors import LeaseLost
from state.ledger import findings, recorded_rows, terms
from state.ledger.changes import (
    AnswerKept,
    AttemptClosed,
    AttemptRefused,
    Change,
    CodeUsed,
    FactMeasured,
    FactRefuted,
    MessageSent,
    NoteTaken,
    OutboxAnswered,
    OutboxRefused,
    OutsideFailed,
    PinForgotten,
    PinKnown,
    ProfileHalted,
    ResultFound,
    ResultsForgotten,
    SecretSealed,
    SideRead,
)
from state.ledger.inserting import write_or_nothing
from state.ledger.sealed import replace_secret
from state.ledger.senders import NOT_PAUSED
from state.ledger.versions import on_profile, raise_versions
from state.ledger.webhooks import keep_answer
from state.models import (
    AttemptTable,
    BudgetCallTable,
    CodeTable,
    CredentialProfileTable,
    FieldFactTable,
    MessageTable,
    MigrationTable,
    NumberTable,
    OutboxTable,
)
from state.types import SqlClock

_CLOSE_ATTEMPT = (
    update(AttemptTable)
    .where(AttemptTable.id == bindparam("w_id"), AttemptTable.ended.is_(None))
    .values(ended=bindparam("v_ended"), ended_at=bindparam("v_ended_at"), answer=bindparam("v_answer"))
    .returning(AttemptTable.id)
)
_FORGET_STATEMENT = (
    update(NumberTable)
    .where(NumberTable.id == bindparam("w_id"), NumberTable.onprem_off_stated_by.is_not(None))
    .values(onprem_off_stated_by=None, onprem_off_stated_at=None)
)
_SET_PIN_PROVENANCE = (
    update(NumberTable)
    .where(NumberTable.id == bindparam("w_id"))
    .values(pin_provenance=bindparam("v_provenance"), pin_since=bindparam("v_since"))
)
_SET_ROUTE = update(NumberTable).where(NumberTable.id == bindparam("w_id")).values(route=bindparam("v_route"))
_ANSWER_OUTBOX = (
    update(OutboxTable)
    .where(OutboxTable.key == bindparam("w_key"))
    .values(answer="done", answered_at=bindparam("v_at"))
    .returning(OutboxTable.event, OutboxTable.body)
)


@dataclass(frozen=True, slots=True)
class ChangeTarget:
    """Which migration and number a change is for, and the database's time of the write."""

    migration_id: int
    step: str
    number_id: int
    at: datetime


async def apply_to_migration(tx: AsyncConnection, change: Change, target: ChangeTarget) -> None:
    """Write the rows that belong to this migration alone: attempts, findings, codes, messages."""
    match change:
        case AttemptClosed():
            await _close_attempt(tx, change, target)
        case AttemptRefused(attempt_id, answer):
            refused = update(AttemptTable).where(AttemptTable.id == attempt_id, AttemptTable.ended.is_(None))
            await tx.execute(refused.values(answer=plain(answer)))
        case ResultFound(facts, at, forgets_note):
            await _put_finding(tx, target, "result", facts, at or target.at)
            if forgets_note:
                await findings.forget(tx, target.migration_id, target.step, "note")
        case NoteTaken(facts):
            await _put_finding(tx, target, "note", facts, target.at)
        case ResultsForgotten(steps):
            for step in steps:
                await findings.forget(tx, target.migration_id, step)
        case CodeUsed(code_id, state):
            await tx.execute(update(CodeTable).where(CodeTable.id == code_id).values(state=state))
        case MessageSent() | AnswerKept():
            await _keep_proof(tx, change, target)


async def apply_to_number(tx: AsyncConnection, clock: SqlClock, change: Change, target: ChangeTarget) -> None:
    """Write what outlives this migration: the number, its secrets, its route, its credential profile."""
    match change:
        case SideRead(Side.ON_PREMISES):
            await _forget_statement_that_it_is_off(tx, target)
        case SecretSealed(owner, sealed):
            await replace_secret(tx, owner, sealed, target.at, proved=True, earlier_are_gone=True)
        case PinKnown(provenance):
            await _set_pin_provenance(tx, target, provenance)
        case OutsideFailed(OutsideFailure.TERMS):
            await terms.refuted(tx, target.number_id)
        case PinForgotten():
            await _set_pin_provenance(tx, target, None)
        case OutboxAnswered(key):
            await _answer_outbox(tx, key, target)
        case OutboxRefused(key):
            await _refuse_outbox(tx, key, target)
        case FactRefuted() | FactMeasured():
            await _correct_fact(tx, clock, change, target)
        case ProfileHalted(profile_id, because):
            await tx.execute(
                update(CredentialProfileTable)
                .where(CredentialProfileTable.id == profile_id, CredentialProfileTable.halted_at.is_(None))
                .values(halted_at=target.at, halted_because=because)
            )
            # Workers that are at other numbers of it read them anew before their next intent.
            await raise_versions(tx, on_profile(profile_id), MigrationTable.id != target.migration_id)


async def _correct_fact(
    tx: AsyncConnection, clock: SqlClock, fact: FactRefuted | FactMeasured, target: ChangeTarget
) -> None:
    if isinstance(fact, FactRefuted):
        await _refute(tx, clock, fact, target)
    else:
        await _measure(tx, clock, fact, target)


async def _refute(tx: AsyncConnection, clock: SqlClock, fact: FactRefuted, target: ChangeTarget) -> None:
    """Only the statement that was believed: a newer one may say something else."""
    ref = select(NumberTable.ref).where(NumberTable.id == target.number_id).scalar_subquery()
    refuted = await tx.execute(
        update(FieldFactTable)
        .where(*_is_believed(fact.name, fact.value))
        .values(refuted_at=target.at, refuted_by=ref.concat(f" at {target.step}: {fact.answer}"))
    )
    if refuted.rowcount:
        await _tell_of_fact(tx, clock, recorded_rows.FACT_REFUTED, fact.name, target)


async def _measure(tx: AsyncConnection, clock: SqlClock, fact: FactMeasured, target: ChangeTarget) -> None:
    """Not in place of what somebody stated otherwise, or has refuted."""
    ref = (await tx.execute(select(NumberTable.ref).where(NumberTable.id == target.number_id))).scalar_one()
    row = {
        "name": fact.name,
        "value": fact.value,
        "measured_at": target.at,
        "measured_by": f"{ref} at {target.step}",
        "evidence": fact.answer,
    }
    written = await write_or_nothing(tx, FieldFactTable, row)
    if not written.rowcount:
        written = await tx.execute(
            update(FieldFactTable)
            .where(*_is_believed(fact.name, fact.believed))
            .values({name: value for name, value in row.items() if name != "name"})
        )
    if written.rowcount:
        await _tell_of_fact(tx, clock, recorded_rows.FACT_STATED, fact.name, target)


def _is_believed(name: str, value: str) -> tuple[ColumnElement[bool], ...]:
    return FieldFactTable.name == name, FieldFactTable.value == value, FieldFactTable.refuted_at.is_(None)


async def _tell_of_fact(tx: AsyncConnection, clock: SqlClock, kind: str, name: str, target: ChangeTarget) -> None:
    """Record it. Workers that are at other numbers read anew what is believed."""
    await recorded_rows.note_fact(tx, clock, kind, name)
    await raise_versions(tx, and_(MigrationTable.id != target.migration_id, MigrationTable.moving_until > target.at))


async def _close_attempt(tx: AsyncConnection, change: AttemptClosed, target: ChangeTarget) -> None:
    closes = {"w_id": change.attempt_id, "v_ended": change.end, "v_ended_at": target.at}
    closed = await tx.execute(_CLOSE_ATTEMPT, closes | {"v_answer": plain(change.answer)})
    if closed.one_or_none() is None:
        raise LeaseLost(f"the attempt at {target.step} of migration {target.migration_id} was closed by another")
    if change.end is AttemptEnd.NEVER_LEFT:
        await tx.execute(delete(BudgetCallTable).where(BudgetCallTable.attempt_pk == change.attempt_id))


async def _forget_statement_that_it_is_off(tx: AsyncConnection, target: ChangeTarget) -> None:
    """Somebody stated that the client is off for good, and it serves. If it stayed, it would prove a later stop."""
    await tx.execute(_FORGET_STATEMENT, {"w_id": target.number_id})


async def _put_finding(
    tx: AsyncConnection, target: ChangeTarget, kind: str, facts: Mapping[str, Any], at: datetime
) -> None:
    await findings.put_finding(tx, target.migration_id, target.step, kind, plain(facts) or {}, at)


async def _keep_proof(tx: AsyncConnection, change: MessageSent | AnswerKept, target: ChangeTarget) -> None:
    if isinstance(change, MessageSent):
        await _keep_message(tx, change.columns, target)
    else:
        call = f"{target.migration_id}:{target.step}"
        await keep_answer(tx, target.number_id, change.kind, change.facts, target.at, call)


async def _keep_message(tx: AsyncConnection, columns: Mapping[str, Any], target: ChangeTarget) -> None:
    """Where the far side gives an id that another message has, the message is kept without it."""
    row = {"migration_pk": target.migration_id, "at": target.at, **columns}
    if (await write_or_nothing(tx, MessageTable, row)).rowcount == 0:
        await write_or_nothing(tx, MessageTable, row | {"wamid": None})


async def _set_pin_provenance(tx: AsyncConnection, target: ChangeTarget, provenance: Any) -> None:
    values = {"v_provenance": provenance, "v_since": target.at}
    await tx.execute(_SET_PIN_PROVENANCE, values | {"w_id": target.number_id})


async def _answer_outbox(tx: AsyncConnection, key: str, target: ChangeTarget) -> None:
    row = (await tx.execute(_ANSWER_OUTBOX, {"w_key": key, "v_at": target.at})).one_or_none()
    if row is not None and row.event == "switch_route":
        await tx.execute(_SET_ROUTE, {"w_id": target.number_id, "v_route": row.body["to"]})


async def _refuse_outbox(tx: AsyncConnection, key: str, target: ChangeTarget) -> None:
    """A refused pause began none; an earlier one that was taken goes on."""
    refused = update(OutboxTable).where(OutboxTable.key == key).values(answer="vetoed", answered_at=target.at)
    await tx.execute(refused)
    pauses = select(OutboxTable.epoch).where(
        OutboxTable.migration_pk == target.migration_id,
        OutboxTable.event == "pause_sends",
        or_(OutboxTable.answer.is_(None), OutboxTable.answer == "done"),
    )
    resumed = select(func.coalesce(func.max(OutboxTable.epoch), -1)).where(
        OutboxTable.migration_pk == target.migration_id,
        OutboxTable.event == "resume_sends",
        OutboxTable.answer == "done",
    )
    still_paused = pauses.where(OutboxTable.epoch > resumed.scalar_subquery()).exists()
    await tx.execute(
        update(MigrationTable).where(MigrationTable.id == target.migration_id, ~still_paused).values(**NOT_PAUSED)
    )


def plain(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """As they are read back from the database."""
    return None if facts is None else json.loads(json.dumps(dict(facts), default=str))
