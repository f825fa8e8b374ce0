"""A step that did not advance is one write: exactly this move, with exactly these changes."""

from datetime import timedelta
from typing import Any, cast

import pytest

from migration.engine.decisions import Closing, Decision
from migration.engine.kept_numbers import KeptNumbers
from migration.engine.recorder import StepRecorder
from migration.steps.outcomes import Blocked, Held, Reopen, Switch, Waiting
from state.enums import AttemptEnd, Party, Side, Status
from state.errors import LeaseLost
from state.ledger import changes as c
from state.ledger.moves import Move, Moves
from tests.harness.hand_made_number import NOW, make_code, make_number
from tests.harness.hand_made_run import FakeMoves, FakeStore, declared, make_attempt, make_run, move_of, no_lag

LATER = NOW + timedelta(minutes=5)
ATTEMPT = make_attempt()
WAITING = Waiting(LATER, Party.META, "not yet")
BLOCKED = Blocked("no", "runbooks/refused.md")


# -- every other outcome


async def test_a_wait() -> None:
    assert await move_of(make_run(), Decision(WAITING)) == Move(
        "the_step", Status.WAITING, "waiting", until=LATER, on=Party.META, reason="not yet"
    )


async def test_a_block() -> None:
    assert await move_of(make_run(), Decision(BLOCKED)) == Move(
        "the_step", Status.BLOCKED, "blocked", on=Party.OPERATOR, reason="no", runbook="runbooks/refused.md"
    )


async def test_a_hold_is_looked_at_again_in_a_minute() -> None:
    assert await move_of(make_run(), Decision(Held("on hold"))) == Move(
        "the_step", Status.HELD, "held", until=NOW + timedelta(seconds=60), on=Party.OPERATOR, reason="on hold"
    )


async def test_an_earlier_step_again() -> None:
    run = make_run(earlier=(declared("an_earlier"),))
    assert await move_of(run, Decision(Reopen("an_earlier", "it is stale"))) == Move(
        "the_step", Status.READY, "reopened", {"because": "it is stale"}, to="an_earlier", reason="it is stale"
    )


async def test_an_earlier_step_whose_result_ages_loses_it() -> None:
    run = make_run(earlier=(declared("an_earlier", fresh_for=timedelta(seconds=60)),))
    move = await move_of(run, Decision(Reopen("an_earlier", "it is stale")))
    assert move.changes == (c.ResultsForgotten(("an_earlier",)),)


async def test_another_itinerary_begins_at_its_first_step() -> None:
    assert await move_of(make_run(), Decision(Switch("FORWARD_RECOVERY", "closed"))) == Move(
        "the_step",
        Status.READY,
        "switched",
        {"because": "closed", "itinerary": "FORWARD_RECOVERY"},
        to="read_both_sides",
        itinerary="FORWARD_RECOVERY",
    )


@pytest.mark.parametrize("outcome", [WAITING, BLOCKED, Reopen("the_step", "again")])
@pytest.mark.parametrize(("failed", "tries"), [(True, 4), (False, 0)])
async def test_only_a_failure_counts_as_a_try_and_anything_else_begins_anew(
    outcome: Any, failed: bool, tries: int
) -> None:
    move = await move_of(make_run(number=make_number(tries=3)), Decision(outcome, failed=failed))
    assert move.tries == tries


# -- notes, PIN, profile


@pytest.mark.parametrize(
    ("outcome", "note", "taken"),
    [
        (Waiting(LATER, Party.META, "", {"since": "then"}), None, {"since": "then"}),
        (Waiting(LATER, Party.META, "", {"since": "then"}), {"other": 1}, {"since": "then"}),
        (Waiting(LATER, Party.META, ""), {"other": 1}, {"other": 1}),
        (Waiting(LATER, Party.META, "", {}), {"other": 1}, {"other": 1}),
        (BLOCKED, {"other": 1}, {"other": 1}),
        (BLOCKED, {}, {}),
        (Waiting(LATER, Party.META, ""), None, None),
        (BLOCKED, None, None),
    ],
    ids=[
        "a wait's own",
        "a wait's own before the decision's",
        "the decision's",
        "an empty one of the wait is none",
        "of a block",
        "emptied",
        "none",
        "none of a block",
    ],
)
async def test_what_the_step_has_to_remember(outcome: Any, note: Any, taken: Any) -> None:
    move = await move_of(make_run(), Decision(outcome, note=note))
    assert move.changes == ((c.NoteTaken(taken),) if taken is not None else ())


async def test_a_pin_that_was_refused_is_known_no_longer() -> None:
    move = await move_of(make_run(), Decision(Blocked("133005", "runbooks/wrong-pin.md", pin_refused=True)))
    assert move.changes == (c.PinForgotten(),)


async def test_a_refused_token_halts_the_profile_of_the_number() -> None:
    move = await move_of(make_run(), Decision(Held("halted", halts_profile_because="190")))
    assert move.changes == (c.ProfileHalted(3, "190"),)


# -- the attempt


