"""A refused call is recorded, not repeated in vain, and never taken for the outcome of another call."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from migration.steps.outcomes import Advanced, Blocked, Held, Waiting
from state.enums import AttemptEnd, Side, Status
from state.proof import is_proved
from tests.harness.crash_matrix import run_until_crash
from tests.harness.in_process import MakeHarness

VERIFY = {"kind": "error", "code": 133006, "details": "The phone number needs to be verified before registering."}


def _fault(route: str, **fields: Any) -> dict[str, Any]:
    return {"route": route, "e164": None, "times": 1, **fields}


async def test_a_wrong_pin_is_not_sent_twice_when_graph_cannot_be_read(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
        harness.sandbox_number(position).pin = "999999"
        reads = Counter(call.call for call in harness.sandbox.world.calls)["get.number"]

        def make_graph_fail() -> None:
            if "register" not in harness.mutations(position):  # the intent is committed: the call comes next
                harness.sandbox.faults.add(**_fault("get.number", kind="500") | {"times": 0})

        commits = harness.crash_point.commits
        harness.crash_point.on_commit = lambda: (
            make_graph_fail() if harness.crash_point.commits == commits + 2 else None
        )
        outcome = await app.runner.run_one(position.migration_id)
        while isinstance(outcome, Waiting):
            harness.clock.advance((outcome.until - harness.clock.now()).total_seconds())
            outcome = await app.runner.run_one(position.migration_id)
        harness.crash_point.on_commit = None
        assert harness.mutations(position).count("register") == 1
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/wrong-pin.md"
        assert Counter(call.call for call in harness.sandbox.world.calls)["get.number"] > reads
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.dark_by_us, position.pin_provenance) == (Side.UNKNOWN, True, None)
        await harness.run_number(app, position.ref)
    assert (harness.mutations(position).count("register"), harness.sandbox_number(position).wrong_pins) == (1, 1)


async def test_a_token_refused_during_a_probe_leaves_the_attempt_open(make_harness: MakeHarness) -> None:
    """The response to request_code was lost; a second request would ring the same phone again."""
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "request_code")
    assert await run_until_crash(harness, "after_send", 1, lambda app: app.runner.run_step(position.migration_id))
    async with harness.worker() as app:
        harness.clock.advance(50)
        harness.sandbox.faults.add(**_fault("get.number", kind="error", code=190, details="expired"))
        assert isinstance(await app.runner.run_step(position.migration_id), Held)
        assert await app.queries.records.open_attempt(position.migration_id) is not None
        await app.ledger.profiles.resume(position.profile)
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.get(position.migration_id)).status is Status.DONE
    assert harness.mutations(position).count("request_code") == 1


async def test_a_refused_login_closes_the_attempt(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "secure_pin")
        harness.sandbox.faults.add(**_fault("onprem.two_step", kind="error", code=1005, status=401, details="no"))
        harness.sandbox.faults.add(**_fault("onprem.login", kind="error", code=1005, status=401, details="no"))
        outcome = await app.runner.run_step(position.migration_id)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/onprem-login.md"
        assert (await app.queries.records.attempts(position.migration_id))[-1]["ended"] == AttemptEnd.REFUSED


async def test_register_with_a_backup_that_needs_a_code_blocks_the_number(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(**_fault("register", **VERIFY))
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, "133006" in outcome.reason) == ("runbooks/refused.md", True)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.crossed_at, position.next_step) == (Side.ON_PREMISES, None, "register")
        assert await app.queries.records.open_attempt(position.migration_id) is None
    assert harness.mutations(position).count("register") == 1


@pytest.mark.parametrize("kind", ["dark", "no_backup", "new"])
async def test_register_is_not_repeated_when_the_code_it_demands_is_already_verified(
    make_matrix_harness: MakeHarness, kind: str
) -> None:
    harness = await make_matrix_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(**_fault("register", **VERIFY) | {"times": 0})
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/refused.md"
    assert harness.mutations(position).count("register") == 2


async def test_an_optional_step_is_not_skipped_while_its_attempt_is_open(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "restore_profile")
        harness.sandbox.faults.add(**_fault("profile", kind="lost_answer"))
        harness.sandbox.faults.add(**_fault("get.profile", kind="error", code=100, details="no", after=2))
        outcome = await app.runner.run_step(position.migration_id)
        assert isinstance(outcome, Blocked | Waiting), outcome
        position = await app.queries.positions.get(position.migration_id)
        assert (position.next_step, position.ended_at) == ("restore_profile", None)
        await app.ledger.operator_changes.retry(position.migration_id, "looked again", "tester")
        assert await harness.run_number(app, position.ref) == Advanced("restore_profile", ended=True)
        assert await app.queries.records.open_attempt(position.migration_id) is None


async def test_a_refusal_that_repeats_after_every_wait_blocks_the_number(make_harness: MakeHarness) -> None:
    """Error 133010 of a smoke message means a lag after register, but only for some minutes: the senders are paused."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "send_smoke")
        began = harness.clock.now()
        harness.sandbox.faults.add(
            **_fault("messages", kind="error", code=133010, details="not registered") | {"times": 0}
        )
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/smoke-failed.md"
    assert harness.mutations(position).count("messages") == 8
    assert timedelta(minutes=2) < harness.clock.now() - began < timedelta(minutes=6)


@pytest.mark.parametrize("code", [131026, 132001])
async def test_a_message_that_is_refused_for_its_recipient_or_template_keeps_nobody_waiting(
    make_harness: MakeHarness, code: int
) -> None:
    """A wrong template would have stopped each number of a wave after its crossing, with its senders paused."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await harness.import_numbers(app, hook="senders")
        harness.sandbox.faults.add(**_fault("messages", kind="error", code=code, details="no") | {"times": 0})
        await harness.run_number(app, "N-0001")
        position = await app.queries.positions.find("N-0001")
        assert (position.status, position.smoke_state, position.smoke_error) == (Status.DONE, "failed", code)
        assert not is_proved(position)
        assert harness.mutations(position).count("messages") == 1
        (message,) = await app.queries.proofs.messages(position.migration_id)
        assert (message["state"], message["error"]) == ("failed", code)
        assert harness.sandbox_number(position).sender.running


@pytest.mark.parametrize("kind", ["healthy", "verified"])
async def test_a_backup_that_cannot_be_stored_blocks_the_number(make_harness: MakeHarness, kind: str) -> None:
    harness = await make_harness(kinds=[kind])
    shelf = harness.settings.backup_folder
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, itinerary="WITH_BACKUP" if kind == "healthy" else "CODE_FIRST")
        shelf.write_text("a file where the folder should be")
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, "cannot be written" in outcome.reason) == ("runbooks/no-backup.md", True)
        assert (await app.queries.positions.get(position.migration_id)).next_step == "back_up"
        shelf.unlink()
        await app.ledger.operator_changes.retry(position.migration_id, "the folder is mended", "tester")
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
    assert harness.sandbox_number(position).registered == 1
