"""A step that is done is one write: its result, its evidence, its secrets and the side that was read."""

from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from migration.engine.decisions import Decision, advance, pass_over
from migration.engine.kept_numbers import KeptNumbers
from migration.engine.recorder import StepRecorder
from migration.errors import BackupNotKept
from migration.steps.outcomes import Evidence, Waiting
from state.enums import AttemptEnd, Party, PinProvenance, Side, Status
from state.errors import NotStored
from state.ledger import changes as c
from state.ledger.moves import Move, Moves
from state.rows import SealedSecret
from state.service import service_of_row
from tests.harness.hand_made_number import NOW, make_code, make_number
from tests.harness.hand_made_run import FakeMoves, FakeStore, make_attempt, make_run, move_of, no_lag

LATER = NOW + timedelta(minutes=5)
ATTEMPT = make_attempt()
WAITING = Waiting(LATER, Party.META, "not yet")


# -- an advance


async def test_an_advance_keeps_the_result_and_goes_to_the_next_step() -> None:
    assert await move_of(make_run(), advance(Evidence({"done": 1}))) == Move(
        "the_step",
        Status.READY,
        "advanced",
        {"done": 1},
        to="the_next",
        changes=(c.ResultFound({"done": 1}, None),),
    )


@pytest.mark.parametrize("ends_as", [Status.DONE, Status.ABORTED])
async def test_the_last_step_ends_the_migration_as_its_itinerary_says(ends_as: Status) -> None:
    move = await move_of(make_run(last=True, ends_as=ends_as), advance(Evidence({"done": 1})))
    assert (move.status, move.to) == (ends_as, None)


async def test_a_result_that_is_still_good_keeps_its_time() -> None:
    move = await move_of(make_run(), advance(Evidence({"done": 1}), "still_good"))
    assert (move.kind, move.facts, move.changes) == ("still_good", {"done": 1}, ())


async def test_a_result_may_be_fresh_from_an_earlier_time_than_that_of_the_write() -> None:
    earlier = NOW - timedelta(seconds=70)
    move = await move_of(make_run(), advance(Evidence({}, fresh_from=earlier)))
    assert move.changes == (c.ResultFound({}, earlier),)


async def test_an_attempt_that_did_it_is_closed_as_done_with_its_facts() -> None:
    move = await move_of(make_run(), advance(Evidence({"done": 1}), "settled", ATTEMPT))
    assert move.kind == "settled"
    assert move.changes == (c.AttemptClosed(ATTEMPT.id, AttemptEnd.DONE, {"done": 1}), c.ResultFound({"done": 1}, None))


@pytest.mark.parametrize("end", [AttemptEnd.REFUSED, AttemptEnd.NOT_DONE])
async def test_a_step_that_is_passed_over_says_why(end: AttemptEnd) -> None:
    move = await move_of(make_run(optional=True), pass_over("no backup here", ATTEMPT, end))
    facts = {"skipped": "no backup here"}
    assert (move.kind, move.to, move.facts) == ("passed_over", "the_next", facts)
    assert move.changes == (c.AttemptClosed(ATTEMPT.id, end, facts), c.ResultFound(facts, None))


async def test_a_step_that_is_passed_over_before_an_attempt_closes_none() -> None:
    move = await move_of(make_run(optional=True), pass_over("no backup here"))
    assert move.changes == (c.ResultFound({"skipped": "no backup here"}, None),)


EVIDENCE: dict[str, tuple[Evidence, dict[str, Any], tuple[c.Change, ...]]] = {
    "a PIN": (Evidence(pin=PinProvenance.SET_BY_US), {}, (c.PinKnown(PinProvenance.SET_BY_US),)),
    "a code that was verified": (Evidence(code_verified=True), {"code": make_code(id=9)}, (c.CodeUsed(9, "verified"),)),
    "verified without a code of ours": (Evidence(code_verified=True), {}, ()),
    "a code that was not used": (Evidence(), {"code": make_code(id=9)}, ()),
    "a message": (Evidence(message={"wamid": "w"}), {}, (c.MessageSent({"wamid": "w"}),)),
    "an announcement": (Evidence(outbox_key="1:x:5"), {}, (c.OutboxAnswered("1:x:5"), c.EpochRaised())),
    "senders paused": (Evidence(paused=True), {}, (c.SendersPaused(NOW),)),
    "senders paused before": (Evidence(paused=True), {"paused_at": NOW - timedelta(minutes=1)}, ()),
    "senders resumed": (
        Evidence(resumed=True),
        {"paused_at": NOW - timedelta(seconds=42)},
        (c.SendersResumed(42.0),),
    ),
    "senders were not paused": (Evidence(resumed=True), {}, ()),
    "senders stay paused": (Evidence(), {"paused_at": NOW - timedelta(seconds=42)}, ()),
}


@pytest.mark.parametrize("case", EVIDENCE)
async def test_what_evidence_changes_beside_the_result(case: str) -> None:
    evidence, given, changes = EVIDENCE[case]
    move = await move_of(make_run(number=make_number(**given)), advance(evidence))
    assert move.changes == (c.ResultFound({}, None), *changes)


async def test_secrets_are_sealed_as_the_number_s_own_and_written_with_the_move() -> None:
    store = FakeStore()
    move = await move_of(make_run(), advance(Evidence(secrets={"pin": SecretStr("112233")})), store)
    sealed = SealedSecret("pin", b"112233", b"", "test")
    assert move.changes == (c.ResultFound({}, None), c.SecretSealed("number:11", sealed))
    assert store.kept == []


