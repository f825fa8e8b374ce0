"""What lies between the last moment of On-Premises and the first byte of `register`, counted: docs/architecture.md."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import event

from migration.app import App
from state.enums import Side
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.scenarios import CODE_AFTER, WITH_CLIENT

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


@dataclass(frozen=True)
class Crossing:
    """Calls to both sides and commits after the stop's effect, before `register` leaves."""

    calls: int
    commits: int


KINDS = {
    "WITH_BACKUP": ("verified", WITH_CLIENT),
    "CODE_FIRST": ("no_backup", WITH_CLIENT),
    "CODE_AFTER": ("verified", CODE_AFTER),
}


async def _path(harness: Harness, app: App, ref: str) -> Crossing:
    commits: list[int] = []  # how many calls were on record at each of them
    world = harness.sandbox.world
    event.listen(app.database.sync_engine, "commit", lambda _: commits.append(len(world.calls)))
    await harness.run_number(app, ref)
    assert (await app.queries.positions.find(ref)).side is Side.CLOUD
    names = [call.call for call in world.calls]
    register = names.index("register")
    if "command.stop" not in names[:register]:  # `register` itself takes the number off On-Premises
        return Crossing(0, 0)
    stop = names.index("command.stop")
    return Crossing(register - stop - 1, sum(stop < seen <= register for seen in commits))


def documented(itinerary: str) -> Crossing:
    row = re.search(rf"^\| `{itinerary}`[^|]*\| (\d+)[^|]*\| (\d+)[^|]*\|", PAGE.read_text(), re.MULTILINE)
    assert row is not None, f"the page has no row for {itinerary}"
    return Crossing(int(row[1]), int(row[2]))


@pytest.mark.parametrize("itinerary", KINDS)
async def test_a_crossing_needs_what_the_page_says_and_no_more(make_harness: MakeHarness, itinerary: str) -> None:
    kind, columns = KINDS[itinerary]
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **columns)
        assert position.itinerary == itinerary
        assert await _path(harness, app, position.ref) == documented(itinerary)
