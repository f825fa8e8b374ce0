"""Messages to people on record: what is sent when, and in which order."""

from datetime import timedelta

from state.notices import CauseRow, FoundCause, NoticeKind, NoticeRow
from tests.harness.ledger_fixture import MINUTE, LedgerFixture

TARGET = "a target"


async def causes(fixture: LedgerFixture, *names: str) -> list[CauseRow]:
    await fixture.ledger.notices.sync([FoundCause(f"held:{name}", "held", name) for name in names], [])
    return list(await fixture.queries.notices.open_causes())


async def made(fixture: LedgerFixture, cause: CauseRow, place: int = 0, *, waits: bool = False) -> NoticeRow:
    kind = NoticeKind.RESOLVED if place else NoticeKind.OPENED
    notice = await fixture.ledger.notices.make(cause, TARGET, place, kind, waits=waits)
    assert notice is not None
    return notice


async def to_try(fixture: LedgerFixture) -> list[int]:
    return [notice.id for notice in await fixture.queries.notices.to_try()]


async def test_a_target_that_takes_a_message_gets_what_waits_for_it_at_once(fixture: LedgerFixture) -> None:
    one, two, three = await causes(fixture, "one", "two", "three")
    first, second, third = [await made(fixture, cause) for cause in (one, two, three)]
    await fixture.ledger.notices.failed(first.id, "HTTP 500", timedelta())
    await fixture.ledger.notices.failed(second.id, "HTTP 500", 15 * MINUTE)
    (again,) = await fixture.queries.notices.to_try()
    assert await fixture.ledger.notices.take(again)
    await fixture.ledger.notices.sent(again)
    assert [again.id, *await to_try(fixture)] == [first.id, second.id], (
        "and not the third one, which a process is sending"
    )
    assert third.sent_at is None


async def test_the_end_of_a_cause_is_sent_after_its_beginning(fixture: LedgerFixture) -> None:
    (cause,) = await causes(fixture, "one")
    first = await made(fixture, cause)
    end = await made(fixture, cause, 1, waits=True)
    assert await to_try(fixture) == []
    await fixture.ledger.notices.sent(first)
    assert await to_try(fixture) == [end.id]
