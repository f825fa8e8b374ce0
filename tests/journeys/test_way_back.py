"""Back to On-Premises, forward again, and abort: begun anywhere, killed anywhere, in each of the three worlds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from migration.actions import Refused, abort, back_to_onprem, look_back, recover_forward
from migration.advice import next_command
from migration.bootstrap import App
from migration.itinerary import WITH_BACKUP
from state.errors import StateError
from state.rows import Position
from state.sides import Side, Status
from tests.conftest import Databases, MakeRig
from tests.rig import Killed, Rig, Scythe, make_rig

LANES = 6
KILLS = ("at_commit", "before_send", "after_send")
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
    columns: dict[str, str] = field(default_factory=dict)


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


async def _asked_back(app: App, at: Position) -> Position:
    return await back_to_onprem(app, await look_back(app, at.ref), "tester")


@pytest.mark.parametrize("name", STORIES)
async def test_the_way_back_in_order(big_matrix_rig: MakeRig, name: str) -> None:
    story = STORIES[name]
    told = await big_matrix_rig(**story.how)
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        await told.drive(app, at.ref)
        before = len(told.mutations(at))
        at = await _asked_back(app, at)
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
        with pytest.raises(Refused, match="closed"):
            await _asked_back(app, at)
        assert (await app.queries.find(at.ref)).migration_id == at.migration_id
    assert told.mutations(at) == calls


@pytest.mark.parametrize("world", ["open", "closing"])
@pytest.mark.parametrize("step", [leg.step.name for leg in WITH_BACKUP.legs])
async def test_back_asked_for_at_every_step_ends_on_one_side(big_matrix_rig: MakeRig, world: str, step: str) -> None:
    told = await big_matrix_rig(kinds=["verified"], world=world)
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        at = await _stand_at(told, app, at, step)
        try:
            at = await _asked_back(app, at)
        except (Refused, StateError):
            assert told.number(at).platform == "ON_PREMISE"  # it never left: abort is what there is
        await told.drive(app, at.ref)
        await _on_one_side(told, app, at)


@pytest.mark.parametrize("step", [leg.step.name for leg in WITH_BACKUP.legs])
async def test_abort_asked_for_at_every_step(big_matrix_rig: MakeRig, step: str) -> None:
    told = await big_matrix_rig(kinds=["healthy"])
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        at = await _stand_at(told, app, at, step)
        crossed = at.crossed_at is not None
        calls = told.mutations(at)
        if crossed:
            with pytest.raises(StateError, match="point of no return"):
                await abort(app, at.ref, "changed our minds", "tester")
            assert told.mutations(at) == calls
            await told.drive(app, at.ref)
        else:
            await abort(app, at.ref, "changed our minds", "tester")
            at = await app.queries.position(at.migration_id)
            assert at.status is Status.ABORTED
            assert told.mutations(at)[len(calls) :] == (["resume_sends"] if at.sender_gap_seconds is not None else [])
            assert ("pause_sends" in calls) == ("resume_sends" in told.mutations(at))
        await _on_one_side(told, app, at)
    assert told.number(at).platform == ("CLOUD_API" if crossed else "ON_PREMISE")


async def test_a_number_that_a_wrong_pin_took_down_comes_forward(big_matrix_rig: MakeRig) -> None:
    """The PIN was changed behind our back between setting it and register."""
    told = await big_matrix_rig(kinds=["healthy"])
    async with told.worker() as app:
        (at,) = await told.imported(app, **HOOK)
        at = await _stand_at(told, app, at, "register")
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


async def _stand_at(told: Rig, app: App, at: Position, step: str) -> Position:
    """Move the number until `step` is its next one."""
    for _ in range(200):
        at = await app.queries.position(at.migration_id)
        if at.next_step in (step, None):
            return at
        outcome = await app.mover.run_step(at.migration_id)
        if app.mover.stops(outcome):
            raise AssertionError(f"stopped at {at.next_step}: {outcome}")
        await app.mover.wait(outcome)
    raise AssertionError(f"never came to {step}")


async def _on_one_side(told: Rig, app: App, at: Position) -> None:
    at = await app.queries.find(at.ref)
    assert at.side in (Side.CLOUD, Side.ON_PREMISES) or at.status is Status.ABORTED, f"{at.side} at {at.next_step}"
    assert told.number(at).platform in ("CLOUD_API", "ON_PREMISE")
    assert next_command(at, await app.queries.now())


def _lanes() -> Sequence[Any]:
    lanes = []
    for kind in ("sqlite", "postgresql"):
        for lane in range(LANES):
            marks = [pytest.mark.crash] if lane else []
            if kind == "postgresql":
                marks.append(pytest.mark.postgres if lane else pytest.mark.slow)
            lanes.append(pytest.param(kind, lane, id=f"{kind}-{lane}", marks=marks))
    return lanes


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(("kind", "lane"), _lanes())
async def test_killed_on_the_way_back(
    databases: Databases, tmp_path: Path, kind: str, lane: int, story: str, kill: str
) -> None:
    nth = lane + 1
    while await _killed_at(await databases.fresh(), tmp_path / f"home{nth}", STORIES[story], kill, nth):
        nth += LANES


async def _killed_at(url: str, folder: Path, story: Story, kill: str, nth: int) -> bool:
    rig = await make_rig(folder, url, **story.how)
    async with rig.worker() as app:
        (at,) = await rig.imported(app, **HOOK)
        await rig.drive(app, at.ref)
        await _asked_back(app, at)
    before = len(rig.mutations(at))
    rig.scythe = Scythe.out(kill, nth)
    try:
        async with rig.worker() as app:
            await rig.drive(app, at.ref)
    except Killed:
        pass
    struck = rig.scythe.struck
    rig.scythe = Scythe()
    async with rig.worker() as app:
        await rig.drive(app, at.ref)
        at = await app.queries.find(at.ref)
        where = f"killed {kill} {nth}: {at.side}, {at.status} at {at.next_step}: {at.reason}"
        assert (at.side, at.status) == (story.ends, Status.DONE), where
    seen = rig.mutations(at)[before:]
    assert seen.count("deregister") == 1, where
    assert seen.count("register") == (1 if story.ends is Side.CLOUD else 0), where
    assert rig.number(at).wrong_pins == 0, where
    return struck
