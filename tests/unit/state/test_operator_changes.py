"""What an operator may change, and what prevents it: an open attempt, a lease, the point of no return, the end."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import update

from state.enums import AttemptEnd, Disposition, PinProvenance, Side, Status
from state.errors import Conflict, LeaseLost, NotFound, Outdated
from state.ledger.changes import AttemptClosed, ResultFound, SideRestored
from state.ledger.moves import Move
from state.ledger.readiness import AtThePhone
from state.ledger.waves import NewWave
from state.models import MigrationTable
from state.rows import SealedSecret
from tests.harness.ledger_fixture import MINUTE, LedgerFixture, NoSecrets, new_number

SEALED = SealedSecret("code", b"c", b"k", "id")
Change = Callable[[LedgerFixture, int], Awaitable[Any]]
CHANGES: dict[str, Change] = {
    "switch": lambda t, m: t.ledger.operator_changes.switch(m, "CODE_AFTER", "snapshot", "no backup", "tester"),
    "reopen": lambda t, m: t.ledger.operator_changes.reopen(m, "back_up", "stale", "tester"),
    "abort": lambda t, m: t.ledger.operator_changes.switch(
        m, "ABORT", "switch_route", "enough", "tester", before_crossing=True
    ),
}


async def migration_with_open_attempt(fixture: LedgerFixture, **options: Any) -> int:
    """A migration with an open attempt whose worker is gone."""
    migration = await fixture.import_number()
    await fixture.open_attempt(await fixture.lease(migration), **options)
    fixture.advance(minutes=10)
    return migration


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_while_an_attempt_is_open(fixture: LedgerFixture, change: str) -> None:
    migration = await migration_with_open_attempt(fixture)
    before, counts = await fixture.queries.positions.get(migration), await fixture.row_counts()
    with pytest.raises(
        Conflict, match=r"N-0001 has a call whose outcome is not known yet: register was sent at .*changed"
    ):
        await CHANGES[change](fixture, migration)
    assert (await fixture.queries.positions.get(migration), await fixture.row_counts()) == (before, counts)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_while_a_worker_has_the_lease(fixture: LedgerFixture, change: str) -> None:
    migration = await fixture.import_number()
    await fixture.lease(migration)
    with pytest.raises(LeaseLost, match="N-0001 is held by another worker"):
        await CHANGES[change](fixture, migration)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_in_an_ended_migration(fixture: LedgerFixture, change: str) -> None:
    migration = await fixture.import_number()
    await fixture.end_migration(migration)
    with pytest.raises(Conflict, match="N-0001 is aborted"):
        await CHANGES[change](fixture, migration)
    with pytest.raises(NotFound):
        await CHANGES[change](fixture, migration + 1)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_invalidates_the_fence_of_an_earlier_worker(fixture: LedgerFixture, change: str) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    fixture.advance(minutes=2)
    await CHANGES[change](fixture, migration)
    with pytest.raises(LeaseLost):
        await fixture.ledger.moves.record(lease, Move("register", Status.READY, "advanced", to="confirm"))
    kinds = {"switch": "switched", "reopen": "reopened", "abort": "switched"}
    last = (await fixture.queries.records.events(migration))[-1]
    assert (last.kind, last.facts["by"]) == (kinds[change], "tester")


async def test_a_switch_goes_to_the_first_step_and_discards_results(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.ledger.moves.record(
        lease, Move("register", Status.READY, "advanced", changes=(ResultFound({"a": 1}),))
    )
    assert await fixture.queries.records.findings(migration)
    await CHANGES["switch"](fixture, migration)
    position = await fixture.queries.positions.get(migration)
    assert (position.itinerary, position.next_step, position.status) == ("CODE_AFTER", "snapshot", Status.READY)
    assert await fixture.queries.records.findings(migration) == {}


async def test_abort_is_refused_past_the_point_of_no_return(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.close_attempt(lease, await fixture.open_attempt(lease, changes_side=True))
    fixture.advance(minutes=10)
    with pytest.raises(Conflict, match="past its point of no return"):
        await CHANGES["abort"](fixture, migration)


async def test_a_number_has_one_live_migration(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    number_id = (await fixture.queries.positions.get(migration)).number_id
    with pytest.raises(Conflict):
        await fixture.start_migration(number_id)
    await fixture.end_migration(migration)
    assert await fixture.start_migration(number_id) != migration


async def test_a_code_is_accepted_during_a_lease_and_replaces_the_previous_code(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(step="verify_code")
    await fixture.lease(migration)
    for person in ("first", "second"):
        await fixture.ledger.operator_inputs.enter_code(migration, SEALED, "number:1", person)
    code = await fixture.queries.records.latest_code(migration)
    assert code is not None
    assert (code.entered_by, code.state) == ("second", "entered")
    assert [row.state for row in await fixture.sql("SELECT state FROM codes ORDER BY id")] == ["replaced", "entered"]


async def test_a_code_ends_the_wait_for_it(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(step="verify_code")
    lease = await fixture.lease(migration)
    wait = Move("verify_code", Status.WAITING, "waiting", until=fixture.now + 60 * MINUTE, reason="a code")
    await fixture.ledger.moves.record(lease, wait)
    await fixture.ledger.operator_inputs.enter_code(migration, SEALED, "number:1", "tester")
    position = await fixture.queries.positions.get(migration)
    assert (position.status, position.waiting_until) == (Status.READY, None)


async def test_a_hold_is_accepted_during_a_lease_and_keeps_the_lease(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.ledger.operator_changes.hold(migration, True, "tester")
    await fixture.ledger.moves.record(
        await fixture.reread(lease), Move("register", Status.READY, "advanced", to="confirm")
    )
    assert (await fixture.queries.positions.get(migration)).hold


async def test_a_disposition_ends_a_migration_before_its_point_of_no_return(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    number_id = (await fixture.queries.positions.get(migration)).number_id
    await fixture.ledger.migrations.dispose(number_id, Disposition.CHURNED, "left us", {"ticket": 7}, "tester")
    position = await fixture.queries.positions.get(migration)
    assert (position.status, position.disposition, position.next_step) == (Status.SKIPPED, "churned", None)


async def test_a_call_that_was_never_sent_restores_the_side(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    attempt = await fixture.open_attempt(lease, changes_side=True, budget="register")
    assert (await fixture.queries.positions.get(migration)).side is Side.UNKNOWN
    move = Move(
        "register",
        Status.READY,
        "never_left",
        changes=(AttemptClosed(attempt.id, AttemptEnd.NEVER_LEFT), SideRestored(Side.ON_PREMISES)),
    )
    await fixture.ledger.moves.record(lease, move)
    position = await fixture.queries.positions.get(migration)
    assert (position.side, position.crossed_at, position.dark_since, position.dark_by_us) == (
        Side.ON_PREMISES,
        None,
        None,
        False,
    )
    assert (await fixture.row_counts())["budget_calls"] == 0


async def _hook_answers(fixture: LedgerFixture, migration: int, event: str) -> None:
    """It was told before the worker took the number."""
    position = await fixture.queries.positions.get(migration)
    body = {"event": event, "epoch": position.epoch, "to": "on_premises"}
    await fixture.ledger.senders.confirm(position, body, f"{migration}:{event}:{position.epoch}")


async def _senders_go_on(fixture: LedgerFixture, migration: int) -> None:
    async with fixture.engine.begin() as tx:
        await tx.execute(update(MigrationTable).values(paused_at=fixture.now))
    await fixture.ledger.senders.state_resumed(1, "seen", "tester")


ARRIVALS: dict[str, Callable[[LedgerFixture, int], Awaitable[object]]] = {
    "a code": lambda f, m: f.ledger.operator_inputs.enter_code(m, SEALED, "number:1", "tester"),
    "a hold": lambda f, m: f.ledger.operator_changes.hold(m, True, "tester"),
    "a release": lambda f, m: f.ledger.operator_changes.hold(m, False, "tester"),
    "a statement that On-Premises is off": lambda f, m: f.ledger.operator_inputs.record_onprem_off(1, "tester"),
    "a wave that takes it in": lambda f, m: f.ledger.waves.create(NewWave("first"), [m]),
    "an answer of its hook that senders go on": lambda f, m: _hook_answers(f, m, "resume_sends"),
    "an answer of its hook about their route": lambda f, m: _hook_answers(f, m, "switch_route"),
    "a person's word that senders go on": _senders_go_on,
    "a correction": lambda f, m: f.ledger.corrections.correct([new_number(1, smoke_to="+15550109999")], NoSecrets()),
    "somebody at its phone": lambda f, m: f.ledger.readiness.say(m, AtThePhone("run", "tester", MINUTE)),
    "accepted terms": lambda f, m: f.ledger.terms.state(1, "seen", "tester"),
    "a fact": lambda f, m: f.ledger.field_facts.record("code_while_on_premises", "refused", "seen", "tester"),
    "credentials that are good again": lambda f, m: f.ledger.profiles.resume("main"),
}


@pytest.mark.parametrize("arrival", ARRIVALS)
async def test_what_arrives_for_a_number_makes_its_worker_read_it_again(fixture: LedgerFixture, arrival: str) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await ARRIVALS[arrival](fixture, migration)
    wait = Move("register", Status.WAITING, "waiting", until=fixture.now + MINUTE, reason="a code")
    with pytest.raises(Outdated):
        await fixture.ledger.moves.record(lease, wait)
    with pytest.raises(Outdated):
        await fixture.open_attempt(lease)
    await fixture.ledger.moves.record(await fixture.reread(lease), wait)


SHUT: dict[str, Callable[[LedgerFixture, int], Awaitable[object]]] = {
    "a PIN": lambda f, m: f.ledger.operator_inputs.record_pin(1, "number:1", SEALED, PinProvenance.HANDED_IN, "ana"),
    "look again": lambda f, m: f.ledger.operator_changes.retry(m, "mended", "ana"),
    "calls of the reserve": lambda f, m: f.ledger.operator_changes.spend_reserve(m, "ana"),
}


@pytest.mark.parametrize("door", SHUT)
async def test_what_may_not_arrive_while_a_worker_is_there_is_fenced_afterwards(
    fixture: LedgerFixture, door: str
) -> None:
    """Refused while the lease holds; from its end on that worker writes nothing any more."""
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    with pytest.raises(LeaseLost, match="held by another worker"):
        await SHUT[door](fixture, migration)
    fixture.advance(minutes=2)
    await SHUT[door](fixture, migration)
    with pytest.raises(LeaseLost):
        await fixture.ledger.moves.record(lease, Move("register", Status.WAITING, "waiting", until=fixture.now))


async def test_a_window_makes_the_workers_of_its_wave_read_their_numbers_again(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await fixture.ledger.waves.create(NewWave("first"), [migration])
    lease = await fixture.lease(migration)
    await fixture.ledger.waves.set_window("first", fixture.now, fixture.now + 60 * MINUTE, "UTC")
    with pytest.raises(Outdated):
        await fixture.open_attempt(lease)
