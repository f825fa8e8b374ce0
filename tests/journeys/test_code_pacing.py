"""No more codes are on their way at once than those on duty can type, whoever asks for them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from migration.app import App
from migration.operations.at_the_phone import ask_code
from migration.operations.waves import begin_wave, plan_wave
from migration.steps.outcomes import Advanced, Waiting
from migration.waves.plan import WaveRule
from state.enums import Codes, Party
from state.ledger.people import Shift
from state.ledger.waves import NewWave
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness


async def on_duty(harness: Harness, app: App, *names: str) -> None:
    now = harness.clock.now()
    shifts = [Shift(name, None, "", "UTC", now - timedelta(hours=1), now + timedelta(hours=8)) for name in names]
    await app.ledger.people.replace_roster(shifts, "tester")


async def ready(make_harness: MakeHarness, per_operator: int, count: int) -> Harness:
    harness = await make_harness(kinds=["no_backup"] * count)
    harness.attended = False
    path = harness.settings.admin_path
    path.write_text(f"{path.read_text()}\n[codes]\nper_operator = {per_operator}\n")
    return harness


async def say_all(app: App, positions: tuple[Position, ...], how: str = "desk") -> None:
    for position in positions:
        await ask_code(app, position.ref, how=how, by="Ana", lasts=timedelta(hours=2))


async def run_all(app: App, positions: tuple[Position, ...]) -> list[Any]:
    return list(await asyncio.gather(*(app.runner.run_one(position.migration_id) for position in positions)))


def phones_that_rang(harness: Harness, positions: tuple[Position, ...]) -> int:
    return sum(bool(harness.sandbox.sms(position.e164)) for position in positions)


@pytest.mark.parametrize(("names", "most"), [(("Ana",), 2), (("Ana", "Ben"), 4), ((), 5)])
async def test_each_on_duty_gets_so_many_at_once(make_harness: MakeHarness, names: tuple[str, ...], most: int) -> None:
    """All of them are tried at the same moment, and none beyond the limit is asked for."""
    harness = await ready(make_harness, 2, 5)
    async with harness.worker() as app:
        positions = tuple(await harness.import_numbers(app))
        await on_duty(harness, app, *names)
        await say_all(app, positions)
        await run_all(app, positions)
        assert phones_that_rang(harness, positions) == most
        board = [await app.queries.positions.find(position.ref) for position in positions]
        paced = [position for position in board if "those on duty can type" in (position.reason or "")]
        assert len(paced) == 5 - most, [position.reason for position in board]
        assert {position.waiting_on for position in paced} <= {Party.OPERATOR}
        assert {position.ref for position in paced} <= {row.position.ref for row in await app.queries.desk.rows()}


async def test_the_next_one_is_asked_for_once_a_code_was_typed(make_harness: MakeHarness) -> None:
    harness = await ready(make_harness, 1, 2)
    async with harness.worker() as app:
        positions = tuple(await harness.import_numbers(app))
        await on_duty(harness, app, "Ana")
        await say_all(app, positions)
        await run_all(app, positions)
        first = next(one for one in positions if harness.sandbox.sms(one.e164))
        other = next(one for one in positions if one is not first)
        assert isinstance(await app.runner.run_one(other.migration_id), Waiting)
        assert isinstance(await harness.run_number(app, first.ref), Advanced)
        harness.clock.advance(46)
        await app.runner.run_one(other.migration_id)
        assert phones_that_rang(harness, positions) == 2


async def test_a_customer_in_its_room_waits_for_no_operator(make_harness: MakeHarness) -> None:
    harness = await ready(make_harness, 1, 3)
    async with harness.worker() as app:
        positions = tuple(await harness.import_numbers(app))
        await on_duty(harness, app, "Ana")
        await say_all(app, positions, how="room")
        await run_all(app, positions)
        assert phones_that_rang(harness, positions) == 3


async def test_a_wave_with_somebody_at_every_phone_has_no_limit(make_harness: MakeHarness) -> None:
    harness = await ready(make_harness, 1, 3)
    async with harness.worker() as app:
        positions = tuple(await harness.import_numbers(app))
        await on_duty(harness, app, "Ana")
        await plan_wave(app, NewWave("night", codes=Codes.AT_ONCE), WaveRule(), None, "Ana")
        await begin_wave(app, "night", "Ana")
        await run_all(app, positions)
        assert phones_that_rang(harness, positions) == 3
