"""Constraints of the database: each is broken once, and the database refuses the row."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from state.models import (
    Attempt,
    BudgetCall,
    Code,
    CredentialProfile,
    Customer,
    Event,
    Finding,
    Message,
    Number,
    NumberMigration,
    Outbox,
    Secret,
    Waba,
    Wave,
)
from tests.harness.ledger_fixture import START, LedgerFixture

# A valid row of each table; a case changes a part of it. Row 1 of each parent exists.
VALID: dict[type[Any], dict[str, Any]] = {
    Customer: {"name": "Other"},
    CredentialProfile: {"name": "other", "app_id": "78"},
    Waba: {"waba_id": "2", "customer_id": 1, "profile_id": 1},
    Number: {"ref": "N-9", "e164": "+15550109", "phone_number_id": "9", "waba_pk": 1, "imported_at": START},
    Wave: {"name": "other", "created_at": START},
    NumberMigration: {
        "number_pk": 1,
        "itinerary": "WITH_BACKUP",
        "because": "b",
        "next_step": None,
        "status": "done",
        "ended_at": START,
        "created_at": START,
    },
    Attempt: {
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
    BudgetCall: {"phone_number_id": "1", "call": "register", "at": START},
    Finding: {"migration_pk": 1, "step": "drain", "kind": "result", "at": START, "facts": {}},
    Event: {
        "migration_pk": 1,
        "seq": 99,
        "at": START,
        "kind": "k",
        "facts": {},
        "previous": "0",
        "hash": "0",
    },
    Secret: {
        "owner": "number:1",
        "name": "pin",
        "ciphertext": b"c",
        "wrapped_key": b"k",
        "key_id": "i",
        "made_at": START,
    },
    Code: {"migration_pk": 1, "entered_at": START, "entered_by": "t"},
    Message: {"migration_pk": 1, "correlation": "c", "at": START},
    Outbox: {
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
    "customers.traffic": (Customer, [{"traffic": "always"}]),
    "customers.name": (Customer, [{"name": "Acme"}]),
    "credential_profiles.name": (CredentialProfile, [{"name": "main"}]),
    "wabas.waba_id": (Waba, [{"waba_id": "10229"}]),
    "wabas of a known customer": (Waba, [{"customer_id": 99}]),
    "wabas of a known profile": (Waba, [{"profile_id": 99}]),
    "numbers.ref": (Number, [{"ref": "N-0001"}]),
    "numbers.e164": (Number, [{"e164": "+15550100001"}]),
    "numbers.phone_number_id": (Number, [{"phone_number_id": "100000000000001"}]),
    "numbers.code_method": (Number, [{"code_method": "FAX"}]),
    "numbers.pin_provenance": (Number, [{"pin_provenance": "guessed"}]),
    "numbers.disposition": (Number, [{"disposition": "lost"}]),
    "numbers of a known waba": (Number, [{"waba_pk": 99}]),
    "waves.name": (Wave, [{}, {}]),
    "waves.state": (Wave, [{"state": "sleeping"}]),
    "waves.released": (Wave, [{"released": "some"}]),
    "waves.concurrency": (Wave, [{"concurrency": 0}]),
    "waves.canary_size": (Wave, [{"canary_size": -1}]),
    "waves.window goes forward": (Wave, [{"window_start": START, "window_end": START}]),
    "one live migration a number": (NumberMigration, [{"status": "ready", "ended_at": None, "next_step": "x"}]),
    "migrations.side": (NumberMigration, [{"side": "both"}]),
    "migrations.status": (NumberMigration, [{"status": "paused"}]),
    "an ended migration has its time": (NumberMigration, [{"status": "done", "ended_at": None}]),
    "a live migration has no end": (NumberMigration, [{"status": "ready"}]),
    "a blocked one names its runbook": (NumberMigration, [{"number_pk": 2, "status": "blocked", "ended_at": None}]),
    "a waiting one has an end": (NumberMigration, [{"number_pk": 2, "status": "waiting", "ended_at": None}]),
    "attempts.key": (Attempt, [{}, {"number": 10}]),
    "attempts.number": (Attempt, [{}, {"key": "k10"}]),
    "attempts.ended": (Attempt, [{"ended": "perhaps"}]),
    "an ended attempt has its time": (Attempt, [{"ended_at": None}]),
    "an open attempt has no end": (Attempt, [{"ended": None}]),
    "one open attempt a migration": (
        Attempt,
        [{"ended": None, "ended_at": None}, {"ended": None, "ended_at": None, "number": 10, "key": "k10"}],
    ),
    "budget_calls.call": (BudgetCall, [{"call": "messages"}]),
    "budget_calls of a known attempt": (BudgetCall, [{"attempt_pk": 99}]),
    "findings.kind": (Finding, [{"kind": "guess"}]),
    "one result a step": (Finding, [{}, {}]),
    "events.seq": (Event, [{}, {}]),
    "one current secret a name": (Secret, [{}, {}]),
    "a shredded secret has no key": (Secret, [{"shredded_at": START}]),
    "a secret without a key is shredded": (Secret, [{"wrapped_key": None}]),
    "codes.state": (Code, [{"state": "lost"}]),
    "one entered code a migration": (Code, [{}, {}]),
    "messages.correlation": (Message, [{}, {}]),
    "messages.wamid": (Message, [{"wamid": "w"}, {"wamid": "w", "correlation": "d"}]),
    "outbox.key": (Outbox, [{}, {}]),
    "outbox.answer": (Outbox, [{"answer": "perhaps"}]),
}
# Valid rows that resemble invalid ones: a partial index that covers too much fails here.
SIMILAR: dict[str, tuple[type[Any], Rows]] = {
    "ended migrations of one number": (NumberMigration, [{}, {}]),
    "closed attempts beside an open one": (
        Attempt,
        [{}, {"number": 10, "key": "k10", "ended": None, "ended_at": None}],
    ),
    "a superseded secret beside the current one": (Secret, [{"superseded_at": START}, {"superseded_at": START}, {}]),
    "a shredded secret beside the current one": (Secret, [{"wrapped_key": None, "shredded_at": START}, {}]),
    "used codes beside an entered one": (Code, [{"state": "refused"}, {"state": "replaced"}, {}]),
    "a note beside a result": (Finding, [{}, {"kind": "note"}]),
}


async def insert_row(fixture: LedgerFixture, table: type[Any], row: Mapping[str, Any]) -> None:
    async with fixture.engine.begin() as tx:
        await tx.execute(insert(table).values(**(VALID[table] | dict(row))))


async def insert_parents(fixture: LedgerFixture) -> None:
    """Row 1 of each parent, and a second number that has no migration."""
    await fixture.import_number(1)
    await fixture.import_number(2)
    await fixture.sql("DELETE FROM events WHERE migration_pk = 2")
    await fixture.sql("DELETE FROM number_migrations WHERE id = 2")


@pytest.mark.parametrize("rule", INVALID)
async def test_the_database_refuses_a_violation(fixture: LedgerFixture, rule: str) -> None:
    await insert_parents(fixture)
    table, rows = INVALID[rule]
    for row in rows[:-1]:
        await insert_row(fixture, table, row)
    with pytest.raises(IntegrityError):
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
