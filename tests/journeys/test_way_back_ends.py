"""What a person may ask for once a way back has brought the number up On-Premises again, or has not begun."""

import pytest

from migration.actions import abort, back_to_onprem, look_back
from migration.advice import next_command
from migration.bootstrap import App
from state.errors import Conflict
from state.rows import Position
from state.sides import Side, Status
from tests.conftest import MakeRig
from tests.journeys import test_forward_recovery as forward
from tests.journeys.tales import WITH_CLIENT
from tests.rig import Rig

BY_RESTORE: dict[str, object] = {}
BY_CODE: dict[str, object] = {"restore_registers": "never"}


async def _on_its_way_back(told: Rig, app: App, step: str) -> Position:
    (at,) = await told.imported(app, **WITH_CLIENT)
    await told.drive(app, at.ref)
    at = await back_to_onprem(app, await look_back(app, at.ref), "tester")
    return await told.stand_at(app, at, step)


async def test_an_aborted_way_back_tells_senders_the_side_that_serves(rig: MakeRig) -> None:
    """It never left Cloud: `resume_sends` says so."""
    told = await rig(kinds=["verified"], world="open")
    async with told.worker() as app:
        at = await _on_its_way_back(told, app, "deregister_cloud")
        await abort(app, at.ref, "changed our minds", "tester")
        body = (await app.queries.outbox(at.migration_id))[-1]["body"]
    assert told.number(at).side == "cloud"
    assert (body["event"], body["to"]) == ("resume_sends", "cloud")


@pytest.mark.parametrize(
    ("switches", "step"),
    [(BY_RESTORE, "request_code_onprem"), (BY_CODE, "smoke_onprem"), (BY_CODE, "switch_route")],
)
async def test_no_abort_leaves_senders_on_the_side_that_is_off(
    rig: MakeRig, switches: dict[str, object], step: str
) -> None:
    """Past deregister_cloud there is nothing to abort, also once On-Premises is read to serve."""
    told = await rig(kinds=["verified"], world="open", switches=switches)
    async with told.worker() as app:
        at = await _on_its_way_back(told, app, step)
        with pytest.raises(Conflict, match="point of no return"):
            await abort(app, at.ref, "changed our minds", "tester")
        await told.drive(app, at.ref)
    assert told.number(at).side == "on_premises"
    assert told.number(at).sender.route == "on_premises"


@pytest.mark.parametrize("step", ["restart_onprem", "confirm_onprem", None])
async def test_recovery_of_a_number_that_is_up_onprem_says_so(rig: MakeRig, step: str | None) -> None:
    """There is nothing to recover: the side on record is the one that was read, and abort ends it there."""
    told = await rig(kinds=["verified"], world="open")
    async with told.worker() as app:
        if step is None:
            at = await _on_its_way_back(told, app, "resume_sends")
            await told.drive(app, at.ref)
        else:
            at = await _on_its_way_back(told, app, step)
        await forward._ask(app, at.ref)
        await told.drive(app, at.ref)
        at = await app.queries.find(at.ref)
        assert told.number(at).side == "on_premises"
        assert (at.side, at.status) == (Side.ON_PREMISES, Status.BLOCKED), next_command(at, await app.queries.now())
        await abort(app, at.ref, "it serves where it was", "tester")
        at = await app.queries.find(at.ref)
    assert (at.side, at.status) == (Side.ON_PREMISES, Status.ABORTED)
    assert told.number(at).sender.route == "on_premises"
