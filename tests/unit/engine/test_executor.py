"""One pass over one step: the order of things, what keeps a call from being made, and what its answer becomes."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.errors import CredentialsRefused, Rejected, Throttled, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Advanced, Blocked, Held, Reopen, Waiting
from state.enums import AttemptEnd, Party, Side, Status
from state.errors import Conflict, LeaseLost
from state.ledger import changes as c
from tests.harness.engine_in_memory import SECRETS, EngineInMemory, at_register, changes_of, nothing_was_sent
from tests.harness.fake_clients import FakeGraph, FakeHooks, FakeOnPrem
from tests.harness.hand_made_number import (
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    REFUSED,
    REGISTERED_NOWHERE,
    SERVING,
    UNREACHABLE,
    reveal,
)

# -- the order of things


async def test_the_intent_is_committed_before_the_call_and_the_record_comes_last() -> None:
    engine = at_register()
    assert await engine.run() == Advanced("register")
    assert engine.journal.entries[:4] == ["leases.acquire", "positions.get", "numbers.of", "records.open_attempt"]
    assert engine.journal.entries[-4:] == [
        "secret_store.seal_intent",
        "attempts.open",
        "graph.register",
        "moves.record",
    ]
    assert engine.journal.before("onprem.reading", "secret_store.seal_intent")
    assert engine.journal.before("gate.why_closed", "attempts.open")


async def test_the_intent_names_all_that_must_be_on_record_before_the_call() -> None:
    engine = at_register(side=Side.ON_PREMISES)
    await engine.run()
    (intent,) = engine.row.intents
    assert intent.step == "register"
    assert intent.facts == {"has_backup": True, "onprem_before": "serving", "side_before": Side.ON_PREMISES}
    assert intent.sealed is not None
    assert {name: reveal(value) for name, value in engine.row.intent_secrets[1].items()} == SECRETS
    assert intent.longest_call == timedelta(seconds=55)  # 50 s for the call, 5 s until its first byte may leave
    assert intent.settle_for == timedelta(minutes=5)
    assert intent.lease_margin == timedelta(seconds=10)
    assert (intent.changes_side, intent.gated, intent.budget) == (True, True, "register")
    assert intent.fits_in == timedelta(minutes=2)
    assert (intent.announcement, intent.closes, intent.witnesses) == (None, None, None)


async def test_the_deadline_to_send_is_measured_before_the_intent_is_committed() -> None:
    """A worker that is suspended in the commit wakes to a deadline that has passed."""
    engine = at_register()
    engine.journal.during("attempts.open", lambda: engine.clock.advance(60))
    await engine.run()
    (arguments,) = engine.graph.script.arguments("register")
    assert arguments["send_by"] == pytest.approx(1005.0)


async def test_a_step_sees_the_secrets_that_were_sealed_with_its_intent() -> None:
    engine = at_register()
    await engine.run()
    (arguments,) = engine.graph.script.arguments("register")
    assert (reveal(arguments["pin"]), reveal(arguments["backup"].data)) == ("112233", "blob")


async def test_a_lease_for_reading_is_taken_and_recovery_waits_for_no_other_number() -> None:
    engine = at_register()
    await engine.run()
    assert engine.ledger.leases.claims == [
        ("worker-1", timedelta(seconds=45), {"ABORT", "BACK_TO_ONPREM", "FORWARD_RECOVERY"})
    ]


async def test_the_side_that_was_just_read_is_the_one_before_the_call() -> None:
    """The row says unknown; whether the number goes dark by this call depends on what the reading shows."""
    engine = at_register(side=Side.UNKNOWN)
    await engine.run()
    assert engine.row.intents[0].facts["side_before"] is Side.ON_PREMISES


async def test_a_reading_that_proves_no_side_leaves_the_one_on_record() -> None:
    engine = at_register(cloud=ON_PREMISE, reading=UNREACHABLE, side=Side.NEITHER)
    await engine.run()
    assert engine.row.intents[0].facts["side_before"] is Side.NEITHER


# -- the lease


async def test_a_wait_that_is_not_over_is_answered_again() -> None:
    engine = at_register(
        status=Status.WAITING, waiting_until=NOW + timedelta(minutes=9), waiting_on=Party.CUSTOMER, reason="the code"
    )
    assert await engine.run() == Waiting(NOW + timedelta(minutes=9), Party.CUSTOMER, "the code")
    assert engine.journal.entries == ["leases.acquire"]


async def test_a_number_that_is_blocked_is_not_taken() -> None:
    with pytest.raises(Conflict):
        await at_register(status=Status.BLOCKED).run()


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=2), timedelta(minutes=-5)])
@pytest.mark.parametrize("waits", [True, False])
async def test_time_is_the_database_s_once_a_lease_was_asked_for(ahead: timedelta, waits: bool) -> None:
    until = NOW + ahead + timedelta(minutes=1)
    wait: dict[str, Any] = {"status": Status.WAITING, "waiting_until": until} if waits else {}
    engine = at_register(ahead=ahead, **wait)
    assert engine.executor.now() == NOW
    await engine.run()
    assert engine.executor.now() == NOW + ahead


@pytest.mark.parametrize("call", ["attempts.open", "moves.record"])
async def test_a_lease_that_was_lost_is_raised_and_nothing_is_called_after_it(call: str) -> None:
    engine = at_register()
    engine.journal.during(call, lambda: engine.row.update(fence=99))
    with pytest.raises(LeaseLost):
        await engine.run()
    assert engine.journal.entries[-1] == call


# -- nothing is applied


async def test_nothing_is_sent_and_nothing_read_while_the_gate_is_closed() -> None:
    engine = at_register()
    engine.row.gate = "the number is on hold"
    assert await engine.run() == Held("the number is on hold")
    assert nothing_was_sent(engine)
    assert engine.graph.script.calls == []
    assert engine.row.position.status is Status.HELD


async def test_nothing_is_sent_where_the_gate_closes_after_it_was_read() -> None:
    engine = at_register()
    engine.row.gate_closes_at_intent = "wave one is halted"
    assert await engine.run() == Held("wave one is halted")
    assert nothing_was_sent(engine)
    assert engine.journal.entries[-2:] == ["attempts.open", "moves.record"]


async def test_a_gate_is_no_matter_for_a_step_without_one() -> None:
    engine = EngineInMemory("confirm", graph=FakeGraph(number=ON_CLOUD), onprem=FakeOnPrem(reading=REFUSED))
    engine.row.gate = "the number is on hold"
    assert await engine.run() == Advanced("confirm")
    assert engine.journal.count("gate.why_closed") == 0


async def test_with_a_refused_token_nothing_is_sent_to_graph_and_announcements_still_go_out() -> None:
    halted: dict[str, Any] = {"profile_halted_at": NOW}
    engine = EngineInMemory("confirm", graph=FakeGraph(), **halted)
    engine.row.gate = "credential profile main is halted"
    assert await engine.run() == Held("credential profile main is halted")
    hooks = FakeHooks(announce=HookDone())
    engine = EngineInMemory("resume_sends", hooks=hooks, paused_at=NOW, **halted)
    engine.row.gate = "credential profile main is halted"
    assert await engine.run() == Advanced("resume_sends")
    assert hooks.script.names() == ["announce"]


async def test_a_halted_profile_that_was_released_meanwhile_holds_nothing() -> None:
    engine = EngineInMemory(
        "confirm", graph=FakeGraph(number=ON_CLOUD), onprem=FakeOnPrem(reading=REFUSED), profile_halted_at=NOW
    )
    assert await engine.run() == Advanced("confirm")


@pytest.mark.parametrize("stale", ["secure_pin", "back_up", "pause_sends", "drain"])
async def test_nothing_crosses_on_a_stale_input(stale: str) -> None:
    engine = at_register()
    del engine.row.results[stale]
    assert await engine.run() == Reopen(stale, f"{stale} is too old for register")
    assert nothing_was_sent(engine)
    assert (engine.row.position.next_step, engine.row.position.status) == (stale, Status.READY)


async def test_a_step_that_does_not_cross_asks_for_no_fresh_input() -> None:
    engine = EngineInMemory("subscribe", graph=FakeGraph(subscribed_apps=()))
    engine.row.results.clear()
    assert await engine.run() == Advanced("subscribe")


@pytest.mark.parametrize("side", [Side.ON_PREMISES, Side.NEITHER])
async def test_nothing_is_sent_where_the_budget_is_spent(side: Side) -> None:
    here = {"reading": SERVING} if side is Side.ON_PREMISES else {"reading": NOT_SERVING, "crossed_at": NOW}
    engine = at_register(side=side, **here)
    engine.row.budget_left = False
    engine.row.budget_until = NOW + timedelta(hours=5)
    outcome = await engine.run()
    assert nothing_was_sent(engine)
    if side is Side.ON_PREMISES:
        assert isinstance(outcome, Waiting)
        assert (outcome.until, outcome.on) == (NOW + timedelta(hours=5), Party.OPERATOR)
    else:
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/budget-spent.md"


async def test_nothing_is_sent_where_the_step_s_own_check_stands_against_it() -> None:
    engine = at_register(pin_provenance=None)
    outcome = await engine.run()
    assert isinstance(outcome, Blocked)
    assert outcome.runbook == "runbooks/pin-unknown.md"
    assert nothing_was_sent(engine)
    assert engine.journal.count("secret_store.seal_intent") == 0


# -- the call's answer


async def test_an_answer_closes_the_attempt_and_goes_on() -> None:
    engine = at_register()
    await engine.run()
    assert changes_of(engine) == [
        c.AttemptClosed(101, AttemptEnd.DONE, {"accepted": True}, sealed=1),
        c.OutsideSettled(),
        c.ResultFound({"accepted": True}, None),
    ]
    assert engine.row.position.next_step == "confirm"
    assert engine.row.position.side is Side.UNKNOWN  # only a reading resolves it


async def test_an_announcement_goes_to_the_outbox_with_its_intent() -> None:
    engine = EngineInMemory("pause_sends", hooks=FakeHooks(announce=HookDone()))
    await engine.run()
    (intent,) = engine.row.intents
    assert intent.announcement is not None
    assert (intent.announcement["event"], intent.announcement["epoch"]) == ("pause_sends", 5)
    assert engine.row.position.epoch == 5
    assert engine.row.position.paused_at == NOW


async def test_an_answer_that_has_to_be_proved_leaves_the_attempt_open() -> None:
    engine = EngineInMemory("pause_sends", hooks=FakeHooks(announce=HookDraining("https://hooks.example/1")))
    outcome = await engine.run()
    assert isinstance(outcome, Waiting)
    assert (outcome.until, outcome.on) == (NOW + timedelta(seconds=2), Party.CUSTOMER)
    assert engine.row.open_attempt is not None
    assert engine.row.notes["pause_sends"].facts["ask_url"] == "https://hooks.example/1"


async def test_a_veto_closes_the_attempt_and_blocks() -> None:
    engine = EngineInMemory("pause_sends", hooks=FakeHooks(announce=HookVetoed(SafeText("a campaign runs"))))
    assert await engine.run() == Blocked("pause_sends was refused (409): a campaign runs", "runbooks/traffic-hook.md")
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.REFUSED
    assert engine.row.position.epoch == 5  # the next announcement has a key of its own


async def test_a_refused_call_reads_both_sides_before_it_is_recorded() -> None:
    wrong_pin = Rejected("Graph: 133005", 133005, SafeText("PIN mismatch"))
    engine = at_register(cloud=[ON_PREMISE, REGISTERED_NOWHERE], reading=[SERVING, NOT_SERVING], register=wrong_pin)
    outcome = await engine.run()
    while isinstance(outcome, Waiting):  # before the lag of readings has passed, they prove nothing
        assert outcome.until <= NOW + timedelta(seconds=60)
        assert engine.row.open_attempt is not None
        engine.clock.advance((outcome.until - engine.clock.now()).total_seconds())
        outcome = await engine.run()
    assert isinstance(outcome, Blocked)
    assert engine.clock.now() == NOW + timedelta(seconds=60)
    assert outcome.pin_refused
    assert engine.graph.script.names().count("register") == 1
    assert engine.journal.entries[-3:] == ["onprem.reading", "graph.number", "moves.record"]
    assert engine.row.position.side is Side.NEITHER
    assert engine.row.position.pin_provenance is None
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.REFUSED


async def test_a_call_that_did_not_leave_is_made_again_and_costs_nothing() -> None:
    engine = at_register(register=[Transient("connection refused"), None])
    assert await engine.run() == Waiting(NOW + timedelta(seconds=2), Party.META, "connection refused")
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.NEVER_LEFT
    assert (engine.row.position.side, engine.row.position.tries) == (Side.ON_PREMISES, 1)
    engine.clock.advance(2)
    assert await engine.run() == Advanced("register")
    assert engine.row.position.tries == 0


async def test_a_call_whose_token_was_refused_halts_the_profile_and_the_side_is_what_it_was() -> None:
    engine = at_register(register=CredentialsRefused("Graph: 190", 190, SafeText("expired")))
    outcome = await engine.run()
    assert isinstance(outcome, Held)
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.REFUSED
    assert engine.row.position.side is Side.ON_PREMISES
    assert engine.row.position.profile_halted_at == NOW


async def test_an_answer_that_says_come_back_is_a_refusal_of_a_call_that_left() -> None:
    engine = EngineInMemory(
        "subscribe", graph=FakeGraph(subscribed_apps=(), subscribe=Throttled("429", timedelta(seconds=90)))
    )
    assert await engine.run() == Waiting(NOW + timedelta(seconds=90), Party.META, "429", for_calls=True)
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.REFUSED
