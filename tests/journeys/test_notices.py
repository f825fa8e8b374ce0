"""People are told: what a real listener gets, while targets are down, twice at once, and after the end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from migration.app import App
from migration.home.admin_file import NotifySettings
from migration.waves.notices import tell_people
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.listener import Listener, listening


@dataclass
class Told:
    harness: Harness
    app: App
    listener: Listener
    position: Position
    seen: list[str] = field(default_factory=list)

    async def after(self, time: timedelta = timedelta()) -> list[str]:
        """Titles of what arrived by one more pass, sorted."""
        self.harness.clock.advance(time.total_seconds())
        before = len(self.listener.bodies)
        await tell_people(self.app)
        return sorted(json.loads(body)["title"] for body in self.listener.bodies[before:])


def _to(url: str, **more: Any) -> NotifySettings:
    return NotifySettings(url=SecretStr(url), **more)


def _with_targets(app: App, *targets: NotifySettings) -> App:
    return replace(app, admin=app.admin.model_copy(update={"notify": targets}))


@asynccontextmanager
async def _dark_number(make_harness: MakeHarness, **more: Any) -> AsyncIterator[Told]:
    """Its client is stopped, and nobody types the code."""
    harness = await make_harness(kinds=["code_refused"], world="closing")
    with listening() as listener:
        async with harness.worker() as app:
            (position,) = await harness.import_numbers(app, itinerary="CODE_AFTER")
            await app.runner.run_one(position.migration_id)
            position = await app.queries.positions.get(position.migration_id)
            assert (position.dark_by_us, position.next_step) == (True, "verify_code")
            yield Told(harness, _with_targets(app, _to(listener.url, **more)), listener, position)


async def test_a_dark_number_and_its_code_are_told_with_the_number_and_what_to_type(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness) as told:
        titles = await told.after(timedelta(seconds=61))
        assert titles == [
            "cutover: N-0001 dark, on neither side (no wave)",
            f"cutover: {told.position.customer} has to read out the code of N-0001",
        ]
        body = json.loads(told.listener.bodies[0])["message"]
        assert "cutover enter-code N-0001" in body
        assert told.position.e164 not in " ".join(told.listener.bodies)
        assert await told.after(timedelta(seconds=10)) == []


async def test_a_move_that_goes_on_is_told_as_over(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness) as told:
        await told.after(timedelta(seconds=61))
        await told.harness.run_number(told.app, "N-0001")
        assert await told.after() == [
            "cutover: over: N-0001 dark, on neither side (no wave)",
            f"cutover: over: {told.position.customer} has to read out the code of N-0001",
        ]
        assert await told.after(timedelta(hours=2)) == []


async def test_a_target_that_is_down_loses_nothing(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness, kinds=["dark"]) as told:
        told.listener.status = 503
        assert await told.after(timedelta(seconds=61)) == []
        (unsent,) = await told.app.queries.notices.unsent()
        assert (unsent.tries, "error=503" in (unsent.error or "")) == (1, True)
        assert await told.after() == []  # not before its time
        told.listener.status = 200
        assert len(await told.after(timedelta(seconds=16))) == 1
        assert await told.app.queries.notices.unsent() == ()


async def test_two_processes_send_one_message(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness, kinds=["dark"]) as told, told.harness.worker() as other:
        told.harness.clock.advance(61)
        await tell_people(told.app)
        await tell_people(_with_targets(other, *told.app.admin.notify))
        assert len(told.listener.bodies) == 1


async def test_whoever_takes_it_over_ends_reminders_and_the_escalation(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness, kinds=["dark"]) as told:
        assert len(await told.after(timedelta(seconds=61))) == 1
        assert await told.after(timedelta(minutes=61)) == ["cutover: still: N-0001 dark, on neither side (no wave)"]
        (cause,) = [row for row in await told.app.queries.notices.open_causes() if row.kind == "dark"]
        await told.app.ledger.notices.acknowledge(cause.id, "tester")
        assert await told.after(timedelta(hours=5)) == []


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x", "json://127.0.0.1:9/"])
async def test_an_address_that_nobody_answers_ends_nothing(make_harness: MakeHarness, url: str) -> None:
    async with _dark_number(make_harness) as told:
        app = _with_targets(told.app, _to(url, kinds=["dark"]), _to(told.listener.url, kinds=["dark"]))
        told.harness.clock.advance(61)
        await tell_people(app)
        assert len(told.listener.bodies) == 1
        (unsent,) = await app.queries.notices.unsent()
        assert unsent.error is not None
