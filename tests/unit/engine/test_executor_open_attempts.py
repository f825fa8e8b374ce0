"""One pass over a step whose call was not accounted for: it is settled, repeated or left open, never forgotten."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from migration.clients.graph_models import Profile
from migration.errors import CredentialsRefused, OutcomeUnknown, Rejected, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Advanced, Blocked, Held, Reopen, Waiting
from state.enums import AttemptEnd, Party, Side, Status
from state.ledger import changes as c
from state.rows import FindingRow
from tests.harness.engine_in_memory import SECRETS, EngineInMemory, at_register, changes_of
from tests.harness.fake_clients import FakeGraph, FakeHooks, FakeOnPrem
from tests.harness.hand_made_number import (
    COMING_UP,
    DISCONNECTED,
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

# -- a lost answer, and an attempt that is still open


async def test_after_a_lost_answer_both_sides_are_read_at_once() -> None:
    engine = at_register(cloud=[ON_PREMISE, ON_CLOUD], reading=[SERVING, REFUSED], register=OutcomeUnknown("no answer"))
    assert await engine.run() == Advanced("register")
    assert [move.kind for move in engine.row.moves] == ["unanswered", "settled"]
    note = engine.row.moves[0]
    assert (note.keep_lease, note.changes, note.facts) == (True, (), {"attempt": 1, "why": "no answer"})
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.DONE
    assert engine.row.position.side is Side.CLOUD
    assert engine.graph.script.names().count("register") == 1


async def test_a_reading_after_the_call_is_a_new_one_and_not_the_cached_one() -> None:
    engine = at_register(register=OutcomeUnknown("no answer"))
    await engine.run()
    assert engine.journal.count("onprem.reading") == 2
    assert engine.journal.entries[-6:] == [
        "graph.register",
        "moves.record",
        "queries.now",
        "onprem.reading",
        "graph.number",
        "moves.record",
    ]


async def test_an_attempt_of_a_worker_that_died_is_settled_by_a_probe_and_not_repeated() -> None:
    engine = at_register(cloud=ON_CLOUD, reading=REFUSED)
    engine.open({"onprem_before": "serving"})
    assert await engine.run() == Advanced("register")
    assert engine.row.intents == []
    assert engine.graph.script.names() == ["number"]
    assert engine.row.moves[0].kind == "settled"


async def test_a_probe_of_an_open_attempt_gets_the_facts_and_secrets_of_its_intent() -> None:
    """Without the side before, which is the engine's. The facts decide here: it served before, so it is no proof."""
    engine = at_register(cloud=COMING_UP, reading=UNREACHABLE)
    engine.open({"onprem_before": "serving"})
    engine.clock.advance(120)
    outcome = await engine.run()
    assert isinstance(outcome, Waiting)
    assert outcome.reason == "On-Premises is down and Cloud is not up yet"
    assert engine.journal.count("secret_store.open_intent") == 1


@pytest.mark.parametrize(("seconds", "until"), [(0, 2), (30, 33), (60, 66), (100, 110), (110, 115)])
async def test_while_an_answer_may_still_come_nothing_is_repeated(seconds: float, until: float) -> None:
    engine = at_register()
    engine.open({"onprem_before": "serving"})
    engine.clock.advance(seconds)
    assert await engine.run() == Waiting(
        NOW + timedelta(seconds=until), Party.META, "an earlier call may still be in flight"
    )
    assert engine.row.open_attempt is not None
    assert "register" not in engine.graph.script.names()


async def test_a_call_that_is_proved_to_have_had_no_effect_is_repeated_as_a_new_attempt_in_one_commit() -> None:
    engine = at_register(side=Side.UNKNOWN)
    attempt = engine.open({"has_backup": True, "onprem_before": "serving"})
    engine.row.intent_secrets[1] = {name: SecretStr(value) for name, value in SECRETS.items()}
    engine.clock.advance(115)
    engine.find_all_inputs()
    assert await engine.run() == Advanced("register")
    (intent,) = engine.row.intents
    assert intent.closes is attempt
    assert intent.witnesses is not None
    assert intent.witnesses["onprem"] == "serving"
    assert intent.facts == {"has_backup": True, "onprem_before": "serving", "side_before": attempt.side_before}
    assert [row["ended"] for row in engine.row.attempts] == [AttemptEnd.NOT_DONE, AttemptEnd.DONE]
    (arguments,) = engine.graph.script.arguments("register")
    assert reveal(arguments["pin"]) == "112233"  # the same draft: what it invented may be in force already


async def test_a_repeat_waits_where_something_stands_against_it_now() -> None:
    engine = at_register(side=Side.UNKNOWN)
    engine.open({"onprem_before": "serving"})
    engine.clock.advance(115)
    outcome = await engine.run()
    assert isinstance(outcome, Reopen)
    assert outcome.step == "secure_pin"
    assert "register" not in engine.graph.script.names()
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.NOT_DONE
    assert engine.row.position.side is Side.ON_PREMISES
    (closed, *_) = changes_of(engine)
    assert isinstance(closed, c.AttemptClosed)
    assert closed.answer is not None
    assert closed.answer["onprem"] == "serving"


