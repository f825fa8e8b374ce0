"""What can be opened after a run, counted in the database and on the shelf: live PINs, backups within retention."""

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from migration.app import App
from migration.operations.housekeeping import destroy_what_is_due
from migration.operations.numbers import hand_in_pin
from migration.operations.received_codes import enter_code
from migration.steps.outcomes import Reopen
from state.models import SecretTable
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness

PIN, BACKUP, PICTURE = (("number", name, False) for name in ("pin", "backup", "picture"))


async def openable(app: App) -> Counter[tuple[str, str, bool]]:
    """Kind of owner, name, and whether it is a superseded value."""
    query = select(SecretTable.owner, SecretTable.name, SecretTable.superseded_at)
    async with app.database.connect() as connection:
        rows = (await connection.execute(query.where(SecretTable.wrapped_key.is_not(None)))).all()
    found = [(row.owner.partition(":")[0], row.name, row.superseded_at is not None) for row in rows]
    return Counter(row for row in found if row[0] in ("number", "attempt"))


async def with_wrong_code(harness: Harness, app: App) -> Position:
    """A number before the step that sends the code that was typed in for it."""
    (position,) = await harness.import_numbers(app)
    await harness.advance_to(app, position, "verify_code")
    await enter_code(app, position.ref, SecretStr("000000"), "tester")
    return position


async def test_after_a_run_the_live_pins_and_the_backups_are_left(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy", "no_backup"])
    async with harness.worker() as app:
        for position in await harness.import_numbers(app, hook="senders"):
            await harness.run_number(app, position.ref)
            assert (await app.queries.positions.get(position.migration_id)).ended_at is not None
        assert await openable(app) == {PIN: 2, BACKUP: 1, PICTURE: 2}
        assert len(list(app.settings.backup_folder.glob("*.sealed"))) == 1

        harness.clock.advance(timedelta(days=29).total_seconds())
        await destroy_what_is_due(app)
        assert (await openable(app))[BACKUP] == 1
        harness.clock.advance(timedelta(days=1, minutes=5).total_seconds())
        await destroy_what_is_due(app)
        assert await openable(app) == {PIN: 2}
        assert not list(app.settings.backup_folder.glob("*.sealed"))


async def test_a_killed_writer_s_temporary_file_is_removed(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        await harness.import_numbers(app)
        app.settings.backup_folder.mkdir(exist_ok=True)
        old, young = (
            app.settings.backup_folder / f".number-1-backup.1.1.sealed.{end}" for end in ("0a1b2c3d", "0a1b2c3e")
        )
        for file in (old, young):
            file.write_text("half of a file")
        os.utime(old, (0, 0))
        await destroy_what_is_due(app)
    assert not old.exists()
    assert young.exists()  # its writer may live


async def test_a_pin_that_a_person_replaces_goes_once_the_new_one_was_set(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await harness.advance_to(app, position, "back_up")
        await hand_in_pin(app, position.ref, SecretStr("918273"), "told on the phone", "tester")
        assert (await openable(app))["number", "pin", True] == 1  # nothing has proved the new one yet
        await harness.run_number(app, position.ref)
        assert (await openable(app)) == {PIN: 1, BACKUP: 1, PICTURE: 1}


async def test_a_code_goes_with_its_refusal_but_not_the_one_typed_since(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        position = await with_wrong_code(harness, app)
        assert (await openable(app))["number", "code", False] == 1
        await app.runner.run_step(position.migration_id)
        assert not [key for key in await openable(app) if key[1] in ("code", "intent")]


async def test_a_code_that_was_never_sent_goes_after_an_hour_and_spends_no_try(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        position = await with_wrong_code(harness, app)
        harness.clock.advance(timedelta(minutes=59).total_seconds())
        await destroy_what_is_due(app)
        assert (await openable(app))["number", "code", False] == 1
        harness.clock.advance(timedelta(minutes=2).total_seconds())
        await destroy_what_is_due(app)
        assert not [key for key in await openable(app) if key[1] == "code"]
        outcome = await app.runner.run_step(position.migration_id)
    assert outcome == Reopen("request_code", "the code was entered too long ago")
    assert "verify_code" not in harness.mutations(position)


@pytest.mark.parametrize("end", ["open", "closed"])
async def test_a_destroyed_data_key_is_in_no_file_of_the_database(
    make_harness: MakeHarness, sqlite_url: str, tmp_path: Path, database_url: str, end: str
) -> None:
    """SQLite only: what is deleted is overwritten, and the log is cut."""
    if database_url != sqlite_url:
        pytest.skip("docs/security.md says what PostgreSQL keeps")
    harness = await make_harness(kinds=["no_backup"])
    keys: dict[int, bytes] = {}
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await harness.advance_to(app, position, "verify_code")
        await enter_code(app, position.ref, SecretStr("000000"), "tester")
        async with app.database.connect() as connection:
            row = (await connection.execute(select(SecretTable.wrapped_key).where(SecretTable.name == "code"))).one()
        keys[0] = row.wrapped_key
        file = tmp_path / "state.db"
        wal = file.with_name("state.db-wal")
        assert keys[0] in file.read_bytes() + wal.read_bytes()
        await app.runner.run_step(position.migration_id)
        if end == "open":
            await destroy_what_is_due(app)
            assert keys[0] not in file.read_bytes() + wal.read_bytes()
    assert keys[0] not in file.read_bytes()
    assert not wal.exists() or keys[0] not in wal.read_bytes()
