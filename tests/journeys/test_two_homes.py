"""Two homes of cutover on one fleet, without a hook: neither sends a PIN for a number that the other one moves."""

import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migration.operations.numbers import take_over
from migration.preflight.assessment import run_preflight
from migration.preflight.check import Verdict
from migration.steps.foreign_register import FOREIGN_PAGE
from migration.steps.outcomes import Advanced, Blocked, Waiting
from migration.vault.sealing import new_master_key
from state.enums import Side
from tests.harness.in_process import Harness, MakeHarness

BEFORE_REGISTER = ("snapshot", "secure_pin", "back_up", "subscribe", "set_storage", "pause_sends", "drain", "register")
CODE_AFTER = {"itinerary": "CODE_AFTER", "start_command": "start"}


def second_home(first: Harness, template: Path, folder: Path) -> Harness:
    """Another home on the fleet of the first: a database, a key and a folder of its own."""
    folder.mkdir()
    for path in first.folder.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
    database = folder / "state.db"
    shutil.copy(template, database)
    with sqlite3.connect(database) as connection:  # a schema revision gave the template its identity
        connection.execute("UPDATE home SET home_id = ?", (folder.name,))
    connection.close()
    url = f"sqlite+aiosqlite:///{database}"
    settings = replace(first.settings, home=folder, database_url=url, master_key=new_master_key(), backup_dir=None)
    return replace(first, settings=settings, folder=folder, workers=10)


@pytest.mark.parametrize("stands_at", BEFORE_REGISTER)
@pytest.mark.parametrize("lag_s", [0, 5])
async def test_the_second_home_finds_the_number_moved(
    make_harness: MakeHarness, sqlite_template: Path, tmp_path: Path, stands_at: str, lag_s: int
) -> None:
    first = await make_harness(kinds=["healthy"], switches={"read_lag_s": lag_s})
    second = second_home(first, sqlite_template, tmp_path / "second")
    async with first.worker() as app, second.worker() as other:
        (position,) = await first.import_numbers(app)
        (waiting,) = await second.import_numbers(other)
        await second.advance_to(other, waiting, stands_at)
        await first.advance_to(app, position, "confirm")
        sim = first.sandbox_number(position)
        calls, pin = len(first.mutations(position)), sim.pin
        outcome = await second.run_number(other, waiting.ref)
        assert isinstance(outcome, Blocked)
        assert first.mutations(position)[calls:].count("register") == 0
        assert (sim.wrong_pins, sim.registers, sim.pin) == (0, 1, pin)
        assert isinstance(await first.run_number(app, position.ref), Advanced)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.register_sent) == (Side.CLOUD, True)


@pytest.mark.parametrize("stands_at", ["secure_pin", "deregister_onprem", "request_code", "verify_code", "register"])
async def test_the_second_home_finds_a_number_moved_by_code(
    make_harness: MakeHarness, sqlite_template: Path, tmp_path: Path, stands_at: str
) -> None:
    first = await make_harness(kinds=["code_refused"])
    second = second_home(first, sqlite_template, tmp_path / "second")
    async with first.worker() as app, second.worker() as other:
        (position,) = await first.import_numbers(app, **CODE_AFTER)
        (waiting,) = await second.import_numbers(other, **CODE_AFTER)
        await second.advance_to(other, waiting, stands_at)
        await first.advance_to(app, position, "confirm")
        sim = first.sandbox_number(position)
        registers, pin = sim.registers, sim.pin
        assert isinstance(await second.run_number(other, waiting.ref), Blocked)
        assert (sim.wrong_pins, sim.registers, sim.pin) == (0, registers, pin)
        waiting = await other.queries.positions.get(waiting.migration_id)
        assert waiting.runbook == FOREIGN_PAGE


