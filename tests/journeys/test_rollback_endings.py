"""What a person may ask for once a way back has brought the number up On-Premises again, or has not begun."""

import pytest

from migration.app import App
from migration.operations.numbers import abort
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.operations.wording import next_command
from state.enums import Side, Status
from state.errors import Conflict
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.operator_requests import request_recovery
from tests.harness.scenarios import WITH_CLIENT

BY_RESTORE: dict[str, object] = {}
BY_CODE: dict[str, object] = {"restore_registers": "never"}


async def _on_its_way_back(harness: Harness, app: App, step: str) -> Position:
    (at,) = await harness.import_numbers(app, **WITH_CLIENT)
    await harness.run_number(app, at.ref)
    at = await back_to_onprem(app, await read_rollback_assessment(app, at.ref), "tester")
    return await harness.advance_to(app, at, step)


async def test_an_aborted_way_back_tells_senders_the_side_that_serves(make_harness: MakeHarness) -> None:
    """It never left Cloud: `resume_sends` says so."""
    harness = await make_harness(kinds=["verified"], world="open")
    async with harness.worker() as app:
        at = await _on_its_way_back(harness, app, "deregister_cloud")
        await abort(app, at.ref, "changed our minds", "tester")
        body = (await app.queries.records.outbox(at.migration_id))[-1]["body"]
    assert harness.sandbox_number(at).side == "cloud"
    assert (body["event"], body["to"]) == ("resume_sends", "cloud")


@pytest.mark.parametrize(
    ("switches", "step"),
    [(BY_RESTORE, "request_code_onprem"), (BY_CODE, "smoke_onprem"), (BY_CODE, "switch_route")],
)
async def test_no_abort_leaves_senders_on_the_side_that_is_off(
    make_harness: MakeHarness, switches: dict[str, object], step: str
) -> None:
    """Past deregister_cloud there is nothing to abort, also once On-Premises is read to serve."""
    harness = await make_harness(kinds=["verified"], world="open", switches=switches)
    async with harness.worker() as app:
        at = await _on_its_way_back(harness, app, step)
        with pytest.raises(Conflict, match="point of no return"):
            await abort(app, at.ref, "changed our minds", "tester")
        await harness.run_number(app, at.ref)
    assert harness.sandbox_number(at).side == "on_premises"
    assert harness.sandbox_number(at).sender.route == "on_premises"


@pytest.mark.parametrize("step", ["restart_onprem", "confirm_onprem", None])
async def test_recovery_of_a_number_that_is_up_onprem_says_so(make_harness: MakeHarness, step: str | None) -> None:
    """There is nothing to recover: the side on record is the one that was read, and abort ends it there."""
    harness = await make_harness(kinds=["verified"], world="open")
    async with harness.worker() as app:
        if step is None:
            at = await _on_its_way_back(harness, app, "resume_sends")
            await harness.run_number(app, at.ref)
        else:
            at = await _on_its_way_back(harness, app, step)
        await request_recovery(app, at.ref)
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.find(at.ref)
        assert harness.sandbox_number(at).side == "on_premises"
        assert (at.side, at.status) == (Side.ON_PREMISES, Status.BLOCKED), next_command(at, await app.queries.now())
        await abort(app, at.ref, "it serves where it was", "tester")
        at = await app.queries.positions.find(at.ref)
    assert (at.side, at.status) == (Side.ON_PREMISES, Status.ABORTED)
    assert harness.sandbox_number(at).sender.route == "on_premises"


@pytest.mark.parametrize(
    ("route", "code"),
    [("account", 432), ("account", 1014), ("account", 1031), ("account", 1005), ("verify", 1000), ("verify", 1031)],
)
async def test_a_registration_refused_once_with_a_code_that_no_page_gives_costs_no_number(
    make_matrix_harness: MakeHarness, route: str, code: int
) -> None:
    """It ends On-Premises, or stops with a page; asked again there it goes on. docs/unconfirmed.md has the codes."""
    harness = await make_matrix_harness(kinds=["verified"], world="open", switches=BY_CODE)
    async with harness.worker() as app:
        at = await _on_its_way_back(harness, app, "restart_onprem")
        harness.sandbox.faults.add(route=f"onprem.{route}", kind="error", code=code)
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.find(at.ref)
        if code in (432, 1031):
            assert at.status is Status.BLOCKED
            assert next_command(at, await app.queries.now()).startswith("cutover runbook")
            assert f"({code})" in str(at.reason)
        else:
            assert (at.status, harness.sandbox_number(at).side) == (Status.DONE, "on_premises"), at.reason
    assert (harness.sandbox_number(at).wrong_pins, harness.sandbox_number(at).double_effects) == (0, 0)