async def test_a_repeat_of_a_step_that_moves_nothing_reads_no_side() -> None:
    engine = EngineInMemory("pause_sends", hooks=FakeHooks())
    engine.open({"body": {"migration_id": 1, "event": "pause_sends", "epoch": 5}}, has_secret=False)
    engine.row.gate = "the number is on hold"
    engine.clock.advance(40)
    assert await engine.run() == Held("the number is on hold")
    assert engine.graph.script.calls == []
    # The hook may have taken it: what it is told next has a newer epoch.
    assert changes_of(engine) == [c.AttemptClosed(101, AttemptEnd.NOT_DONE, None), c.EpochRaised()]


async def test_an_optional_step_that_cannot_be_repeated_is_passed_over() -> None:
    engine = EngineInMemory("back_up", "CODE_FIRST", onprem=FakeOnPrem(reading=REFUSED))
    engine.open()
    engine.clock.advance(70)
    assert await engine.run() == Advanced("back_up")
    assert engine.row.moves[-1].kind == "passed_over"
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.NOT_DONE


async def test_a_repeat_that_the_budget_does_not_allow_is_not_made() -> None:
    engine = at_register(reading=SERVING, side=Side.UNKNOWN)
    engine.open({"onprem_before": "serving"})
    engine.clock.advance(115)
    engine.find_all_inputs()
    engine.row.budget_left = False
    outcome = await engine.run()
    assert isinstance(outcome, Blocked)
    assert outcome.runbook == "runbooks/budget-spent.md"
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.NOT_DONE
    assert engine.row.position.side is Side.ON_PREMISES
    assert "register" not in engine.graph.script.names()


async def test_readings_that_prove_neither_wait_until_the_attempt_has_to_be_settled() -> None:
    engine = at_register(cloud=COMING_UP, reading=UNREACHABLE)
    attempt = engine.open({"onprem_before": "serving"})
    engine.clock.advance((attempt.settle_by - NOW).total_seconds() - 1)
    assert isinstance(await engine.run(), Waiting)
    engine.clock.advance(60)
    assert await engine.run() == Blocked(
        "register: the outcome is not known: On-Premises is down and Cloud is not up yet", "runbooks/unknown-outcome.md"
    )
    assert engine.row.open_attempt is attempt
    assert "register" not in engine.graph.script.names()


async def test_a_note_of_a_probe_that_ran_out_of_time_is_kept() -> None:
    engine = EngineInMemory(
        "deregister_onprem",
        "CODE_FIRST",
        graph=FakeGraph(number=ON_PREMISE),
        onprem=FakeOnPrem(reading=NOT_SERVING),
    )
    attempt = engine.open({"onprem_before": "serving"})
    engine.clock.advance((attempt.settle_by - NOW).total_seconds())
    assert isinstance(await engine.run(), Blocked)
    assert engine.row.notes["deregister_onprem"].facts == {"not_serving_at": engine.now().isoformat()}


@pytest.mark.parametrize(
    ("exc", "status"),
    [
        (Transient("503"), Status.WAITING),
        (Rejected("100", 100, SafeText("does not exist")), Status.BLOCKED),
        (CredentialsRefused("190", 190, SafeText("expired")), Status.HELD),
    ],
)
async def test_a_reading_that_fails_while_an_attempt_is_open_leaves_it_open(exc: Exception, status: Status) -> None:
    engine = at_register(cloud=exc)
    attempt = engine.open({"onprem_before": "serving"})
    await engine.run()
    assert engine.row.position.status is status
    assert engine.row.open_attempt is attempt


async def test_a_lost_answer_whose_readings_fail_leaves_the_attempt_open() -> None:
    engine = at_register(cloud=[ON_PREMISE, Transient("503")], register=OutcomeUnknown("no answer"))
    assert await engine.run() == Waiting(NOW + timedelta(seconds=2), Party.META, "503")
    assert engine.row.open_attempt is not None


async def test_an_open_attempt_is_settled_also_where_the_gate_is_closed() -> None:
    engine = at_register(cloud=ON_CLOUD, reading=REFUSED)
    engine.open({"onprem_before": "serving"})
    engine.row.gate = "the number is on hold"
    assert await engine.run() == Advanced("register")


# -- effects that are seen late


@pytest.mark.parametrize("seconds", [0, 20, 59])
@pytest.mark.parametrize("itinerary", ["WITH_BACKUP", "FORWARD_RECOVERY"])
async def test_a_register_whose_answer_was_lost_is_not_sent_again_while_reads_may_lag(
    itinerary: str, seconds: int
) -> None:
    engine = EngineInMemory(
        "register",
        itinerary,
        graph=FakeGraph(register=OutcomeUnknown("no answer"), number=REGISTERED_NOWHERE),
        onprem=FakeOnPrem(reading=[SERVING, REFUSED] if itinerary == "WITH_BACKUP" else UNREACHABLE),
        secrets=SECRETS,
    )
    shows = NOW + timedelta(seconds=55 + seconds)
    engine.graph.script.answers_with("number", lambda: ON_CLOUD if engine.now() >= shows else DISCONNECTED)
    assert await engine.run_until_it_ends() == Advanced("register")
    assert engine.graph.script.names().count("register") == 1


async def test_a_profile_that_was_written_although_the_answer_was_lost_is_not_written_again() -> None:
    whole = Profile(about="We are open")
    engine = EngineInMemory(
        "restore_profile",
        graph=FakeGraph(profile=[Profile(), Profile(), whole], set_profile=OutcomeUnknown("no answer")),
    )
    engine.row.results["snapshot"] = FindingRow("snapshot", NOW, {"profile": whole.as_facts()})
    assert await engine.run() == Advanced("restore_profile")
    assert engine.graph.script.names().count("set_profile") == 1
