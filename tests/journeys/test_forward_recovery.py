"""Forward recovery asked for at every step, and killed anywhere: what is dark comes up on Cloud, once."""

import pytest

from migration.app import App
from migration.engine.itineraries import ItineraryName
from migration.operations.numbers import recover_forward
from state.rows import Position
from tests.harness.copier import Copies
from tests.harness.crash_points import KILLS
from tests.harness.in_process import Rig
from tests.harness.interruptions import (
    Due,
    asked_at_every_step,
    asked_at_every_step_and_killed,
    asked_in_the_middle,
    told_killed,
    told_whole,
)
from tests.harness.scenarios import IN_THE_MIDDLE, TALES, Tale


async def _ask(app: App, ref: str) -> None:
    await recover_forward(app, ref, "it has to come up", "tester")


def _expect(tale: Tale, rig: Rig, at: Position) -> Due | None:
    """What serves On-Premises stays there; its recovery stops, and the page leads to an abort."""
    if at.itinerary == ItineraryName.FORWARD_RECOVERY and at.ended_at is None:
        return None
    return Due("on_premises" if rig.number(at).side == "on_premises" else "cloud")


@pytest.mark.parametrize(("kind", "tale"), told_whole(TALES))
async def test_recovery_asked_for_at_every_step(copies: Copies, tale: str) -> None:
    await asked_at_every_step(copies, TALES[tale], _ask, _expect)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize(("kind", "tale", "lane"), told_killed(TALES))
async def test_recovery_killed_at_every_step(copies: Copies, tale: str, kill: str, lane: int | None) -> None:
    await asked_at_every_step_and_killed(copies, TALES[tale], _ask, _expect, kill, lane)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize(("kind", "tale", "lane"), told_killed(IN_THE_MIDDLE))
async def test_recovery_in_the_middle_of_a_step(copies: Copies, tale: str, kill: str, lane: int | None) -> None:
    await asked_in_the_middle(copies, TALES[tale], _ask, _expect, kill, lane)
