"""Abort asked for at every step, and killed anywhere: before the point of no return it ends a number where it is."""

import pytest

from migration.app import App
from migration.engine.itineraries import ItineraryName
from migration.operations.numbers import abort
from state.enums import Side
from state.rows import Position
from tests.harness.copier import Copies
from tests.harness.crash_points import KILLS
from tests.harness.final_state import PROBED, effects
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
    await abort(app, ref, "changed our minds", "tester")


def _expect(tale: Tale, rig: Rig, at: Position) -> Due | None:
    """Refused at the end, and between a call that cannot be taken back and the reading that it was taken back."""
    began = sum(call.at < at.created_at for call in rig.sandbox.world.calls)
    crossed = any(effects(rig, at, began)[call] for call in PROBED)
    set_out_from = Side.CLOUD if at.itinerary == ItineraryName.BACK_TO_ONPREM else Side.ON_PREMISES
    if at.ended_at is not None or (crossed and at.side is not set_out_from):
        return None
    return Due(rig.number(at).side)


@pytest.mark.parametrize(("kind", "tale"), told_whole(TALES))
async def test_abort_asked_for_at_every_step(copies: Copies, tale: str) -> None:
    await asked_at_every_step(copies, TALES[tale], _ask, _expect)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize(("kind", "tale", "lane"), told_killed(TALES))
async def test_abort_killed_at_every_step(copies: Copies, tale: str, kill: str, lane: int | None) -> None:
    await asked_at_every_step_and_killed(copies, TALES[tale], _ask, _expect, kill, lane)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize(("kind", "tale", "lane"), told_killed(IN_THE_MIDDLE))
async def test_abort_in_the_middle_of_a_step(copies: Copies, tale: str, kill: str, lane: int | None) -> None:
    await asked_in_the_middle(copies, TALES[tale], _ask, _expect, kill, lane)
