"""Rollback of a number on Cloud: back to On-Premises, or forward again where On-Premises is closed."""

from dataclasses import dataclass
from typing import Any

import pytest

from migration.errors import OperationRefused
from migration.operations.numbers import recover_forward
from state.enums import Side, Status
from tests.harness.in_process import MakeHarness
from tests.harness.operator_requests import request_rollback

HOOK = {"hook": "senders", "start_command": "start"}
FORWARD_TAIL = ["register", "switch_route", "messages", "resume_sends", "profile", "profile"]
LEAVE_CLOUD = ["pause_sends", "deregister", "command.start", "onprem.restore", "command.start", "onprem.account"]
BACK_TAIL = ["switch_route", "resume_sends"]


@dataclass(frozen=True)
class RollbackCase:
    """A number on Cloud, the calls of its rollback, and the side where it ends."""

    options: dict[str, Any]
    calls: list[str]
    side: Side


CASES = {
    "open, by restore": RollbackCase(
        {"kinds": ["verified"], "world": "open"},
        ["pause_sends", "deregister", "command.start", "onprem.restore", *BACK_TAIL],
        Side.ON_PREMISES,
    ),
    "open, by code": RollbackCase(
        {"kinds": ["verified"], "world": "open", "switches": {"restore_registers": "never"}},
        [*LEAVE_CLOUD, "onprem.verify", *BACK_TAIL],
        Side.ON_PREMISES,
    ),
    "closing: forward again": RollbackCase(
        {"kinds": ["verified"], "world": "closing"},
        [*LEAVE_CLOUD, *FORWARD_TAIL],
        Side.CLOUD,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_the_calls_of_a_rollback_in_order(make_matrix_harness: MakeHarness, name: str) -> None:
    case = CASES[name]
    harness = await make_matrix_harness(**case.options)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **HOOK)
        await harness.run_number(app, position.ref)
        before = len(harness.mutations(position))
        position = await request_rollback(app, position.ref)
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.status) == (case.side, Status.DONE), f"{position.next_step}: {position.reason}"
        assert position.dark_since is None
    assert harness.mutations(position)[before:] == case.calls
    assert harness.sandbox_number(position).outage_s is not None
    assert harness.sandbox_number(position).outage_s < 30


@pytest.mark.parametrize("kind", ["healthy", "expired"])
async def test_a_closed_rollback_is_refused_and_changes_nothing(make_matrix_harness: MakeHarness, kind: str) -> None:
    harness = await make_matrix_harness(kinds=[kind], world="after-sunset" if kind == "expired" else "closing")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **HOOK)
        await harness.run_number(app, position.ref)
        calls = harness.mutations(position)
        with pytest.raises(OperationRefused, match="closed"):
            await request_rollback(app, position.ref)
        assert (await app.queries.positions.find(position.ref)).migration_id == position.migration_id
    assert harness.mutations(position) == calls


async def test_a_number_taken_down_by_a_wrong_pin_is_recovered(make_matrix_harness: MakeHarness) -> None:
    """Somebody else changed the PIN after we set it and before register."""
    harness = await make_matrix_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **HOOK)
        position = await harness.advance_to(app, position, "register")
        harness.sandbox_number(position).pin = "999999"
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.status, position.side, position.dark_by_us) == (Status.BLOCKED, Side.NEITHER, True)
        assert position.runbook == "runbooks/wrong-pin.md"
        assert position.pin_provenance is None
        position = await recover_forward(app, position.ref, "the customer changed the PIN", "tester")
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.status) == (Side.CLOUD, Status.DONE), f"{position.next_step}: {position.reason}"
    assert harness.sandbox_number(position).wrong_pins == 1
