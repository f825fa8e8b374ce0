"""One pass over a step that makes no call: one that only reads, one that costs nothing, one that is optional."""

import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from migration.clients.graph_models import Health, SubscribedApp
from migration.errors import CredentialsRefused, Rejected, Throttled, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Advanced, Blocked, Waiting
from state.enums import AttemptEnd, Party, Side, Status
from state.ledger import changes as c
from tests.harness.engine_in_memory import EngineInMemory, at_register, changes_of, nothing_was_sent
from tests.harness.fake_clients import FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import (
    COMING_UP,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    REFUSED,
    REGISTERED_NOWHERE,
    SERVING,
)

# -- a step that costs nothing


async def test_a_result_that_is_still_good_costs_nothing() -> None:
    engine = EngineInMemory("register")
    engine.row.update(next_step="drain")  # back at a step that was done a moment ago
    assert await engine.run() == Advanced("drain")
    (move,) = engine.row.moves
    assert (move.kind, move.changes) == ("still_good", ())
    assert engine.graph.script.calls == []


async def test_an_effect_that_is_in_place_is_not_made_again() -> None:
    engine = EngineInMemory("subscribe", graph=FakeGraph(subscribed_apps=(SubscribedApp(app_id="7001"),)))
    assert await engine.run() == Advanced("subscribe")
    assert engine.row.moves[0].kind == "already_in_place"
    assert engine.row.intents == []
    assert engine.graph.script.names() == ["subscribed_apps"]


async def test_a_probe_that_cannot_tell_before_a_first_attempt_waits_without_an_intent() -> None:
    engine = at_register(cloud=ON_CLOUD, reading=SERVING)
    assert await engine.run() == Waiting(NOW + timedelta(seconds=2), Party.META, "both sides claim the number")
    assert nothing_was_sent(engine)


async def test_a_probe_s_note_is_remembered() -> None:
    engine = EngineInMemory(
        "deregister_onprem",
        "CODE_FIRST",
        graph=FakeGraph(number=ON_PREMISE),
        onprem=FakeOnPrem(reading=NOT_SERVING),
        instance=None,
    )
    await engine.run()
    assert engine.row.notes["deregister_onprem"].facts == {"not_serving_at": NOW.isoformat()}


# -- a step that only reads


async def test_a_step_that_only_reads_needs_no_intent() -> None:
    engine = EngineInMemory("confirm", graph=FakeGraph(number=ON_CLOUD), onprem=FakeOnPrem(reading=REFUSED))
    assert await engine.run() == Advanced("confirm")
    assert engine.row.intents == []
    assert engine.row.position.side is Side.CLOUD
    assert engine.row.moves[0].kind == "advanced"


async def test_a_reading_that_shows_nothing_yet_waits_and_remembers_since_when() -> None:
    engine = EngineInMemory("confirm", graph=FakeGraph(number=COMING_UP), onprem=FakeOnPrem(reading=REFUSED))
    assert await engine.run() == Waiting(
        NOW + timedelta(seconds=1), Party.META, "registered, but not connected yet", {"since": NOW.isoformat()}
    )
    assert engine.row.notes["confirm"].facts == {"since": NOW.isoformat()}


async def test_the_customer_s_wait_stays_the_customer_s() -> None:
    engine = EngineInMemory(
        "drain", graph=FakeGraph(number=ON_PREMISE), onprem=FakeOnPrem(reading=SERVING, callback_queue=1)
    )
    outcome = await engine.run()
    assert isinstance(outcome, Waiting)
    assert outcome.on is Party.CUSTOMER


async def test_a_reading_that_stops_the_number_empties_its_note() -> None:
    """Whoever has it checked again gives it as much time as at first."""
    engine = EngineInMemory(
        "prove_smoke", graph=FakeGraph(health=Health(messaging="BLOCKED", why="payment"), number=REGISTERED_NOWHERE)
    )
    await engine.run()
    engine.clock.advance(400)
    assert await engine.run() == Blocked("Meta says the number can not send: payment", "runbooks/smoke-failed.md")
    assert engine.row.notes["prove_smoke"].facts == {}


async def test_a_reading_that_stops_the_number_keeps_the_side_that_it_shows() -> None:
    engine = EngineInMemory(
        "read_both_sides",
        "FORWARD_RECOVERY",
        graph=FakeGraph(number=ON_PREMISE),
        onprem=FakeOnPrem(reading=SERVING),
        side=Side.UNKNOWN,
    )
    assert isinstance(await engine.run(), Blocked)
    assert engine.row.position.side is Side.ON_PREMISES


async def test_an_optional_reading_that_cannot_be_had_is_passed_over() -> None:
    onprem = FakeOnPrem(reading=SERVING, callback_queue=1)
    engine = EngineInMemory("drain", "CODE_AFTER", graph=FakeGraph(number=ON_PREMISE), onprem=onprem)
    await engine.run()
    engine.clock.advance(601)
    assert await engine.run() == Advanced("drain")
    assert engine.row.moves[-1].kind == "passed_over"
    assert engine.row.moves[-1].facts == {"skipped": "1 callbacks are still queued after 600 s"}


# -- an optional step


async def test_an_optional_step_whose_check_stands_against_it_is_passed_over() -> None:
    engine = EngineInMemory("back_up", "CODE_FIRST", onprem=FakeOnPrem(reading=REFUSED))
    assert await engine.run() == Advanced("back_up")
    assert engine.row.moves[0].kind == "passed_over"
    assert [type(change) for change in changes_of(engine)] == [c.ResultFound]


async def test_a_step_that_is_not_optional_blocks() -> None:
    engine = EngineInMemory("back_up", onprem=FakeOnPrem(reading=REFUSED))
    outcome = await engine.run()
    assert isinstance(outcome, Blocked)
    assert outcome.runbook == "runbooks/no-backup.md"


@pytest.mark.parametrize("itinerary", ["WITH_BACKUP", "CODE_FIRST"])
async def test_a_backup_that_was_taken_and_not_kept_blocks_also_where_it_is_optional(itinerary: str) -> None:
    """A backup was possible, so nothing irreversible may come before it."""
    onprem = FakeOnPrem(reading=SERVING, backup=SecretStr("blob"))
    engine = EngineInMemory("back_up", itinerary, onprem=onprem)
    engine.row.backup_is_kept = False
    assert await engine.run() == Blocked(
        "the backup was read back otherwise than it was written", "runbooks/no-backup.md"
    )
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.NOT_DONE
    assert engine.row.open_attempt is None


async def test_a_backup_is_kept_before_the_number_goes_on() -> None:
    onprem = FakeOnPrem(reading=SERVING, backup=SecretStr("blob"))
    engine = EngineInMemory("back_up", onprem=onprem)
    assert await engine.run() == Advanced("back_up")
    assert engine.journal.before("secret_store.shelve", "moves.record")
    assert json.loads(engine.row.secrets["backup"])["data"] == "blob"


# -- readings that fail before an intent


@pytest.mark.parametrize(
    ("exc", "status"),
    [
        (Transient("503"), Status.WAITING),
        (Throttled("429", timedelta(seconds=90)), Status.WAITING),
        (Rejected("100", 100, SafeText("does not exist")), Status.BLOCKED),
        (CredentialsRefused("190", 190, SafeText("expired")), Status.HELD),
    ],
)
async def test_a_failed_reading_sends_nothing(exc: Exception, status: Status) -> None:
    engine = at_register(cloud=exc)
    await engine.run()
    assert engine.row.position.status is status
    assert nothing_was_sent(engine)
