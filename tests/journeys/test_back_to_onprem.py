"""Back to On-Premises, and forward again where it is closed: asked for anywhere, killed anywhere, in every world."""

from dataclasses import dataclass
from typing import Any

import pytest

from migration.errors import OperationRefused
from migration.operations.numbers import recover_forward
from state.enums import Side, Status
from tests.harness.in_process import MakeHarness
from tests.harness.operator_requests import request_rollback

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


@pytest.mark.parametrize("name", STORIES)
async def test_the_way_back_in_order(make_matrix_harness: MakeHarness, name: str) -> None:
    story = STORIES[name]
    harness = await make_matrix_harness(**story.how)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, **HOOK)
        await harness.run_number(app, at.ref)
        before = len(harness.mutations(at))
        at = await request_rollback(app, at.ref)
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.status) == (story.ends, Status.DONE), f"{at.next_step}: {at.reason}"
        assert at.dark_since is None
    assert harness.mutations(at)[before:] == story.calls
    assert harness.sandbox_number(at).outage_s is not None
    assert harness.sandbox_number(at).outage_s < 30


@pytest.mark.parametrize("kind", ["healthy", "expired"])
async def test_a_closed_way_is_not_offered_and_changes_nothing(make_matrix_harness: MakeHarness, kind: str) -> None:
    harness = await make_matrix_harness(kinds=[kind], world="after-sunset" if kind == "expired" else "closing")
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, **HOOK)
        await harness.run_number(app, at.ref)
        calls = harness.mutations(at)
        with pytest.raises(OperationRefused, match="closed"):
            await request_rollback(app, at.ref)
        assert (await app.queries.positions.find(at.ref)).migration_id == at.migration_id
    assert harness.mutations(at) == calls


async def test_a_number_that_a_wrong_pin_took_down_comes_forward(make_matrix_harness: MakeHarness) -> None:
    """The PIN was changed behind our back between setting it and register."""
    harness = await make_matrix_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, **HOOK)
        at = await harness.advance_to(app, at, "register")
        harness.sandbox_number(at).pin = "999999"
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.status, at.side, at.dark_by_us) == (Status.BLOCKED, Side.NEITHER, True)
        assert at.runbook == "runbooks/wrong-pin.md"
        assert at.pin_provenance is None
        at = await recover_forward(app, at.ref, "the customer changed the PIN", "tester")
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE), f"{at.next_step}: {at.reason}"
    assert harness.sandbox_number(at).wrong_pins == 1
