"""Every step killed at every commit and at every send, and taken up by another worker.

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
from tests.harness.crash_matrix import CRASH_KINDS, for_each_crash_point, lane_cases, run_until_crash
from tests.harness.databases import Databases
from tests.harness.in_process import Harness, build_harness


@dataclass(frozen=True)
class Story:
    how: dict[str, Any]
    columns: dict[str, str] = field(default_factory=dict)


STORIES = {
    "with backup": Story({"kinds": ["healthy"]}, {"hook": "senders"}),
    "code first": Story({"kinds": ["no_backup"]}, {"hook": "senders"}),
    "code after": Story({"kinds": ["code_refused"]}, {"itinerary": "CODE_AFTER"}),
    "dark on arrival": Story({"kinds": ["dark"]}),
    "onboard": Story({"kinds": ["new"]}),
}


@pytest.mark.parametrize("kill", CRASH_KINDS)
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(("kind", "lane"), lane_cases())
async def test_killed_anywhere_it_still_moves_once(
    databases: Databases, tmp_path: Path, kind: str, lane: int, story: str, kill: str
) -> None:
    async def told(nth: int) -> bool:
        return await _killed_at(await databases.fresh(), tmp_path / f"home{nth}", STORIES[story], kill, nth)

    await for_each_crash_point(lane, told)


async def _killed_at(url: str, folder: Path, story: Story, kill: str, nth: int) -> bool:
    """Tell the story with one kill. False when there was no nth place to be killed at."""
    harness = await build_harness(folder, url, **story.how)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, **story.columns)
    there_was = await run_until_crash(harness, kill, nth, lambda app: harness.run_number(app, at.ref))
    async with harness.worker() as app:
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        where = f"killed {kill} {nth}: {at.status} at {at.next_step}: {at.reason}"
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE), where
        assert await app.queries.records.open_attempt(at.migration_id) is None, where
        assert await app.queries.records.broken_link(at.migration_id) is None, where
        assert at.dark_since is None, where
    _promises_kept(harness, harness.sandbox.mutations(at.e164), at.e164, where)
    return there_was


def _promises_kept(harness: Harness, calls: tuple[str, ...], e164: str, where: str) -> None:
    """What each step declares about repeating, on what the far side saw."""
    seen = Counter(calls)
    number = harness.sandbox.world.number(e164)
    assert (seen["register"], number.registered) == (1, 1), where  # probed: exactly once
    assert seen["command.stop"] <= 1, where
    assert seen["messages"] <= 1, where  # at most once
    assert (number.double_effects, number.wrong_pins) == (0, 0), where
    assert _code_requests_are_apart(harness.sandbox.world.calls), where
    for repeatable in ("onprem.two_step", "set_pin", "profile", "pause_sends", "switch_route", "resume_sends"):
        assert seen[repeatable] <= 3, where


def _code_requests_are_apart(calls: list[Call]) -> bool:
    """At most one per cool-down."""
    times = [call.at for call in calls if call.call == "request_code"]
    return all((later - earlier).total_seconds() >= 60 for earlier, later in pairwise(times))
