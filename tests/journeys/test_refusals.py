"""A refusal costs one call: it is not forgotten, not asked for again in vain, and never taken for another's answer."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from migration.steps.outcomes import Advanced, Blocked, Held, Waiting
from state.enums import AttemptEnd, Side, Status
from tests.harness.crash_matrix import run_until_crash
from tests.harness.in_process import MakeHarness

VERIFY = {"kind": "error", "code": 133006, "details": "The phone number needs to be verified before registering."}


def _fault(route: str, **what: Any) -> dict[str, Any]:
    return {"route": route, "e164": None, "times": 1, **what}


async def test_a_wrong_pin_is_not_sent_twice_because_a_side_could_not_be_read(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "register")
        harness.sandbox_number(at).pin = "999999"
        reads = Counter(call.call for call in harness.sandbox.world.calls)["get.number"]

        def silent_from_now_on() -> None:
            if "register" not in harness.mutations(at):  # the intent is on record: what comes next is the call
                harness.sandbox.faults.add(**_fault("get.number", kind="500") | {"times": 0})

        commits = harness.crash_point.commits
        harness.crash_point.on_commit = lambda: (
            silent_from_now_on() if harness.crash_point.commits == commits + 2 else None
        )
        outcome = await app.runner.run_step(at.migration_id)
        harness.crash_point.on_commit = None
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/wrong-pin.md"
        assert Counter(call.call for call in harness.sandbox.world.calls)["get.number"] > reads
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.dark_by_us, at.pin_provenance) == (Side.UNKNOWN, True, None)
        await harness.run_number(app, at.ref)
    assert (harness.mutations(at).count("register"), harness.sandbox_number(at).wrong_pins) == (1, 1)


async def test_a_token_refused_while_settling_says_nothing_about_the_call(make_harness: MakeHarness) -> None:
    """The code was asked for, and its answer lost; a second one would ring the same phone."""
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "request_code")
    assert await run_until_crash(harness, "after_send", 1, lambda app: app.runner.run_step(at.migration_id))
    async with harness.worker() as app:
        harness.clock.advance(50)
        harness.sandbox.faults.add(**_fault("get.number", kind="error", code=190, details="expired"))
        assert isinstance(await app.runner.run_step(at.migration_id), Held)
        assert await app.queries.records.open_attempt(at.migration_id) is not None
        await app.ledger.profiles.resume(at.profile)
        await harness.run_number(app, at.ref)
        assert (await app.queries.positions.get(at.migration_id)).status is Status.DONE
    assert harness.mutations(at).count("request_code") == 1


async def test_a_login_refused_closes_the_call_it_was_for(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "secure_pin")
        harness.sandbox.faults.add(**_fault("onprem.two_step", kind="error", code=1005, status=401, details="no"))
        harness.sandbox.faults.add(**_fault("onprem.login", kind="error", code=1005, status=401, details="no"))
        outcome = await app.runner.run_step(at.migration_id)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/onprem-login.md"
        assert (await app.queries.records.attempts(at.migration_id))[-1]["ended"] == AttemptEnd.REFUSED


async def test_a_move_with_a_backup_that_needs_a_code_all_the_same_is_a_persons(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(**_fault("register", **VERIFY))
        outcome = await harness.run_number(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, "133006" in outcome.reason) == ("runbooks/refused.md", True)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.crossed_at, at.next_step) == (Side.ON_PREMISES, None, "register")
        assert await app.queries.records.open_attempt(at.migration_id) is None
    assert harness.mutations(at).count("register") == 1


@pytest.mark.parametrize("kind", ["dark", "no_backup", "new"])
async def test_register_is_not_repeated_where_the_code_it_asks_for_is_verified_already(
    make_matrix_harness: MakeHarness, kind: str
) -> None:
    harness = await make_matrix_harness(kinds=[kind])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(**_fault("register", **VERIFY) | {"times": 0})
        outcome = await harness.run_number(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/refused.md"
    assert harness.mutations(at).count("register") == 2


async def test_an_optional_step_is_not_passed_over_while_its_call_is_open(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "restore_profile")
        harness.sandbox.faults.add(**_fault("profile", kind="lost_answer"))
        harness.sandbox.faults.add(**_fault("get.profile", kind="error", code=100, details="no", after=2))
        outcome = await app.runner.run_step(at.migration_id)
        assert isinstance(outcome, Blocked | Waiting), outcome
        at = await app.queries.positions.get(at.migration_id)
        assert (at.next_step, at.ended_at) == ("restore_profile", None)
        await app.ledger.operator_changes.retry(at.migration_id, "looked again", "tester")
        assert await harness.run_number(app, at.ref) == Advanced("restore_profile", ended=True)
        assert await app.queries.records.open_attempt(at.migration_id) is None


async def test_a_refusal_that_is_always_to_be_waited_out_comes_to_a_person(make_harness: MakeHarness) -> None:
    """133010 of a smoke message is a lag after register, for so long; senders wait behind it."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "send_smoke")
        began = harness.clock.now()
        harness.sandbox.faults.add(
            **_fault("messages", kind="error", code=133010, details="not registered") | {"times": 0}
        )
        outcome = await harness.run_number(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/smoke-failed.md"
    assert harness.mutations(at).count("messages") == 8
    assert timedelta(minutes=2) < harness.clock.now() - began < timedelta(minutes=6)


@pytest.mark.parametrize("kind", ["healthy", "verified"])
async def test_a_backup_that_cannot_be_kept_stops_its_number_and_is_not_passed_over(
    make_harness: MakeHarness, kind: str
) -> None:
    harness = await make_harness(kinds=[kind])
    shelf = harness.settings.shelf
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, itinerary="WITH_BACKUP" if kind == "healthy" else "CODE_FIRST")
        shelf.write_text("a file where the folder should be")
        outcome = await harness.run_number(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, "cannot be written" in outcome.reason) == ("runbooks/no-backup.md", True)
        assert (await app.queries.positions.get(at.migration_id)).next_step == "back_up"
        shelf.unlink()
        await app.ledger.operator_changes.retry(at.migration_id, "the folder is mended", "tester")
        assert isinstance(await harness.run_number(app, at.ref), Advanced)
    assert harness.sandbox_number(at).registered == 1
