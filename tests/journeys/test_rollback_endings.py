"""Abort and recovery during a rollback: before it leaves Cloud, and after On-Premises serves again."""

import pytest

from migration.app import App
from migration.operations.numbers import abort
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.waves.next_command import next_command
from state.enums import Side, Status
from state.errors import Conflict
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.operator_requests import request_recovery
from tests.harness.scenarios import WITH_CLIENT

BY_RESTORE: dict[str, object] = {}
BY_CODE: dict[str, object] = {"restore_registers": "never"}


async def _roll_back_to_step(harness: Harness, app: App, step: str) -> Position:
    (position,) = await harness.import_numbers(app, **WITH_CLIENT)
    await harness.run_number(app, position.ref)
    position = await back_to_onprem(app, await read_rollback_assessment(app, position.ref), "tester")
    return await harness.advance_to(app, position, step)


async def test_an_aborted_rollback_tells_senders_the_side_that_serves(make_harness: MakeHarness) -> None:
    """The number never left Cloud: `resume_sends` names Cloud."""
    harness = await make_harness(kinds=["verified"], world="open")
    async with harness.worker() as app:
        position = await _roll_back_to_step(harness, app, "deregister_cloud")
        await abort(app, position.ref, "changed our minds", "tester")
        body = (await app.queries.records.outbox(position.migration_id))[-1]["body"]
    assert harness.sandbox_number(position).side == "cloud"
    assert (body["event"], body["to"]) == ("resume_sends", "cloud")


@pytest.mark.parametrize(
    ("switches", "step"),
    [(BY_RESTORE, "request_code_onprem"), (BY_CODE, "smoke_onprem"), (BY_CODE, "switch_route")],
)
async def test_abort_is_refused_after_deregister_cloud(
    make_harness: MakeHarness, switches: dict[str, object], step: str
) -> None:
    """After deregister_cloud an abort is refused, also when On-Premises serves already."""
    harness = await make_harness(kinds=["verified"], world="open", switches=switches)
    async with harness.worker() as app:
        position = await _roll_back_to_step(harness, app, step)
        with pytest.raises(Conflict, match="point of no return"):
            await abort(app, position.ref, "changed our minds", "tester")
        await harness.run_number(app, position.ref)
    assert harness.sandbox_number(position).side == "on_premises"
    assert harness.sandbox_number(position).sender.route == "on_premises"


@pytest.mark.parametrize("step", ["restart_onprem", "confirm_onprem", None])
async def test_recovery_of_a_number_that_serves_on_premises_is_blocked(
    make_harness: MakeHarness, step: str | None
) -> None:
    """The recovery stops with the side that was read, and an abort ends the number there."""
    harness = await make_harness(kinds=["verified"], world="open")
    async with harness.worker() as app:
        if step is None:
            position = await _roll_back_to_step(harness, app, "resume_sends")
            await harness.run_number(app, position.ref)
        else:
            position = await _roll_back_to_step(harness, app, step)
        await request_recovery(app, position.ref)
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.find(position.ref)
        assert harness.sandbox_number(position).side == "on_premises"
        assert (position.side, position.status) == (Side.ON_PREMISES, Status.BLOCKED), next_command(
            position, await app.queries.now()
        )
        await abort(app, position.ref, "it serves where it was", "tester")
        position = await app.queries.positions.find(position.ref)
    assert (position.side, position.status) == (Side.ON_PREMISES, Status.ABORTED)
    assert harness.sandbox_number(position).sender.route == "on_premises"


@pytest.mark.parametrize(
    ("route", "error_code"),
    [("account", 432), ("account", 1014), ("account", 1031), ("account", 1005), ("verify", 1000), ("verify", 1031)],
)
async def test_a_registration_refused_with_an_undocumented_error_code_loses_no_number(
    make_matrix_harness: MakeHarness, route: str, error_code: int
) -> None:
    """The number ends On-Premises, or is blocked with a runbook. docs/unconfirmed.md has the error codes."""
    harness = await make_matrix_harness(kinds=["verified"], world="open", switches=BY_CODE)
    async with harness.worker() as app:
        position = await _roll_back_to_step(harness, app, "restart_onprem")
        harness.sandbox.faults.add(route=f"onprem.{route}", kind="error", code=error_code)
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.find(position.ref)
        if error_code in (432, 1031):
            assert position.status is Status.BLOCKED
            assert next_command(position, await app.queries.now()).startswith("cutover runbook")
            assert f"({error_code})" in str(position.reason)
        else:
            assert (position.status, harness.sandbox_number(position).side) == (Status.DONE, "on_premises"), (
                position.reason
            )
    assert (harness.sandbox_number(position).wrong_pins, harness.sandbox_number(position).double_effects) == (0, 0)
