"""Constraints of the database: each is broken once, and the database refuses the row."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from state.errors import AlreadyThere
from state.ledger.profiles import NewProfile
from state.models import (
    AttemptTable,
    BudgetCallTable,
    CodeTable,
    CredentialProfileTable,
    CustomerTable,
    EventTable,
    FindingTable,
    MessageTable,
    MigrationTable,
    NumberTable,
    OutboxTable,
    SecretTable,
    WabaTable,
    WaveTable,
)
from tests.harness.ledger_fixture import START, LedgerFixture, NoSecrets, new_number

# A valid row of each table; a case changes a part of it. Row 1 of each parent exists.
VALID: dict[type[Any], dict[str, Any]] = {
    CustomerTable: {"name": "Other"},
    CredentialProfileTable: {"name": "other", "app_id": "78"},
    WabaTable: {"waba_id": "2", "customer_id": 1, "profile_id": 1},
    NumberTable: {"ref": "N-9", "e164": "+15550109", "phone_number_id": "9", "waba_pk": 1, "imported_at": START},
    WaveTable: {"name": "other", "created_at": START},
    MigrationTable: {
        "number_pk": 1,
        "itinerary": "WITH_BACKUP",
        "because": "b",
        "next_step": None,
        "status": "done",
        "ended_at": START,
        "created_at": START,
    },
    AttemptTable: {
        "migration_pk": 1,
        "number": 9,
        "step": "register",
        "key": "k9",
        "holder": "w",
        "fence": 1,
        "intent": {},
        "side_before": "cloud",
        "opened_at": START,
        "answer_due": START,
        "settle_by": START,
        "ended": "done",
        "ended_at": START,
    },
    BudgetCallTable: {"phone_number_id": "1", "call": "register", "at": START},
    FindingTable: {"migration_pk": 1, "step": "drain", "kind": "result", "at": START, "facts": {}},
    EventTable: {
        "migration_pk": 1,
        "seq": 2,  # after "started"
        "at": START,
        "kind": "k",
        "facts": {},
        "previous": select(MigrationTable.events_head).where(MigrationTable.id == 1).scalar_subquery(),
        "hash": "0",
    },
    SecretTable: {
        "owner": "number:1",
        "name": "pin",
        "ciphertext": b"c",
        "wrapped_key": b"k",
        "key_id": "i",
        "made_at": START,
    },
    CodeTable: {"migration_pk": 1, "entered_at": START, "entered_by": "t"},
    MessageTable: {"migration_pk": 1, "correlation": "c", "at": START},
    OutboxTable: {
        "migration_pk": 1,
        "key": "k",
        "event": "pause_sends",
        "epoch": 0,
        "body": {},
        "made_at": START,
    },
}
Rows = list[Mapping[str, Any]]
# name of the constraint -> (table, rows; the last one violates it)
INVALID: dict[str, tuple[type[Any], Rows]] = {
    "customers.traffic": (CustomerTable, [{"traffic": "always"}]),
    "customers.name": (CustomerTable, [{"name": "Acme"}]),
    "credential_profiles.name": (CredentialProfileTable, [{"name": "main"}]),
    "wabas.waba_id": (WabaTable, [{"waba_id": "10229"}]),
    "wabas of a known customer": (WabaTable, [{"customer_id": 99}]),
    "wabas of a known profile": (WabaTable, [{"profile_id": 99}]),
    "numbers.ref": (NumberTable, [{"ref": "N-0001"}]),
    "numbers.e164": (NumberTable, [{"e164": "+15550100001"}]),
    "numbers.phone_number_id": (NumberTable, [{"phone_number_id": "100000000000001"}]),
    "numbers.code_method": (NumberTable, [{"code_method": "FAX"}]),
    "numbers.pin_provenance": (NumberTable, [{"pin_provenance": "guessed"}]),
    "numbers.disposition": (NumberTable, [{"disposition": "lost"}]),
    "numbers of a known waba": (NumberTable, [{"waba_pk": 99}]),
    "waves.name": (WaveTable, [{}, {}]),
    "waves.state": (WaveTable, [{"state": "sleeping"}]),
    "waves.released": (WaveTable, [{"released": "some"}]),
    "waves.concurrency": (WaveTable, [{"concurrency": 0}]),
    "waves.canary_size": (WaveTable, [{"canary_size": -1}]),
    "waves.window goes forward": (WaveTable, [{"window_start": START, "window_end": START}]),
    "one live migration a number": (MigrationTable, [{"status": "ready", "ended_at": None, "next_step": "x"}]),
    "migrations.side": (MigrationTable, [{"side": "both"}]),
    "migrations.status": (MigrationTable, [{"status": "paused"}]),
    "an ended migration has its time": (MigrationTable, [{"status": "done", "ended_at": None}]),
    "a live migration has no end": (MigrationTable, [{"status": "ready"}]),
    "a blocked one names its runbook": (MigrationTable, [{"number_pk": 2, "status": "blocked", "ended_at": None}]),
    "a waiting one has an end": (MigrationTable, [{"number_pk": 2, "status": "waiting", "ended_at": None}]),
    "attempts.key": (AttemptTable, [{}, {"number": 10}]),
    "attempts.number": (AttemptTable, [{}, {"key": "k10"}]),
    "attempts.ended": (AttemptTable, [{"ended": "perhaps"}]),
    "an ended attempt has its time": (AttemptTable, [{"ended_at": None}]),
    "an open attempt has no end": (AttemptTable, [{"ended": None}]),
    "one open attempt a migration": (
        AttemptTable,
        [{"ended": None, "ended_at": None}, {"ended": None, "ended_at": None, "number": 10, "key": "k10"}],
    ),
    "budget_calls.call": (BudgetCallTable, [{"call": "messages"}]),
    "budget_calls of a known attempt": (BudgetCallTable, [{"attempt_pk": 99}]),
    "findings.kind": (FindingTable, [{"kind": "guess"}]),
    "one result a step": (FindingTable, [{}, {}]),
    "events.seq": (EventTable, [{}, {}]),
    "one current secret a name": (SecretTable, [{}, {}]),
    "a shredded secret has no key": (SecretTable, [{"shredded_at": START}]),
    "a secret without a key is shredded": (SecretTable, [{"wrapped_key": None}]),
    "codes.state": (CodeTable, [{"state": "lost"}]),
    "one entered code a migration": (CodeTable, [{}, {}]),
    "messages.correlation": (MessageTable, [{}, {}]),
    "messages.wamid": (MessageTable, [{"wamid": "w"}, {"wamid": "w", "correlation": "d"}]),
    "outbox.key": (OutboxTable, [{}, {}]),
    "outbox.answer": (OutboxTable, [{"answer": "perhaps"}]),
}
# Valid rows that resemble invalid ones: a partial index that covers too much fails here.
SIMILAR: dict[str, tuple[type[Any], Rows]] = {
    "ended migrations of one number": (MigrationTable, [{}, {}]),
    "closed attempts beside an open one": (
        AttemptTable,
        [{}, {"number": 10, "key": "k10", "ended": None, "ended_at": None}],
    ),
    "a superseded secret beside the current one": (
        SecretTable,
        [{"superseded_at": START}, {"superseded_at": START}, {}],
    ),
    "a shredded secret beside the current one": (SecretTable, [{"wrapped_key": None, "shredded_at": START}, {}]),
    "used codes beside an entered one": (CodeTable, [{"state": "refused"}, {"state": "replaced"}, {}]),
    "a note beside a result": (FindingTable, [{}, {"kind": "note"}]),
}


async def insert_row(fixture: LedgerFixture, table: type[Any], row: Mapping[str, Any]) -> None:
    async with fixture.engine.begin() as tx:
        await tx.execute(insert(table).values(**(VALID[table] | dict(row))))


async def insert_parents(fixture: LedgerFixture) -> None:
    """Row 1 of each parent, and a second number that has no migration."""
    await fixture.import_number(1)
    await fixture.ledger.fleet_import.import_numbers([NewProfile("main", "77")], [new_number(2)], NoSecrets())


@pytest.mark.parametrize("rule", INVALID)
async def test_the_database_refuses_a_violation(fixture: LedgerFixture, rule: str) -> None:
    await insert_parents(fixture)
    table, rows = INVALID[rule]
    for row in rows[:-1]:
        await insert_row(fixture, table, row)
    with pytest.raises((IntegrityError, AlreadyThere)):
        await insert_row(fixture, table, rows[-1])


@pytest.mark.parametrize("table", VALID, ids=lambda table: table.__tablename__)
async def test_the_database_accepts_a_valid_row(fixture: LedgerFixture, table: type[Any]) -> None:
    await insert_parents(fixture)
    await insert_row(fixture, table, {})


@pytest.mark.parametrize("case", SIMILAR)
async def test_the_database_accepts_rows_that_resemble_a_violation(fixture: LedgerFixture, case: str) -> None:
    await insert_parents(fixture)
    table, rows = SIMILAR[case]
    for row in rows:
        await insert_row(fixture, table, row)