@pytest.mark.parametrize("end", [AttemptEnd.NOT_DONE, AttemptEnd.REFUSED, AttemptEnd.NEVER_LEFT])
async def test_an_attempt_is_closed_with_the_answer(end: AttemptEnd) -> None:
    move = await move_of(make_run(), Decision(WAITING, Closing(ATTEMPT, end, {"refused": "503"})))
    assert move.changes == (c.AttemptClosed(ATTEMPT.id, end, {"refused": "503"}),)


async def test_what_an_attempt_sealed_goes_with_it() -> None:
    sealed = make_attempt(has_secret=True)
    move = await move_of(make_run(), Decision(WAITING, Closing(sealed, AttemptEnd.REFUSED)))
    assert move.changes == (c.AttemptClosed(sealed.id, AttemptEnd.REFUSED, None, sealed.number),)


@pytest.mark.parametrize("changes_side", [True, False])
async def test_the_side_is_what_it_was_where_nothing_can_have_happened(changes_side: bool) -> None:
    closing = Closing(ATTEMPT, AttemptEnd.NEVER_LEFT, side_before=Side.ON_PREMISES)
    move = await move_of(make_run(changes_side=changes_side), Decision(WAITING, closing))
    restored = (c.SideRestored(Side.ON_PREMISES),) if changes_side else ()
    assert move.changes == (c.AttemptClosed(ATTEMPT.id, AttemptEnd.NEVER_LEFT, None), *restored)


@pytest.mark.parametrize(
    ("uses_code", "end", "code_id", "used"),
    [
        (True, AttemptEnd.REFUSED, 5, True),
        (True, AttemptEnd.NOT_DONE, 5, False),
        (True, AttemptEnd.NEVER_LEFT, 5, False),
        (True, AttemptEnd.REFUSED, None, False),
        (False, AttemptEnd.REFUSED, 5, False),
    ],
)
async def test_a_refused_call_uses_up_the_code_that_it_sent(
    uses_code: bool, end: AttemptEnd, code_id: int | None, used: bool
) -> None:
    run = make_run(uses_code=uses_code, number=make_number(code=make_code(id=6)))  # another was typed in since
    for answer, state in ({"code": 136025}, "refused"), ({}, "replaced"):
        closing = Closing(make_attempt({"code_id": code_id}), end, answer)
        move = await move_of(run, Decision(WAITING, closing))
        assert (c.CodeUsed(5, state) in move.changes) is used
        assert len(move.changes) == 1 + used


@pytest.mark.parametrize(
    ("contract", "end", "raised"),
    [
        ({"notifies_senders": True}, AttemptEnd.REFUSED, True),
        ({"notifies_senders": True}, AttemptEnd.NEVER_LEFT, False),
        ({"notifies_senders": True}, AttemptEnd.NOT_DONE, True),
        ({"notifies_senders": True, "unsent_needs_new_key": True}, AttemptEnd.NEVER_LEFT, True),
        ({"notifies_senders": True, "unsent_needs_new_key": True}, AttemptEnd.NOT_DONE, True),
        ({}, AttemptEnd.REFUSED, False),
    ],
)
async def test_after_an_end_that_is_no_answer_the_next_announcement_has_a_key_of_its_own(
    contract: dict[str, Any], end: AttemptEnd, raised: bool
) -> None:
    move = await move_of(make_run(**contract), Decision(WAITING, Closing(ATTEMPT, end)))
    assert (c.EpochRaised() in move.changes) is raised
    assert len(move.changes) == 1 + raised


# -- the event


@pytest.mark.parametrize(
    ("outcome", "before", "closing", "kind"),
    [
        (WAITING, "not yet", None, ""),
        (WAITING, "something else", None, "waiting"),
        (WAITING, "not yet", Closing(ATTEMPT, AttemptEnd.REFUSED), "waiting"),
        (BLOCKED, "no", None, ""),
        (BLOCKED, None, None, "blocked"),
        (Held("on hold"), "on hold", None, ""),
        (Held("on hold"), None, None, "held"),
        (Reopen("the_step", "again"), "again", None, "reopened"),
        (Switch("ABORT", "closed"), "closed", None, "switched"),
    ],
)
async def test_an_event_that_would_only_repeat_the_last_one_is_left_out(
    outcome: Any, before: str | None, closing: Closing | None, kind: str
) -> None:
    move = await move_of(make_run(number=make_number(reason=before)), Decision(outcome, closing))
    assert move.kind == kind


async def test_a_note_of_an_event_keeps_the_lease_and_changes_nothing() -> None:
    moves = FakeMoves()
    recorder = StepRecorder(cast(Moves, moves), FakeStore(), KeptNumbers(), no_lag())
    await recorder.note_event(make_run(), "unanswered", {"attempt": 1})
    assert moves.moves == [Move("the_step", Status.RUNNING, "unanswered", {"attempt": 1}, keep_lease=True)]


async def test_a_lease_that_was_lost_is_raised() -> None:
    recorder = StepRecorder(
        cast(Moves, FakeMoves(LeaseLost("no longer at the_step"))), FakeStore(), KeptNumbers(), no_lag()
    )
    with pytest.raises(LeaseLost):
        await recorder.record(make_run(), Decision(WAITING))
