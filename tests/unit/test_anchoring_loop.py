"""A loop anchors the record every minute, and at its end."""

import asyncio
from typing import cast

from migration.app import App
from migration.waves.anchoring import Anchoring
from tests.harness.clock import START, FakeClock


class Anchors:
    def __init__(self) -> None:
        self.written = 0

    async def write(self) -> None:
        self.written += 1


class Surroundings:
    def __init__(self) -> None:
        self.clock, self.anchors = FakeClock(START), Anchors()


async def test_an_anchor_is_written_once_a_minute() -> None:
    surroundings = Surroundings()
    anchoring = Anchoring(cast("App", surroundings), 60.0)
    counts = []
    for seconds in (0, 59, 2, 1, 60):
        surroundings.clock.advance(seconds)
        anchoring.begin_pass()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        counts.append(surroundings.anchors.written)
    await anchoring.finish()
    assert (counts[1], counts[-1] >= 1, surroundings.anchors.written) == (0, True, 3)
