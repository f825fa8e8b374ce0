"""What a hook answers about senders that were told something outside of a step, and when it comes."""

from datetime import timedelta

import pytest

from migration.steps.traffic import announcement_body, outbox_key
from state.enums import AttemptEnd, Side, Status
from state.ledger.changes import AttemptClosed, EpochRaised, OutboxAnswered, ResultFound
from state.ledger.moves import Move
from state.rows import Position
from tests.harness.ledger_fixture import LedgerFixture

SOON = timedelta(seconds=2)


async def pause(fixture: LedgerFixture, migration: int) -> None:
    """A worker pauses its senders, and the hook answers that it has."""
    lease = await fixture.lease(migration)
    position = await fixture.queries.positions.get(migration)
    body = announcement_body(position, fixture.now, "pause_sends", Side.ON_PREMISES, Side.CLOUD)
    attempt = await fixture.open_attempt(lease, "pause_sends", announcement=body)
    done = (AttemptClosed(attempt.id, AttemptEnd.DONE), OutboxAnswered(outbox_key(body)), EpochRaised())
    found = (*done, ResultFound({}))
    await fixture.ledger.moves.record(lease, Move("pause_sends", Status.READY, "advanced", to="drain", changes=found))


async def tell(fixture: LedgerFixture, migration: int, event: str) -> tuple[Position, dict[str, object], str]:
    """Begin to tell them so; what `confirm` and `fail` are given when the hook has answered."""
    position = await fixture.queries.positions.get(migration)
    body = announcement_body(position, fixture.now, event, Side.CLOUD, Side.ON_PREMISES)
    assert await fixture.ledger.senders.claim(position, body, outbox_key(body), SOON)
    return position, body, outbox_key(body)


async def go_back_to_pause(fixture: LedgerFixture, migration: int) -> None:
    lease = await fixture.lease(migration)
    await fixture.ledger.moves.record(lease, Move("drain", Status.READY, "reopened", to="pause_sends"))


async def test_senders_that_were_paused_anew_do_not_go_on_by_an_answer_to_an_earlier_message(
    fixture: LedgerFixture,
) -> None:
    """They were told to go on, a person released the number, and it paused them again before that was answered."""
    migration = await fixture.import_number(step="pause_sends")
    await pause(fixture, migration)
    told = await tell(fixture, migration, "resume_sends")
    await go_back_to_pause(fixture, migration)
    await pause(fixture, migration)
    await fixture.ledger.senders.confirm(*told)
    (paused,) = await fixture.queries.positions.paused()
    assert paused.paused_at is not None
    assert paused.pause_until == fixture.now + timedelta(minutes=3)


@pytest.mark.parametrize("renewed_before", [True, False])
async def test_senders_go_on_by_the_answer_to_the_last_message(fixture: LedgerFixture, renewed_before: bool) -> None:
    migration = await fixture.import_number(step="pause_sends")
    await pause(fixture, migration)
    if renewed_before:
        await fixture.ledger.senders.confirm(*await tell(fixture, migration, "pause_sends"))
    await fixture.ledger.senders.confirm(*await tell(fixture, migration, "resume_sends"))
    assert await fixture.queries.positions.paused() == ()