async def test_the_second_home_acts_while_the_move_of_the_first_is_under_way(
    make_harness: MakeHarness, sqlite_template: Path, tmp_path: Path
) -> None:
    """Between the call and its answer Graph does not show the number on Cloud yet, and its client is off."""
    first = await make_harness(kinds=["healthy"], switches={"read_lag_s": 5})
    second = second_home(first, sqlite_template, tmp_path / "second")
    async with first.worker() as app, second.worker() as other:
        (position,) = await first.import_numbers(app)
        (waiting,) = await second.import_numbers(other)
        await second.advance_to(other, waiting, "register")
        await first.advance_to(app, position, "register")
        await first.advance_to(app, position, "confirm")
        outcome = await other.runner.run_step(waiting.migration_id)
        assert isinstance(outcome, Waiting)
        assert "somebody else" in outcome.reason
        assert first.sandbox_number(position).registers == 1
        outcome = await second.run_number(other, waiting.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == FOREIGN_PAGE
        assert (first.sandbox_number(position).registers, first.sandbox_number(position).wrong_pins) == (1, 0)


async def test_a_client_that_died_by_itself_is_registered_once_graph_can_show_everything(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
        client = harness.sandbox.world.instance_of(harness.sandbox_number(position))
        assert client is not None
        harness.sandbox.stop_instance(client.id)
        assert isinstance(await app.runner.run_step(position.migration_id), Waiting)
        assert "register" not in harness.mutations(position)


async def test_import_and_preflight_notice_a_number_that_the_other_home_has_moved(
    make_harness: MakeHarness, sqlite_template: Path, tmp_path: Path
) -> None:
    first = await make_harness(kinds=["healthy"])
    second = second_home(first, sqlite_template, tmp_path / "second")
    third = second_home(first, sqlite_template, tmp_path / "third")
    async with first.worker() as app, second.worker() as other, third.worker() as late:
        (position,) = await first.import_numbers(app)
        (waiting,) = await second.import_numbers(other)
        assert isinstance(await first.run_number(app, position.ref), Advanced)
        (report,) = await run_preflight(other, [waiting])
        (result,) = [result for result in report.results if result.check == "number at Graph"]
        assert (result.verdict, result.runbook) == (Verdict.FAIL, FOREIGN_PAGE)
        assert await third.import_numbers(late) == [], "it has no migration: it was on Cloud already"


async def test_a_person_takes_the_number_over_without_its_pin(
    make_harness: MakeHarness, sqlite_template: Path, tmp_path: Path
) -> None:
    first = await make_harness(kinds=["healthy"])
    second = second_home(first, sqlite_template, tmp_path / "second")
    async with first.worker() as app, second.worker() as other:
        (position,) = await first.import_numbers(app)
        (waiting,) = await second.import_numbers(other)
        await second.advance_to(other, waiting, "register")
        await first.advance_to(app, position, "confirm")
        assert isinstance(await second.run_number(other, waiting.ref), Blocked)
        pin = first.sandbox_number(position).pin
        await take_over(other, waiting.ref, "the first home is given up", "tester")
        assert isinstance(await second.run_number(other, waiting.ref), Advanced)
        waiting = await other.queries.positions.get(waiting.migration_id)
        assert (waiting.side, waiting.pin_provenance) == (Side.CLOUD, None)
        assert (first.sandbox_number(position).pin, first.sandbox_number(position).registers) == (pin, 1)


async def test_a_hook_keeps_the_second_home_from_pausing_what_the_first_has_paused(
    make_harness: MakeHarness, sqlite_template: Path, tmp_path: Path
) -> None:
    first = await make_harness(kinds=["healthy"])
    second = second_home(first, sqlite_template, tmp_path / "second")
    async with first.worker() as app, second.worker() as other:
        (position,) = await first.import_numbers(app, hook="senders")
        (waiting,) = await second.import_numbers(other, hook="senders")
        await first.advance_to(app, position, "drain")
        outcome = await second.run_number(other, waiting.ref, patience=timedelta(seconds=30))
        assert isinstance(outcome, Waiting | Blocked)
        home = position.home.partition(".")[0]
        assert "another home has paused these senders" in outcome.reason
        assert first.sandbox_number(position).sender.home == home
        assert isinstance(await first.run_number(app, position.ref), Advanced)
        sim = first.sandbox_number(position)
        assert (sim.sender.to_dead_side, sim.sender.lost, sim.wrong_pins) == (0, 0, 0)
