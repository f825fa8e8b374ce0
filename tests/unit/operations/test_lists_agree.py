"""A list that the database filters and counts says of each number what its sentences say."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from migration.operations.service_wording import service_document
from migration.operations.wording import reason_text, whose_move
from migration.waves.next_command import current_status, next_command, next_runbook
from state.enums import Party, Side, Status
from state.ledger.waves import NewWave
from state.models import CredentialProfileTable, MigrationTable
from state.queries.listing import NumberCounts, NumberFilter
from state.queries.queries import Queries
from state.rows import ListedNumber, Position
from tests.harness.ledger_fixture import START, LedgerFixture, open_ledger_fixture

GONE, ALIVE = "gone-worker", "worker-2"
BEFORE, LATER = START - timedelta(minutes=1), START + timedelta(minutes=1)
# What the row of each number is changed to.
ROWS: tuple[dict[str, Any], ...] = (
    {"status": Status.READY},
    {"status": Status.RUNNING, "lease_holder": ALIVE, "lease_until": LATER},
    {"status": Status.RUNNING, "lease_holder": ALIVE, "lease_until": BEFORE},
    {"status": Status.RUNNING, "lease_holder": GONE, "lease_until": LATER},
    {"status": Status.WAITING, "waiting_until": LATER, "waiting_on": Party.CUSTOMER, "reason": "a code"},
    {"status": Status.WAITING, "waiting_until": BEFORE, "waiting_on": Party.META},
    {"status": Status.WAITING, "waiting_until": LATER, "waiting_on": None},
    {"status": Status.BLOCKED, "runbook": "runbooks/wrong-pin.md", "waiting_on": Party.OPERATOR},
    {"status": Status.BLOCKED, "runbook": "runbooks/refused.md", "side": Side.NEITHER, "dark_by_us": True},
    {"status": Status.HELD, "hold": True, "waiting_on": Party.OPERATOR},
    {"status": Status.DONE, "ended_at": BEFORE, "next_step": None, "side": Side.CLOUD, "served_on": Side.CLOUD},
)
OF_HALTED_PROFILE = 3  # numbers; they are ready, held and blocked


@pytest.fixture
async def fleet(database_url: str) -> AsyncIterator[LedgerFixture]:
    async with open_ledger_fixture(database_url) as fixture:
        fixture.queries = Queries(fixture.engine, fixture.queries.positions._reader.clock, lambda name: name == GONE)
        moves = [await fixture.import_number(index) for index in range(1, len(ROWS) + 1)]
        await fixture.ledger.waves.create(NewWave("north"), moves[2:6])
        for move, row in zip(moves, ROWS, strict=True):
            await _change(fixture, move, row)
        for index, status in enumerate((Status.READY, Status.HELD, Status.BLOCKED)):
            halted = {"customer": "Bolt", "waba_id": "777", "profile": "main"}
            move = await fixture.import_number(50 + index, **halted)
            await _change(fixture, move, {"status": status, "runbook": "runbooks/wrong-pin.md"})
        yield fixture


async def _change(fixture: LedgerFixture, move: int, row: dict[str, Any]) -> None:
    async with fixture.engine.begin() as tx:
        await tx.execute(update(MigrationTable).where(MigrationTable.id == move).values(**row))


async def _halt_profiles(fixture: LedgerFixture) -> None:
    async with fixture.engine.begin() as tx:
        await tx.execute(update(CredentialProfileTable).values(halted_at=START, halted_because="refused"))


def _counted(board: tuple[Position, ...], fixture: LedgerFixture) -> NumberCounts:
    """What the sentences say of the whole fleet."""
    now = fixture.now
    parties = [whose_move(one, now) for one in board]
    return NumberCounts(
        len(board),
        sum(one.dark_by_us for one in board),
        Counter(one.wave or "" for one in board),
        Counter(current_status(one, now) for one in board),
        Counter(Party(party) for party in parties if party != "-"),
        Counter(page for one in board if (page := next_runbook(one, now)) is not None),
        Counter(one.side for one in board),
    )


@pytest.mark.parametrize("halted", [False, True])
async def test_the_counts_are_what_the_sentences_say(fleet: LedgerFixture, halted: bool) -> None:
    if halted:
        await _halt_profiles(fleet)
    board = await fleet.queries.positions.board()
    assert await fleet.queries.listing.counts() == _counted(board, fleet)


async def test_each_filter_leaves_the_numbers_of_which_the_sentences_say_so(fleet: LedgerFixture) -> None:
    await _halt_profiles(fleet)
    now, listing = fleet.now, fleet.queries.listing
    board = await fleet.queries.positions.board()

    async def refs(**chosen: Any) -> list[str]:
        return [row.ref for row in await listing.all(NumberFilter(**chosen))]

    for status in Status:
        assert await refs(status=status) == [one.ref for one in board if current_status(one, now) is status]
    for party in Party:
        assert await refs(waits_for=party) == [one.ref for one in board if whose_move(one, now) == party.value]
    for page in ("wrong-pin", "refused", "token-refused", "nothing"):
        assert await refs(blocked_by=page) == [one.ref for one in board if next_runbook(one, now) == page]
    assert await refs(wave="north") == [one.ref for one in board if one.wave == "north"]
    assert await refs(wave="") == [one.ref for one in board if one.wave is None]
    assert await refs(wave="south") == []
    assert await refs(customer="Bolt") == [one.ref for one in board if one.customer == "Bolt"]
    assert await refs(customer="Bolt", status=Status.HELD, wave="") == ["N-0013"]


async def test_a_listed_number_is_described_as_the_number_itself(fleet: LedgerFixture) -> None:
    now = fleet.now
    listed, board = await fleet.queries.listing.all(), await fleet.queries.positions.board()

    def described(one: Position | ListedNumber) -> list[Any]:
        return [
            current_status(one, now),
            whose_move(one, now),
            reason_text(one, now),
            next_command(one, now),
            service_document(one, now),
        ]

    assert list(map(described, listed)) == list(map(described, board))
    for row, position in zip(listed, board, strict=True):
        same = {name: getattr(position, name) for name in ListedNumber._fields}
        assert row._asdict() == same
        assert {type(value) for value in row} == {type(value) for value in same.values()}


async def test_pages_together_are_the_list(fleet: LedgerFixture) -> None:
    listing, everything = fleet.queries.listing, await fleet.queries.listing.all()
    pages: list[ListedNumber] = []
    while page := await listing.page(after=pages[-1].number_id if pages else 0, limit=4):
        pages += page
    assert tuple(pages) == everything
    assert await listing.page(offset=8, limit=4) == everything[8:12]
    ours = NumberFilter(waits_for=Party.US)
    first = await listing.page(ours, limit=2)
    assert [*first, *await listing.page(ours, after=first[-1].number_id)] == list(await listing.all(ours))


async def test_only_the_newest_migration_of_a_number_is_listed(fleet: LedgerFixture) -> None:
    number = (await fleet.queries.listing.page(limit=1))[0]
    await fleet.end_migration(number.migration_id)
    again = await fleet.start_migration(number.number_id)
    listed = [row for row in await fleet.queries.listing.all() if row.number_id == number.number_id]
    assert [row.migration_id for row in listed] == [again]
    assert (await fleet.queries.listing.counts()).total == len(ROWS) + OF_HALTED_PROFILE
