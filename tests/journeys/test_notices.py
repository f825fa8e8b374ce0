"""People are told: what a real listener gets, while targets are down, twice at once, and after the end."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from migration.app import App
from migration.home.admin_file import NotifySettings
from migration.waves.notices import PeopleTeller, tell_people
from state.enums import Status
from state.ledger.people import Shift
from state.models import MigrationTable
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
        over = [json.loads(body)["message"] for body in told.listener.bodies[-2:]]
        assert all("N-0001" in text and "Next:" not in text and "enter-code" not in text for text in over)
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


async def test_what_was_down_for_an_hour_gets_each_message_once_and_in_order(make_harness: MakeHarness) -> None:
    """It is dark, its reminders come due, and it serves again, all while the target answers 500."""
    async with _dark_number(make_harness, repeat_min=1) as told:
        told.listener.status = 500
        for _ in range(5):
            await told.after(timedelta(seconds=61))
        await told.harness.run_number(told.app, "N-0001")
        for _ in range(55):
            assert await told.after(timedelta(seconds=61)) == []
        told.listener.status = 200
        for _ in range(7):
            await told.after(timedelta(seconds=10))
        await told.after(timedelta(hours=2))
        titles = [json.loads(body)["title"] for body in told.listener.bodies]
        dark, code = (
            "N-0001 dark, on neither side (no wave)",
            f"{told.position.customer} has to read out the code of N-0001",
        )
        for cause in (dark, code):
            assert [title for title in titles if cause in title] == [f"cutover: {cause}", f"cutover: over: {cause}"]
        assert len(titles) == 4
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


async def test_two_entries_of_one_address_are_told_each_of_its_own(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness) as told:
        url = told.listener.url
        entries = (_to(url, kinds=["dark"]), _to(url, kinds=["code"]), _to(url, kinds=["halted"], after_min=30))
        told.app = _with_targets(told.app, *entries, entries[0])
        titles = await told.after(timedelta(seconds=61))
        assert len(titles) == 2
        assert sum("dark" in title for title in titles) == 1


async def _until(look: Callable[[], Awaitable[Sequence[object]]]) -> None:
    """Until there is something."""
    for _ in range(1_000):
        if await look():
            return
        await asyncio.sleep(0.01)


async def test_a_target_that_says_nothing_does_not_delay_what_others_are_told_later(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness) as told:
        with closing(socket.create_server(("127.0.0.1", 0))) as silent:
            silent_url = f"json://127.0.0.1:{silent.getsockname()[1]}/"
            app = _with_targets(told.app, _to(silent_url, kinds=["code"]), _to(told.listener.url, kinds=["dark"]))
            people = PeopleTeller(app)
            people.begin_pass()
            await _until(app.queries.notices.unsent)
            told.harness.clock.advance(61)

            async def told_after_a_pass() -> Sequence[str]:
                people.begin_pass()
                return told.listener.bodies

            async with asyncio.timeout(3):  # its answer is awaited for 4 s
                await _until(told_after_a_pass)
        await people.finish()
        assert len(told.listener.bodies) == 1


async def test_whoever_leaves_a_number_dark_says_so_before(make_harness: MakeHarness) -> None:
    """`cutover run` ends while the code is awaited: nothing may run 45 s later."""
    async with _dark_number(make_harness, kinds=["dark"]) as told:
        assert await told.after(timedelta(seconds=5)) == []
        await PeopleTeller(told.app).finish()
        assert json.loads(told.listener.bodies[-1])["title"] == "cutover: N-0001 dark, on neither side (no wave)"
        assert await told.after(timedelta(seconds=5)) == [], "the next process knows of it, and does not call it over"


async def test_a_number_that_is_tried_again_is_dark_until_it_serves(make_harness: MakeHarness) -> None:
    async with _dark_number(make_harness, kinds=["dark"]) as told:
        assert len(await told.after(timedelta(seconds=61))) == 1
        async with told.app.database.begin() as tx:  # as a worker has it in hand that took it a moment ago
            now, soon = told.harness.clock.now(), told.harness.clock.now() + timedelta(minutes=1)
            row = {"status": Status.RUNNING, "dark_since": now, "lease_holder": "w", "lease_until": soon}
            await tx.execute(update(MigrationTable).values(**row | {"waiting_until": None, "waiting_on": None}))
        assert not [title for title in await told.after() if title.startswith("cutover: over:")]


async def test_the_roster_says_who_is_told(make_harness: MakeHarness) -> None:
    """Each on duty while the cause is open; the second one too, though the first was told."""
    async with _dark_number(make_harness) as told:
        now = told.harness.clock.now()
        shifts = [
            Shift("Ana", None, "en", "UTC", now, now + timedelta(minutes=5)),
            Shift("Ben", None, "en", "UTC", now + timedelta(minutes=5), now + timedelta(hours=1)),
        ]
        await told.app.ledger.people.replace_roster(shifts, "tester")
        dark: dict[str, Any] = {"kinds": ["dark"]}
        told.app = _with_targets(
            told.app,
            *(_to(f"{told.listener.url}{name}", operator=name, **dark) for name in ("Ana", "Ben")),
        )
        await told.after(timedelta(seconds=61))
        assert told.listener.paths == ["/Ana"]
        await told.after(timedelta(minutes=5))
        assert told.listener.paths == ["/Ana", "/Ben"]
