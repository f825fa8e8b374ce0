"""Two writers of the same row at once, on either database: one success and one clear refusal, or both as one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from state.enums import Disposition, PinProvenance, Status
from state.errors import AlreadyThere, Conflict, DatabaseBusy, NotFound, StateError
from state.ledger.changes import MessageSent
from state.ledger.fleet_rows import ImportedNumber, NewInstance, NewNumber
from state.ledger.moves import Move
from state.ledger.profiles import NewProfile
from state.ledger.sealed import replace_secret
from state.ledger.waves import NewWave
from state.rows import SealedSecret
from tests.harness.ledger_fixture import LedgerFixture, NoSecrets, new_number

AT_ONCE = 4


async def at_once(*writers: Awaitable[Any]) -> tuple[list[Any], list[BaseException]]:
    """What succeeded, and the errors. Nothing but an error of ours may come of it."""
    results = await asyncio.gather(*writers, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    assert [exc for exc in errors if not isinstance(exc, StateError) or isinstance(exc, DatabaseBusy)] == []
    return [result for result in results if not isinstance(result, BaseException)], errors


async def import_these(fixture: LedgerFixture, *numbers: NewNumber) -> tuple[ImportedNumber, ...]:
    return await fixture.ledger.fleet_import.import_numbers([NewProfile("main", "77")], numbers, NoSecrets())


async def test_of_two_that_begin_a_migration_one_is_told(fixture: LedgerFixture) -> None:
    (number,) = await import_these(fixture, new_number(1))
    begun, errors = await at_once(*(fixture.start_migration(number.number_id) for _ in range(AT_ONCE)))
    assert len(begun) == 1
    assert {str(exc) for exc in errors} == {"the number has a live migration"}


async def test_a_migration_of_no_number_is_not_found(fixture: LedgerFixture) -> None:
    with pytest.raises(NotFound):
        await fixture.start_migration(404)


async def test_a_number_never_has_a_disposition_and_a_live_migration(fixture: LedgerFixture) -> None:
    numbers = await import_these(fixture, *(new_number(index) for index in range(1, AT_ONCE + 1)))
    dispose = fixture.ledger.migrations.dispose
    for number in numbers:
        start = fixture.start_migration(number.number_id)
        await at_once(start, dispose(number.number_id, Disposition.CHURNED, "left us", {}, "tester"))
    live = "SELECT count(*) FROM numbers n JOIN number_migrations m ON m.number_pk = n.id WHERE m.ended_at IS NULL"
    assert (await fixture.sql(f"{live} AND n.disposition IS NOT NULL"))[0][0] == 0


async def test_no_migration_begins_for_a_number_with_a_disposition(fixture: LedgerFixture) -> None:
    (number,) = await import_these(fixture, new_number(1))
    await fixture.ledger.migrations.dispose(number.number_id, Disposition.CHURNED, "left us", {}, "tester")
    with pytest.raises(Conflict, match="N-0001 has the disposition churned"):
        await fixture.start_migration(number.number_id)


# -- imports


async def test_imports_at_once_number_their_fleets_without_a_gap(fixture: LedgerFixture) -> None:
    fleets = [[new_number(fleet * 10 + index) for index in range(3)] for fleet in range(1, AT_ONCE + 1)]
    imported, errors = await at_once(*(import_these(fixture, *fleet) for fleet in fleets))
    assert errors == []
    refs = sorted(number.ref for fleet in imported for number in fleet)
    assert refs == [f"N-{place:04d}" for place in range(1, 3 * AT_ONCE + 1)]


async def test_imports_at_once_share_new_customers_wabas_and_waves(fixture: LedgerFixture) -> None:
    numbers = [new_number(index, customer="Acme", waba_id="55", wave="first") for index in range(1, AT_ONCE + 1)]
    imported, errors = await at_once(*(import_these(fixture, number) for number in numbers))
    assert (len(imported), errors) == (AT_ONCE, [])
    for table in ("customers", "wabas", "waves", "credential_profiles"):
        assert (await fixture.sql(f"SELECT count(*) FROM {table}"))[0][0] == 1, table


async def test_of_two_imports_of_one_file_one_is_told(fixture: LedgerFixture) -> None:
    fleet = [new_number(1), new_number(2, instance=instance("a"))]
    imported, errors = await at_once(*(import_these(fixture, *fleet) for _ in range(AT_ONCE)))
    assert len(imported) == 1
    assert [type(exc) for exc in errors] == [Conflict] * (AT_ONCE - 1)
    assert all("nothing was imported" in str(exc) for exc in errors)
    for table in ("numbers", "imports"):
        assert (await fixture.sql(f"SELECT count(*) FROM {table}"))[0][0] == {"numbers": 2, "imports": 1}[table]
    assert (await fixture.sql("SELECT count(*) FROM instances"))[0][0] == 1, "what the others staged is gone"


async def test_a_reference_is_never_given_twice(fixture: LedgerFixture) -> None:
    await import_these(fixture, new_number(1), new_number(2), new_number(3))
    await fixture.sql("DELETE FROM numbers WHERE ref IN ('N-0001', 'N-0003')")
    (number,) = await import_these(fixture, new_number(4))
    assert number == ImportedNumber(4, "N-0004"), "its id names the owner of its secrets, so it is new as well"


async def test_a_refused_import_takes_no_reference(fixture: LedgerFixture) -> None:
    await import_these(fixture, new_number(1))
    for numbers in ([new_number(2), new_number(1)], [new_number(3, customer="B", waba_id="10229")]):
        with pytest.raises(Conflict):
            await import_these(fixture, *numbers)
    assert (await import_these(fixture, new_number(5)))[0].ref == "N-0002"


# -- everything else that is inserted


def instance(name: str) -> NewInstance:
    return NewInstance(name, "https://host", "admin", True, None, None, {})


SEALED = SealedSecret("pin", b"c", b"k", "id")


async def with_migration(fixture: LedgerFixture) -> int:
    return await fixture.import_number(1)


WRITERS: dict[str, Callable[[LedgerFixture, int], Awaitable[object]]] = {
    "field fact": lambda fixture, _: fixture.ledger.field_facts.record("q", "yes", "seen", "tester"),
    "note": lambda fixture, migration: fixture.ledger.findings.record_note(migration, "preflight", {"ok": True}),
    "code": lambda fixture, migration: fixture.ledger.operator_inputs.enter_code(
        migration, SEALED, "number:1", "tester"
    ),
    "pin": lambda fixture, _: fixture.ledger.operator_inputs.record_pin(
        1, "number:1", SEALED, PinProvenance.HANDED_IN, "tester"
    ),
    "statement": lambda fixture, _: fixture.ledger.operator_inputs.record_onprem_off(1, "tester"),
    "profile": lambda fixture, _: fixture.ledger.profiles.replace_secrets(NewProfile("new", "8"), NoSecrets()),
    "hold": lambda fixture, migration: fixture.ledger.operator_changes.hold(migration, hold=True, by="tester"),
}


@pytest.mark.parametrize("name", WRITERS)
async def test_writers_of_one_thing_at_once_all_succeed(fixture: LedgerFixture, name: str) -> None:
    migration = await with_migration(fixture)
    _, errors = await at_once(*(WRITERS[name](fixture, migration) for _ in range(AT_ONCE)))
    assert errors == []


async def test_secrets_stored_at_once_leave_one_current(fixture: LedgerFixture) -> None:
    async def store() -> None:
        async with fixture.engine.begin() as tx:
            await replace_secret(tx, "number:1", SEALED, fixture.now)

    _, errors = await at_once(*(store() for _ in range(AT_ONCE)))
    assert errors == []
    current = "SELECT count(*) FROM secrets WHERE superseded_at IS NULL"
    assert (await fixture.sql(current))[0][0] == 1


async def test_of_waves_of_one_name_made_at_once_one_is_made(fixture: LedgerFixture) -> None:
    migrations = [await fixture.import_number(index) for index in range(1, AT_ONCE + 1)]
    made, errors = await at_once(*(fixture.ledger.waves.create(NewWave("w"), [one]) for one in migrations))
    assert len(made) == 1
    assert {str(exc) for exc in errors} == {"there is a wave w already; nothing was changed"}


async def test_of_waves_that_take_one_number_at_once_one_gets_it(fixture: LedgerFixture) -> None:
    migration = await with_migration(fixture)
    made, errors = await at_once(*(fixture.ledger.waves.create(NewWave(name), [migration]) for name in "abcd"))
    assert len(made) == 1
    assert {str(exc) for exc in errors} == {f"number migration {migration} is in another wave or has ended"}
    assert (await fixture.sql("SELECT count(*) FROM waves"))[0][0] == 1


async def test_leases_of_one_number_at_once_are_one(fixture: LedgerFixture) -> None:
    migration = await with_migration(fixture)
    leases, _ = await at_once(*(fixture.lease(migration, f"worker-{place}") for place in range(AT_ONCE)))
    assert len(leases) == 1


async def test_a_message_id_that_another_message_has_loses_no_answer(fixture: LedgerFixture) -> None:
    """A far side that gives one id twice: the step was answered, so it has to be recorded."""
    migrations = [await fixture.import_number(index, step="send_smoke") for index in (1, 2)]
    for place, migration in enumerate(migrations):
        sent = MessageSent({"correlation": f"c{place}", "wamid": "wamid.SAME", "state": "sent"})
        await fixture.ledger.moves.record(
            await fixture.lease(migration), Move("send_smoke", Status.READY, "advanced", changes=(sent,))
        )
    rows = await fixture.sql("SELECT correlation, wamid FROM messages ORDER BY id")
    assert [tuple(row) for row in rows] == [("c0", "wamid.SAME"), ("c1", None)]


async def test_a_row_that_is_there_is_an_error_of_ours(fixture: LedgerFixture) -> None:
    await fixture.ledger.field_facts.record("q", "yes", "seen", "tester")
    with pytest.raises(AlreadyThere, match="another writer has written the same row first") as caught:
        await fixture.sql(
            "INSERT INTO field_facts (name, value, measured_at, measured_by, evidence) "
            "SELECT name, 'secret value', measured_at, measured_by, evidence FROM field_facts"
        )
    assert "secret value" not in str(caught.value)
