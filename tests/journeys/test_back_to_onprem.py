"""Back to On-Premises, and forward again where it is closed: asked for anywhere, killed anywhere, in every world."""

from dataclasses import dataclass
from typing import Any

import pytest

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.numbers import recover_forward
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from state.enums import Side, Status
from state.rows import Position
from tests.conftest import MakeRig
from tests.harness.copier import Copies
from tests.harness.crash_points import KILLS
from tests.harness.final_state import effects
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

HOOK = {"hook": "senders", "start_command": "start"}
FORWARD_TAIL = ["register", "switch_route", "messages", "resume_sends", "profile"]
LEAVE_CLOUD = ["pause_sends", "deregister", "command.start", "onprem.restore", "command.start", "onprem.account"]
BACK_TAIL = ["switch_route", "resume_sends"]


@dataclass(frozen=True)
class Story:
    """A number that was moved to Cloud and is asked back."""

    how: dict[str, Any]
    calls: list[str]  # of the way back
    ends: Side


STORIES = {
    "open, by restore": Story(
        {"kinds": ["verified"], "world": "open"},
        ["pause_sends", "deregister", "command.start", "onprem.restore", *BACK_TAIL],
        Side.ON_PREMISES,
    ),
    "open, by code": Story(
        {"kinds": ["verified"], "world": "open", "switches": {"restore_registers": "never"}},
        [*LEAVE_CLOUD, "onprem.verify", *BACK_TAIL],
        Side.ON_PREMISES,
    ),
    "closing: forward again": Story(
        {"kinds": ["verified"], "world": "closing"},
        [*LEAVE_CLOUD, *FORWARD_TAIL],
        Side.CLOUD,
    ),
}


WITH_A_WAY_BACK = [name for name, tale in TALES.items() if tale.back_from]


async def _ask(app: App, ref: str) -> Position:
    return await back_to_onprem(app, await read_rollback_assessment(app, ref), "tester")


@pytest.mark.parametrize("name", STORIES)
async def test_the_way_back_in_order(big_matrix_rig: MakeRig, name: str) -> None:
    story = STORIES[name]
    told = await big_matrix_rig(**story.how)
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        await told.drive(app, at.ref)
        before = len(told.mutations(at))
        at = await _ask(app, at.ref)
        await told.drive(app, at.ref)
        at = await app.queries.position(at.migration_id)
        assert (at.side, at.status) == (story.ends, Status.DONE), f"{at.next_step}: {at.reason}"
        assert at.dark_since is None
    assert told.mutations(at)[before:] == story.calls
    assert told.number(at).outage_s is not None
    assert told.number(at).outage_s < 30


@pytest.mark.parametrize("kind", ["healthy", "expired"])
async def test_a_closed_way_is_not_offered_and_changes_nothing(big_matrix_rig: MakeRig, kind: str) -> None:
    told = await big_matrix_rig(kinds=[kind], world="after-sunset" if kind == "expired" else "closing")
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        await told.drive(app, at.ref)
        calls = told.mutations(at)
        with pytest.raises(OperationRefused, match="closed"):
            await _ask(app, at.ref)
        assert (await app.queries.find(at.ref)).migration_id == at.migration_id
    assert told.mutations(at) == calls


def _expect(tale: Tale, rig: Rig, at: Position) -> Due | None:
    return _due(tale, rig, at) if tale.back_is_there(at) else None


def _due(tale: Tale, rig: Rig, at: Position) -> Due:
    """What was on Cloud comes forward again unless the world is open; what was only stopped is started again."""
    been_there = effects(rig, at)["register"] > 0
    side = "cloud" if been_there and tale.world != "open" else "on_premises"
    return Due(side, gone_back=rig.number(at).side == "cloud")


@pytest.mark.parametrize(("kind", "tale"), told_whole(TALES))
async def test_back_asked_for_at_every_step(copies: Copies, tale: str) -> None:
    await asked_at_every_step(copies, TALES[tale], _ask, _expect)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize(("kind", "tale", "lane"), told_killed(WITH_A_WAY_BACK))
async def test_back_killed_at_every_step(copies: Copies, tale: str, kill: str, lane: int | None) -> None:
    await asked_at_every_step_and_killed(copies, TALES[tale], _ask, _expect, kill, lane)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize(("kind", "tale", "lane"), told_killed(IN_THE_MIDDLE))
async def test_back_in_the_middle_of_a_step(copies: Copies, tale: str, kill: str, lane: int | None) -> None:
    await asked_in_the_middle(copies, TALES[tale], _ask, _due, kill, lane)


async def test_a_number_that_a_wrong_pin_took_down_comes_forward(big_matrix_rig: MakeRig) -> None:
    """The PIN was changed behind our back between setting it and register."""
    told = await big_matrix_rig(kinds=["healthy"])
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        at = await told.stand_at(app, at, "register")
        told.number(at).pin = "999999"
        await told.drive(app, at.ref)
        at = await app.queries.position(at.migration_id)
        assert (at.status, at.side, at.dark_by_us) == (Status.BLOCKED, Side.NEITHER, True)
        assert at.runbook == "runbooks/wrong-pin.md"
        assert at.pin_provenance is None
        at = await recover_forward(app, at.ref, "the customer changed the PIN", "tester")
        await told.drive(app, at.ref)
        at = await app.queries.position(at.migration_id)
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE), f"{at.next_step}: {at.reason}"
    assert told.number(at).wrong_pins == 1
