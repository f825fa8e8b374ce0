"""A worker is killed at every commit and at every send of a whole migration, and another worker continues it.

`make test` and `make test-slow` together run every lane on SQLite, `make crash` all of both databases.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sandbox.calls import Call
from state.enums import Side, Status
from state.queries.record_check import check_record
from tests.harness.crash_matrix import CRASH_KINDS, for_each_crash_point, lane_cases, run_until_crash
from tests.harness.databases import Databases
from tests.harness.in_process import Harness, build_harness


@dataclass(frozen=True)
class CrashCase:
    options: dict[str, Any]
    columns: dict[str, str] = field(default_factory=dict)


REQUIRED = {"hook": "senders", "hook_required": "yes"}
CASES = {
    "with backup": CrashCase({"kinds": ["healthy"]}, REQUIRED),
    "code first": CrashCase({"kinds": ["no_backup"]}, REQUIRED),
    "code after": CrashCase({"kinds": ["code_refused"]}, {"itinerary": "CODE_AFTER"}),
    "dark on arrival": CrashCase({"kinds": ["dark"]}),
    "onboard": CrashCase({"kinds": ["new"]}),
}


@pytest.mark.parametrize("crash_kind", CRASH_KINDS)
@pytest.mark.parametrize("case_name", CASES)
@pytest.mark.parametrize(("kind", "lane"), lane_cases())
async def test_a_migration_killed_anywhere_still_registers_once(
    databases: Databases, tmp_path: Path, kind: str, lane: int, case_name: str, crash_kind: str
) -> None:
    async def crash_at(nth: int) -> bool:
        return await _crash_and_continue(
            await databases.fresh(), tmp_path / f"home{nth}", CASES[case_name], crash_kind, nth
        )

    await for_each_crash_point(lane, crash_at)


async def _crash_and_continue(url: str, folder: Path, case: CrashCase, crash_kind: str, nth: int) -> bool:
    """Run the migration with one crash. False when it ended before the nth place."""
    harness = await build_harness(folder, url, **case.options)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **case.columns)
    reached = await run_until_crash(harness, crash_kind, nth, lambda app: harness.run_number(app, position.ref))
    async with harness.worker() as app:
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        where = f"killed {crash_kind} {nth}: {position.status} at {position.next_step}: {position.reason}"
        assert (position.side, position.status) == (Side.CLOUD, Status.DONE), where
        assert await app.queries.records.open_attempt(position.migration_id) is None, where
        assert (await check_record(app.database)).problems == [], where
        assert position.dark_since is None, where
    _assert_promises_kept(harness, harness.sandbox.mutations(position.e164), position.e164, where)
    if "hook" in case.columns:
        _assert_no_message_lost(harness, position.e164, where)
    return reached


def _assert_no_message_lost(harness: Harness, e164: str, where: str) -> None:
    """The partner's senders send a message a second, to the end of the move and a minute beyond it."""
    harness.clock.advance(60)
    number = harness.sandbox.world.number(e164)
    harness.sandbox.world.refresh(number, harness.clock.now())
    sender = number.sender
    assert (sender.to_dead_side, sender.lost, sender.doubled) == (0, 0, 0), where
    assert (sender.running, sender.paused_at, sender.route, sender.waiting) == (True, None, "cloud", 0), where
    assert sender.sent >= 60, where


def _assert_promises_kept(harness: Harness, calls: tuple[str, ...], e164: str, where: str) -> None:
    """The calls that the sandbox received keep each step's promise about repeating."""
    counts = Counter(calls)
    number = harness.sandbox.world.number(e164)
    assert (counts["register"], number.registered) == (1, 1), where  # probed: exactly once
    assert counts["command.stop"] <= 1, where
    assert counts["messages"] <= 1, where  # at most once
    assert (number.double_effects, number.wrong_pins) == (0, 0), where
    assert _code_requests_are_apart(harness.sandbox.world.calls), where
    for repeatable in ("onprem.two_step", "set_pin", "profile", "pause_sends", "switch_route", "resume_sends"):
        assert counts[repeatable] <= 3, where


def _code_requests_are_apart(calls: list[Call]) -> bool:
    """At most one code request in each cool-down."""
    times = [call.at for call in calls if call.call == "request_code"]
    return all((later - earlier).total_seconds() >= 60 for earlier, later in pairwise(times))
