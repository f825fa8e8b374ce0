"""A refusal costs one call: it is not forgotten, not asked for again in vain, and never taken for another's answer."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from migration.steps.outcomes import Advanced, Blocked, Held, Waiting
from state.enums import AttemptEnd, Side, Status
from tests.conftest import MakeRig
from tests.harness.crash_points import struck

VERIFY = {"kind": "error", "code": 133006, "details": "The phone number needs to be verified before registering."}


def _fault(route: str, **what: Any) -> dict[str, Any]:
    return {"route": route, "e164": None, "times": 1, **what}


async def test_a_wrong_pin_is_not_sent_twice_because_a_side_could_not_be_read(rig: MakeRig) -> None:
    told = await rig(kinds=["no_backup"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, "register")
        told.number(at).pin = "999999"
        reads = Counter(call.call for call in told.sandbox.world.calls)["get.number"]

        def silent_from_now_on() -> None:
            if "register" not in told.mutations(at):  # the intent is on record: what comes next is the call
                told.sandbox.faults.add(**_fault("get.number", kind="500") | {"times": 0})

        commits = told.scythe.commits
        told.scythe.watch = lambda: silent_from_now_on() if told.scythe.commits == commits + 2 else None
        outcome = await app.runner.run_step(at.migration_id)
        told.scythe.watch = None
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/wrong-pin.md"
        assert Counter(call.call for call in told.sandbox.world.calls)["get.number"] > reads
        at = await app.queries.position(at.migration_id)
        assert (at.side, at.dark_by_us, at.pin_provenance) == (Side.UNKNOWN, True, None)
        await told.drive(app, at.ref)
    assert (told.mutations(at).count("register"), told.number(at).wrong_pins) == (1, 1)


async def test_a_token_refused_while_settling_says_nothing_about_the_call(rig: MakeRig) -> None:
    """The code was asked for, and its answer lost; a second one would ring the same phone."""
    told = await rig(kinds=["dark"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, "request_code")
    assert await struck(told, "after_send", 1, lambda app: app.runner.run_step(at.migration_id))
    async with told.worker() as app:
        told.clock.advance(50)
        told.sandbox.faults.add(**_fault("get.number", kind="error", code=190, details="expired"))
        assert isinstance(await app.runner.run_step(at.migration_id), Held)
        assert await app.queries.open_attempt(at.migration_id) is not None
        await app.ledger.operator_changes.unhalt_profile(at.profile)
        await told.drive(app, at.ref)
        assert (await app.queries.position(at.migration_id)).status is Status.DONE
    assert told.mutations(at).count("request_code") == 1


async def test_a_login_refused_closes_the_call_it_was_for(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, "secure_pin")
        told.sandbox.faults.add(**_fault("onprem.two_step", kind="error", code=1005, status=401, details="no"))
        told.sandbox.faults.add(**_fault("onprem.login", kind="error", code=1005, status=401, details="no"))
        outcome = await app.runner.run_step(at.migration_id)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/onprem-login.md"
        assert (await app.queries.attempts(at.migration_id))[-1]["ended"] == AttemptEnd.REFUSED


async def test_a_move_with_a_backup_that_needs_a_code_all_the_same_is_a_persons(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        told.sandbox.faults.add(**_fault("register", **VERIFY))
        outcome = await told.drive(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, "133006" in outcome.reason) == ("runbooks/refused.md", True)
        at = await app.queries.position(at.migration_id)
        assert (at.side, at.crossed_at, at.next_step) == (Side.ON_PREMISES, None, "register")
        assert await app.queries.open_attempt(at.migration_id) is None
    assert told.mutations(at).count("register") == 1


@pytest.mark.parametrize("kind", ["dark", "no_backup", "new"])
async def test_register_is_not_repeated_where_the_code_it_asks_for_is_verified_already(
    big_matrix_rig: MakeRig, kind: str
) -> None:
    told = await big_matrix_rig(kinds=[kind])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        told.sandbox.faults.add(**_fault("register", **VERIFY) | {"times": 0})
        outcome = await told.drive(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/refused.md"
    assert told.mutations(at).count("register") == 2


async def test_an_optional_step_is_not_passed_over_while_its_call_is_open(rig: MakeRig) -> None:
    told = await rig(kinds=["no_backup"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, "restore_profile")
        told.sandbox.faults.add(**_fault("profile", kind="lost_answer"))
        told.sandbox.faults.add(**_fault("get.profile", kind="error", code=100, details="no", after=2))
        outcome = await app.runner.run_step(at.migration_id)
        assert isinstance(outcome, Blocked | Waiting), outcome
        at = await app.queries.position(at.migration_id)
        assert (at.next_step, at.ended_at) == ("restore_profile", None)
        await app.ledger.operator_changes.ready(at.migration_id, "looked again", "tester")
        assert await told.drive(app, at.ref) == Advanced("restore_profile", ended=True)
        assert await app.queries.open_attempt(at.migration_id) is None


async def test_a_refusal_that_is_always_to_be_waited_out_comes_to_a_person(rig: MakeRig) -> None:
    """133010 of a smoke message is a lag after register, for so long; senders wait behind it."""
    told = await rig(kinds=["healthy"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, "send_smoke")
        began = told.clock.now()
        told.sandbox.faults.add(
            **_fault("messages", kind="error", code=133010, details="not registered") | {"times": 0}
        )
        outcome = await told.drive(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/smoke-failed.md"
    assert told.mutations(at).count("messages") == 8
    assert timedelta(minutes=2) < told.clock.now() - began < timedelta(minutes=6)


@pytest.mark.parametrize("kind", ["healthy", "verified"])
async def test_a_backup_that_cannot_be_kept_stops_its_number_and_is_not_passed_over(rig: MakeRig, kind: str) -> None:
    told = await rig(kinds=[kind])
    shelf = told.settings.shelf
    async with told.worker() as app:
        (at,) = await told.imported(app, itinerary="WITH_BACKUP" if kind == "healthy" else "CODE_FIRST")
        shelf.write_text("a file where the folder should be")
        outcome = await told.drive(app, at.ref)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, "cannot be written" in outcome.reason) == ("runbooks/no-backup.md", True)
        assert (await app.queries.position(at.migration_id)).next_step == "back_up"
        shelf.unlink()
        await app.ledger.operator_changes.ready(at.migration_id, "the folder is mended", "tester")
        assert isinstance(await told.drive(app, at.ref), Advanced)
    assert told.number(at).registered == 1
