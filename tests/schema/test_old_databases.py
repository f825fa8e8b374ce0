"""Databases of older releases, with numbers left half-way: upgraded, then brought to their end by today's code.

A schema revision has to keep every one of them able to go on. The sandbox's own record decides, not ours.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migration.app import App
from migration.engine.runner import Busy
from migration.operations.numbers import record_onprem_off, recover_forward, release_number, retry_number
from migration.operations.waves import begin_wave, change_window, release_wave
from migration.steps.outcomes import Advanced, Reopen, Switch, Waiting
from migration.waves.window import Window
from state import schema
from state.enums import Party, Released, WaveState
from state.rows import Position
from tests.harness.in_process import Harness
from tests.schema.old_database import SCENES, OldDatabase

Remedy = Callable[[Harness, App, Position], Awaitable[object]]


async def accept_terms(harness: Harness, app: App, position: Position) -> None:
    async with harness.graph() as client:
        response = await client.post("/_sandbox/manager", json={"e164": position.e164, "do": "accept_terms"})
        assert response.status_code == 200, response.text
    await retry_number(app, position.ref, "the terms are accepted", "tester")


# What a person does first where a number cannot go on by itself.
REMEDIES: dict[str, Remedy] = {
    "accept the terms": accept_terms,
    "recover forward": lambda harness, app, position: recover_forward(app, position.ref, "it is dark", "tester"),
    "release": lambda harness, app, position: release_number(app, position.ref, "tester"),
    "state off": lambda harness, app, position: record_onprem_off(
        app, position.ref, "the host is switched off", "tester"
    ),
}


def cases() -> list[Any]:
    """Every scene on both databases. `make test` runs all but the largest on SQLite, and the smallest on PostgreSQL."""
    by_size = sorted(SCENES, key=lambda scene: len(OldDatabase(scene).numbers))
    slow, postgres = pytest.mark.slow, pytest.mark.postgres
    return [
        *(pytest.param("sqlite", scene) for scene in by_size[:-1]),
        pytest.param("sqlite", by_size[-1], marks=slow),
        pytest.param("postgresql", by_size[0], marks=postgres),
        *(pytest.param("postgresql", scene, marks=[postgres, slow]) for scene in by_size[1:]),
    ]


@pytest.fixture
def old(scene: str) -> OldDatabase:
    return OldDatabase(scene)


@pytest.fixture
def target_url(request: pytest.FixtureRequest, kind: str) -> str | None:
    """An empty PostgreSQL database, where the test is for PostgreSQL."""
    return str(request.getfixturevalue("empty_postgres_url")) if kind == "postgresql" else None


@pytest.fixture
async def old_url(tmp_path: Path, old: OldDatabase, target_url: str | None) -> str:
    """The old database, before any upgrade."""
    url = old.restore_sqlite(tmp_path / "old.db")
    if target_url is None:
        return url
    await old.copy_to_postgres(url, target_url)
    return target_url


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "scene"), cases())
async def test_an_old_database_is_upgraded_and_every_number_ends_where_it_belongs(
    old: OldDatabase, old_url: str, tmp_path: Path
) -> None:
    await schema.upgrade(old_url)
    harness = await old.restore_world(old_url, tmp_path / "home")
    async with harness.worker() as app:
        await open_waves(app)
        numbers = [number for number in old.numbers if number["ends"]["status"] is not None]
        for number in numbers:
            if number["remedy"] is not None:
                await REMEDIES[number["remedy"]](harness, app, await app.queries.positions.find(number["ref"]))
        await move_all(harness, app, [number["ref"] for number in numbers])
        problems = [problem for number in numbers for problem in await differences(harness, app, number)]
        assert not problems, "\n".join(problems)
        await app.ledger.waves.finish()
        assert all(wave.state is WaveState.DONE for wave in await app.queries.waves.all())


async def open_waves(app: App) -> None:
    """Let every number of every wave pass its gate now."""
    for wave in await app.queries.waves.all():
        if wave.window_start is not None:
            await change_window(app, wave.name, Window(None, None, wave.time_zone))
        if wave.state is WaveState.PLANNED:
            await begin_wave(app, wave.name)
        if wave.released != Released.ALL:
            await release_wave(app, wave.name, canary=False, only=[])


async def move_all(harness: Harness, app: App, refs: list[str]) -> None:
    """Move all numbers side by side, a step of each at a time, until each has ended or only a person can help it.

    The clock moves only when no number is due: a code that was sent long before the upgrade is not left to expire.
    """
    due_at = dict.fromkeys(refs, harness.clock.now())
    give_up_at = harness.clock.now() + timedelta(hours=4)
    while due_at:
        now = harness.clock.now()
        assert now < give_up_at, f"still not ended: {due_at}"
        due = [ref for ref, at in due_at.items() if at <= now]
        if not due:
            harness.clock.advance((min(due_at.values()) - now).total_seconds())
        for ref in due:
            next_time = await step(harness, app, ref)
            if next_time is None:
                del due_at[ref]
            else:
                due_at[ref] = next_time


async def step(harness: Harness, app: App, ref: str) -> datetime | None:
    """Run the number's next step, or type its code in. When it is due again; None when it ended or stopped."""
    position = await app.queries.positions.find(ref)
    if position.ended_at is not None:
        return None
    now = harness.clock.now()
    match await app.runner.run_step(position.migration_id):
        case Advanced() | Reopen() | Switch():
            return now
        case Waiting(until, on):
            typed = on is Party.CUSTOMER and await harness.enter_newest_code(app, position)
            return now if typed else max(until, now + timedelta(milliseconds=1))
        case Busy():
            return max(position.lease_until or now, now) + timedelta(seconds=1)
        case _:
            return None


async def differences(harness: Harness, app: App, number: dict[str, Any]) -> list[str]:
    """In what a number did not end as it has to, by the sandbox's record first and by ours."""
    position = await app.queries.positions.find(number["ref"])
    far, ends = harness.sandbox_number(position), number["ends"]
    actual_and_expected = {
        "side": (far.side, ends["side"]),
        "effective registers": (far.registered, ends["registers"]),
        "second effects": (far.double_effects, 0),
        "senders paused": (far.sender.paused_at, None),
        "senders' route": (far.sender.route, ends["side"] if position.itinerary != "ONBOARD" else "on_premises"),
        "side on record": (position.side, ends["side"]),
        "status": (position.status, ends["status"]),
        "pause on record": (position.paused_at, None),
        "open attempt": (await app.queries.records.open_attempt(position.migration_id), None),
        "broken link of the event chain": (await app.queries.records.broken_link(position.migration_id), None),
    }
    step = f"{position.next_step} of {position.itinerary}"
    where = f"{position.ref} ({number['left']}), {position.status} at {step}: {position.reason}"
    return [
        f"{name} is {actual}, not {expected}; {where}"
        for name, (actual, expected) in actual_and_expected.items()
        if actual != expected
    ]
