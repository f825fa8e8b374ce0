"""An import is visible as a whole or not at all, wherever it ends; what it staged is removed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from state.errors import Conflict
from state.ledger.fleet_rows import ImportedNumber, NewInstance, NewNumber, Sealer
from state.ledger.import_stage import DEAD_AFTER
from state.ledger.inserting import CHUNK
from state.ledger.profiles import NewProfile
from state.rows import SealedSecret
from tests.harness.crash_point import Killed
from tests.harness.ledger_fixture import LedgerFixture, NoSecrets, new_number

TABLES = ("numbers", "instances", "secrets", "imports", "customers", "wabas", "waves", "credential_profiles")


def a_number(index: int) -> NewNumber:
    instance = NewInstance(f"client-{index}", "https://host", "admin", True, None, None, {})
    return new_number(index, instance=instance, wave="first", has_pin=True, register_calls_before=index % 2)


FLEET = [a_number(index) for index in range(1, CHUNK + 3)]


class SealsPins(NoSecrets):
    """Seals by writing down the owner. `fails` is raised at the number of that index in the file."""

    def __init__(self, fails: type[BaseException] | None = None, at: int = CHUNK + 1) -> None:
        self._fails = fails
        self._at = at

    def number(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        if self._fails is not None and new is FLEET[self._at]:
            raise self._fails
        return [SealedSecret("pin", owner.encode(), b"key", "id")]


async def import_fleet(fixture: LedgerFixture, sealer: Sealer, **options: Any) -> tuple[ImportedNumber, ...]:
    return await fixture.ledger.fleet_import.import_numbers([NewProfile("main", "77")], FLEET, sealer, **options)


async def rows_of(fixture: LedgerFixture) -> dict[str, int]:
    return {table: (await fixture.sql(f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES}


async def assert_imported(fixture: LedgerFixture, imported: tuple[ImportedNumber, ...]) -> None:
    """All of it, each secret for its own number, and nothing else."""
    assert [number.ref for number in imported] == [f"N-{place:04d}" for place in range(1, len(FLEET) + 1)]
    ones = ("customers", "wabas", "waves", "credential_profiles", "imports")
    assert await rows_of(fixture) == dict.fromkeys(TABLES, len(FLEET)) | dict.fromkeys(ones, 1)
    joined = "numbers n JOIN secrets s ON s.owner = 'number:' || n.id JOIN instances i ON i.id = n.instance_pk"
    pairs = await fixture.sql(f"SELECT n.id, n.e164, s.ciphertext, i.name FROM {joined} ORDER BY n.id")
    for new, (number_id, e164, ciphertext, instance) in zip(FLEET, pairs, strict=True):
        assert new.instance is not None
        assert (e164, ciphertext, instance) == (new.e164, f"number:{number_id}".encode(), new.instance.name)


async def test_an_import_of_several_batches_is_whole(fixture: LedgerFixture) -> None:
    await assert_imported(fixture, await import_fleet(fixture, SealsPins()))


@pytest.mark.parametrize("at", [0, CHUNK + 1])
async def test_an_import_that_fails_leaves_nothing(fixture: LedgerFixture, at: int) -> None:
    with pytest.raises(KeyError):
        await import_fleet(fixture, SealsPins(KeyError, at))
    assert await rows_of(fixture) == dict.fromkeys(TABLES, 0)
    await assert_imported(fixture, await import_fleet(fixture, SealsPins()))


@pytest.mark.parametrize("seen_as_gone", [True, False])
async def test_a_killed_import_shows_nothing_and_the_next_one_removes_it(
    fixture: LedgerFixture, seen_as_gone: bool
) -> None:
    with pytest.raises(Killed):
        await import_fleet(fixture, SealsPins(Killed), holder="the dead one")
    rows = await rows_of(fixture)
    assert rows["instances"] > 0, "otherwise this test kills it too early"
    assert [rows[table] for table in ("numbers", "waves", "customers", "wabas", "credential_profiles")] == [0] * 5
    if not seen_as_gone:
        fixture.now += DEAD_AFTER
    imported = await import_fleet(fixture, SealsPins(), is_gone=lambda holder: seen_as_gone and "dead" in holder)
    await assert_imported(fixture, imported)


async def test_the_stage_of_an_import_that_may_run_stays(fixture: LedgerFixture) -> None:
    with pytest.raises(Killed):
        await import_fleet(fixture, SealsPins(Killed), holder="the other one")
    with pytest.raises(Conflict, match="another import is writing one of these numbers"):
        await import_fleet(fixture, SealsPins())
    assert (await rows_of(fixture))["instances"] == CHUNK


async def test_an_import_that_stood_still_is_told_so_and_writes_nothing(fixture: LedgerFixture) -> None:
    stages = fixture.ledger.fleet_import._stages
    stage = await stages.begin(FLEET, "stopped")
    await stages.write(stage, SealsPins())
    fixture.now += DEAD_AFTER + timedelta(seconds=1)
    await assert_imported(fixture, await import_fleet(fixture, SealsPins()))
    with pytest.raises(Conflict, match="stood still"):
        await stages.write(stage, SealsPins())