async def test_the_row_of_a_backup_is_written_with_the_move_and_names_the_file_of_this_lease() -> None:
    store, run = FakeStore(), make_run()
    move = await move_of(run, advance(Evidence(backups={"backup": SecretStr("blob")})), store)
    assert store.kept == [("number:11", "backup", "blob")]
    file = f"{run.lease.migration_id}.{run.lease.fence}"
    sealed = SealedSecret("backup", b"blob", b"", "test", file)
    assert move.changes == (c.ResultFound({}, None), c.SecretSealed("number:11", sealed))
    assert store.dropped == [("number:11", "backup")]


async def test_a_row_that_the_database_did_not_give_back_is_a_backup_that_is_not_kept() -> None:
    store = FakeStore()
    recorder = StepRecorder(cast(Moves, FakeMoves(NotStored("given back otherwise"))), store, KeptNumbers(), no_lag())
    with pytest.raises(BackupNotKept, match="given back otherwise"):
        await recorder.record(make_run(), advance(Evidence(backups={"backup": SecretStr("blob")})))
    assert store.dropped == []


async def test_a_backup_that_is_not_kept_leaves_the_move_unwritten() -> None:
    moves = FakeMoves()
    recorder = StepRecorder(
        cast(Moves, moves), FakeStore(BackupNotKept("read back otherwise")), KeptNumbers(), no_lag()
    )
    with pytest.raises(BackupNotKept):
        await recorder.record(make_run(), advance(Evidence(backups={"backup": SecretStr("blob")})))
    assert moves.moves == []


async def test_all_of_it_is_one_write() -> None:
    run = make_run(changes_side=True, number=make_number(code=make_code(id=9), paused_at=NOW))
    evidence = Evidence(
        {"done": 1},
        side=Side.CLOUD,
        secrets={"pin": SecretStr("112233")},
        pin=PinProvenance.SET_ON_CLOUD,
        code_verified=True,
        message={"wamid": "w"},
        outbox_key="1:x:5",
        resumed=True,
    )
    move = await move_of(run, advance(evidence, attempt=ATTEMPT))
    assert [type(change).__name__ for change in move.changes] == [
        "AttemptClosed",
        "SideRead",
        "ServiceSeen",
        "OutsideSettled",
        "ResultFound",
        "SecretSealed",
        "PinKnown",
        "CodeUsed",
        "MessageSent",
        "OutboxAnswered",
        "EpochRaised",
        "SendersResumed",
    ]


# -- the side


SERVED = {"served_at": NOW - timedelta(seconds=12), "served_on": Side.ON_PREMISES}
DARK = SERVED | {"dark_from": NOW - timedelta(seconds=9), "dark_until": NOW - timedelta(seconds=2)}


@pytest.mark.parametrize(
    ("side", "state", "outage"),
    [
        (Side.CLOUD, SERVED, (0.0, 12.0)),
        (Side.CLOUD, DARK, (7.0, 12.0)),
        (Side.ON_PREMISES, DARK, (7.0, 12.0)),
        (Side.ON_PREMISES, SERVED, (None, None)),
        (Side.NEITHER, DARK, (None, None)),
        (Side.UNKNOWN, DARK, (None, None)),
        (Side.CLOUD, DARK | {"served_at": None, "served_on": None}, (None, None)),
        (Side.CLOUD, DARK | {"outage_seconds": 3.0, "outage_at_least": 1.0}, (8.0, 15.0)),
    ],
    ids=["moved", "Cloud", "back", "never left", "neither", "unknown", "dark on arrival", "a second outage"],
)
async def test_an_outage_ends_with_the_reading_that_shows_it_served(
    side: Side, state: dict[str, Any], outage: tuple[float | None, float | None]
) -> None:
    run = make_run(changes_side=True, number=make_number(**state))
    move = await move_of(run, Decision(WAITING, side=side))
    seen = [change.service for change in move.changes if isinstance(change, c.ServiceSeen)]
    known = seen[0] if seen else service_of_row(run.number.state)
    assert (known.outage_at_least, known.outage_seconds) == outage


@pytest.mark.parametrize(
    ("goes_to", "side", "undone"),
    [
        (Side.CLOUD, Side.CLOUD, False),
        (Side.CLOUD, Side.ON_PREMISES, True),
        (Side.CLOUD, Side.NEITHER, False),
        (Side.CLOUD, Side.UNKNOWN, False),
        (Side.ON_PREMISES, Side.ON_PREMISES, False),
        (Side.ON_PREMISES, Side.CLOUD, True),
        (None, Side.CLOUD, True),
        (None, Side.ON_PREMISES, True),
    ],
)
async def test_a_number_that_serves_where_its_itinerary_does_not_go_may_be_aborted_again(
    goes_to: Side | None, side: Side, undone: bool
) -> None:
    move = await move_of(make_run(changes_side=True, goes_to=goes_to), advance(Evidence(side=side)))
    assert move.changes[0] == c.SideRead(side, undone=undone)


@pytest.mark.parametrize("read", list(Side))
@pytest.mark.parametrize("reads_side", [True, False])
@pytest.mark.parametrize("recorded", list(Side))
async def test_a_step_that_cannot_move_the_number_takes_no_side_away(
    recorded: Side, reads_side: bool, read: Side
) -> None:
    """A stale replica ended a number as "done, on neither side" while it was on Cloud."""
    run = make_run(number=make_number(side=recorded), reads_side=reads_side)
    move = await move_of(run, advance(Evidence(side=read)))
    written = [change.side for change in move.changes if isinstance(change, c.SideRead)]
    resolves = reads_side and (read in (Side.CLOUD, Side.ON_PREMISES) or recorded is Side.UNKNOWN)
    assert written == ([read] if resolves else [])
