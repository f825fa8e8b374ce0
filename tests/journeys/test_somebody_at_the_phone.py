"""No phone rings, no sender is paused and no client stopped for a code before somebody is at the phone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from migration.errors import OperationRefused
from migration.operations.at_the_phone import NextCode, ask_code, book_slot, leave_phone
from migration.operations.numbers import recover_forward
from migration.operations.received_codes import CodeVerdict, code_outcome, take_code
from migration.operations.waves import begin_wave, plan_wave
from migration.steps.code_requests import AFTER_TOO_MANY
from migration.steps.outcomes import Advanced, Waiting
from migration.steps.request_code import MOST_REQUESTS
from migration.waves.loop import NumberSelection, WaveLoop
from migration.waves.plan import WaveRule
from state.code_steps import NO_CODE_PAGE
from state.enums import Codes, Party, Side, Status
from state.ledger.waves import NewWave
from tests.harness.in_process import Harness, MakeHarness


async def unattended(make_harness: MakeHarness, *kinds: str, **options: Any) -> Harness:
    harness = await make_harness(kinds=list(kinds), **options)
    harness.attended = False
    return harness


async def say(app: Any, ref: str, **options: Any) -> Any:
    return await ask_code(app, ref, how="desk", by="Ana", **options)


@pytest.mark.parametrize(("kind", "columns"), [("no_backup", {}), ("code_refused", {"itinerary": "CODE_AFTER"})])
async def test_nothing_is_asked_paused_or_stopped_before(
    make_harness: MakeHarness, kind: str, columns: dict[str, str]
) -> None:
    harness = await unattended(make_harness, kind)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **columns)
        outcome = await app.runner.run_one(position.migration_id)
        assert isinstance(outcome, Waiting)
        assert outcome.on is Party.CUSTOMER
        assert outcome.reason == "nobody is at the phone; `cutover ask-code N-0001`"
        assert harness.sandbox.sms(position.e164) == []
        assert not {"stop", "register"} & {call.split()[0] for call in harness.commands}
        assert harness.sandbox_number(position).side == "on_premises"
        await say(app, position.ref)
        assert (await app.queries.positions.find(position.ref)).status is Status.READY, "due at once"
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
        assert len(harness.sandbox.sms(position.e164)) == 1
        assert harness.sandbox_number(position).side == "cloud"


async def test_the_word_ends_after_a_while_and_can_be_taken_back(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await app.runner.run_one(position.migration_id)
        asked = await say(app, position.ref, lasts=timedelta(minutes=20))
        harness.clock.advance((asked.until - harness.clock.now()).total_seconds() + 1)
        assert isinstance(await app.runner.run_one(position.migration_id), Waiting)
        await say(app, position.ref)
        await leave_phone(app, position.ref, "went home", "Ana")
        assert isinstance(await app.runner.run_one(position.migration_id), Waiting)
        assert harness.sandbox.sms(position.e164) == []


async def test_an_intent_is_refused_where_the_word_ends_before_it_is_committed(make_harness: MakeHarness) -> None:
    """The condition stands in the WHERE of the update that commits the intent, not only in what was read before."""
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await app.runner.run_one(position.migration_id)
        asked = await say(app, position.ref, lasts=timedelta(seconds=20))  # less than a lease lasts
        checked = app.runner._executor._decider._obstacles.find

        async def too_slow(run: Any) -> Any:
            obstacle = await checked(run)
            harness.clock.advance((asked.until - harness.clock.now()).total_seconds() + 1)
            return obstacle

        app.runner._executor._decider._obstacles.find = too_slow  # type: ignore[method-assign]
        await app.runner.run_step(position.migration_id)
        assert harness.sandbox.sms(position.e164) == []


async def test_a_slot_lets_the_code_be_asked_for_when_it_begins(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await app.runner.run_one(position.migration_id)
        start = harness.clock.now() + timedelta(hours=2)
        await book_slot(app, position.ref, start, start + timedelta(minutes=30), "Ana")
        outcome = await app.runner.run_one(position.migration_id)
        assert isinstance(outcome, Waiting)
        assert outcome.until == start, "it is due by itself when the slot begins"
        harness.clock.advance(2 * 3600 + 1)
        assert isinstance(await harness.run_number(app, position.ref), Advanced)


async def test_a_slot_obeys_the_customers_hours(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup", start=datetime(2025, 9, 1, 9, 0, tzinfo=UTC))
    hours = {"customer_hours": "Mon-Fri 09:00-12:00", "customer_time_zone": "America/Sao_Paulo"}
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **hours)
        early = datetime(2025, 9, 1, 11, 0, tzinfo=UTC)  # 08:00 in Sao Paulo
        with pytest.raises(OperationRefused, match="outside the hours"):
            await book_slot(app, position.ref, early, early + timedelta(minutes=30), "Ana")
        start = datetime(2025, 9, 1, 12, 0, tzinfo=UTC)
        await book_slot(app, position.ref, start, start + timedelta(minutes=30), "Ana")
        for end, why in ((start, "ends before"), (start + timedelta(minutes=1), "shorter")):
            with pytest.raises(OperationRefused, match=why):
                await book_slot(app, position.ref, start, end, "Ana")


@pytest.mark.parametrize(("codes", "asked"), [(Codes.WHEN_READY, [0, 1]), (Codes.AT_ONCE, [1, 1])])
async def test_a_wave_asks_only_those_that_are_ready_or_all_at_once(
    make_harness: MakeHarness, codes: Codes, asked: list[int]
) -> None:
    harness = await unattended(make_harness, "no_backup", "no_backup")
    async with harness.worker() as app:
        numbers = await harness.import_numbers(app)
        await plan_wave(app, NewWave("first", codes=codes), WaveRule(), None, "Ana")
        await begin_wave(app, "first", "Ana")
        await say(app, numbers[1].ref)
        await WaveLoop(app, app.runner.run_one, concurrency=5, patience=timedelta()).run(NumberSelection("first"))
        assert [len(harness.sandbox.sms(number.e164)) for number in numbers] == asked


async def test_a_dark_number_waits_for_somebody_too(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "dark")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        assert isinstance(await app.runner.run_one(position.migration_id), Waiting)
        assert harness.sandbox.sms(position.e164) == []
        await say(app, position.ref)
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.find(position.ref)).side is Side.CLOUD


# -- method, cool-down


async def to_its_code(harness: Harness, app: Any, position: Any, **options: Any) -> None:
    await app.runner.run_one(position.migration_id)
    await say(app, position.ref, **options)
    await app.runner.run_one(position.migration_id)


async def test_after_a_lost_message_the_number_is_called(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await to_its_code(harness, app, position)
        harness.clock.advance(120)
        asked = await say(app, position.ref, next_code=NextCode(lost=True))
        assert asked.method == "VOICE"
        await app.runner.run_one(position.migration_id)
        requests = await app.queries.people.code_requests(position.number_id)
        assert [row.method for row in requests] == ["VOICE", "SMS"]


async def test_no_call_is_made_while_the_number_cools_down(make_harness: MakeHarness) -> None:
    """Not by pressing again, not by a reopened step, not by a person who insists."""
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await to_its_code(harness, app, position)
        for _ in range(3):
            harness.clock.advance(5)
            asked = await say(app, position.ref, next_code=NextCode(lost=True))
            assert asked.cooling_until is not None
            outcome = await app.runner.run_step(position.migration_id)
            assert isinstance(outcome, Waiting)
            assert outcome.on is Party.US
        assert len(harness.sandbox.sms(position.e164)) == 1


async def test_too_many_codes_cool_down_for_a_day_whatever_is_pressed(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await app.runner.run_one(position.migration_id)
        refused = {"refused": "too many", "code": 136024, "subcode": 2388367}
        await say(app, position.ref)
        await note_refused_request(app, position, refused)
        asked = await say(app, position.ref)
        assert asked.cooling_until is not None
        assert asked.cooling_until - harness.clock.now() == AFTER_TOO_MANY
        assert asked.calls_left == 0
        await app.runner.run_one(position.migration_id)
        assert harness.sandbox.sms(position.e164) == []


async def note_refused_request(app: Any, position: Any, answer: dict[str, Any]) -> None:
    """As an attempt of an earlier migration of the number left it."""
    from sqlalchemy import insert

    from state.models import AttemptTable

    now = await app.queries.now()
    row = {"migration_pk": position.migration_id, "number": 99, "step": "request_code", "key": "x", "holder": "w"}
    row |= {"fence": 0, "intent": {"method": "SMS"}, "side_before": "on_premises", "opened_at": now}
    row |= {"answer_due": now, "settle_by": now, "ended": "refused", "ended_at": now, "answer": answer}
    async with app.database.begin() as tx:
        await tx.execute(insert(AttemptTable).values(**row))


# -- one behaviour for every door


async def test_a_text_in_any_script_is_taken_and_a_wrong_code_asks_again(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        early = await take_code(app, position.ref, SecretStr("123456"), door="gateway", by="sms")
        assert early.verdict in (CodeVerdict.NOT_NEEDED, CodeVerdict.NOT_ASKED)
        await app.runner.run_one(position.migration_id)
        early = await take_code(app, position.ref, SecretStr("123456"), door="gateway", by="sms")
        assert early.verdict is CodeVerdict.NOT_ASKED
        await say(app, position.ref)
        await app.runner.run_one(position.migration_id)
        right = harness.sandbox.sms(position.e164)[-1]
        wrong = "111111" if right != "111111" else "222222"
        assert (await take_code(app, position.ref, SecretStr(wrong), door="desk", by="Ana")).accepted
        assert (await take_code(app, position.ref, SecretStr(wrong), door="room", by="x")).verdict is CodeVerdict.TWICE
        outcome = await app.runner.run_one(position.migration_id)
        assert isinstance(outcome, Waiting), "a wrong code fails nothing"
        again = await code_outcome(app, position.ref)
        assert again is not None
        assert again.verdict is CodeVerdict.WRONG
        assert (
            await take_code(app, position.ref, SecretStr(wrong), door="desk", by="Ana")
        ).verdict is CodeVerdict.WRONG
        arabic = f"رمزك: {right[:3]}-{right[3:]} لا تشاركه".translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
        assert (await take_code(app, position.ref, SecretStr(arabic), door="gateway", by="sms")).accepted
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
        late = await take_code(app, position.ref, SecretStr(right), door="desk", by="Ana")
        assert late.verdict is CodeVerdict.NOT_NEEDED
        assert await app.secret_store.open(f"number:{position.number_id}", "code") is None, "dropped after use"


async def test_a_code_of_another_number_is_not_stored(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup", "no_backup")
    async with harness.worker() as app:
        one, other = await harness.import_numbers(app)
        for position in (one, other):
            await to_its_code(harness, app, position)
        code = SecretStr(harness.sandbox.sms(one.e164)[-1])
        assert (await take_code(app, one.ref, code, door="desk", by="Ana")).accepted
        answer = await take_code(app, other.ref, code, door="desk", by="Ana")
        assert answer.verdict is CodeVerdict.ANOTHER
        assert one.ref not in answer.message, "it says nothing about whose it is"
        assert await app.queries.records.latest_code(other.migration_id) is None


async def test_the_same_digits_an_hour_later_are_another_code(make_harness: MakeHarness) -> None:
    """One code in a million is another number's of last month; that is no mistake of whoever types it."""
    harness = await unattended(make_harness, "no_backup", "no_backup")
    async with harness.worker() as app:
        one, other = await harness.import_numbers(app)
        await to_its_code(harness, app, one)
        code = SecretStr(harness.sandbox.sms(one.e164)[-1])
        assert (await take_code(app, one.ref, code, door="desk", by="Ana")).accepted
        harness.clock.advance(60 * 60)
        await to_its_code(harness, app, other)
        assert (await take_code(app, other.ref, code, door="desk", by="Ana")).accepted


@pytest.mark.parametrize("typed", ["at once", "once it is waited for"])
async def test_a_recovery_takes_the_code_that_is_on_its_way(make_harness: MakeHarness, typed: str) -> None:
    """It was asked for while the number was on its way to be dark; whoever reads it out is rung up once."""
    harness = await unattended(make_harness, "code_refused")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, itinerary="CODE_AFTER")
        await to_its_code(harness, app, position)
        code = SecretStr(harness.sandbox.sms(position.e164)[-1])
        await recover_forward(app, position.ref, "its host is gone for good", "Ana")
        if typed == "once it is waited for":
            await app.runner.run_one(position.migration_id)
        assert (await take_code(app, position.ref, code, door="desk", by="Ana")).accepted
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.find(position.ref)).side is Side.CLOUD
        assert len(harness.sandbox.sms(position.e164)) == 1


async def test_at_once_asks_again_for_a_code_that_expired_but_not_for_ever(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await plan_wave(app, NewWave("night", codes=Codes.AT_ONCE), WaveRule(), None, "Ana")
        await begin_wave(app, "night", "Ana")
        for _ in range(MOST_REQUESTS + 1):
            await app.runner.run_one(position.migration_id)
            harness.clock.advance(11 * 60)
        blocked = await app.queries.positions.find(position.ref)
        assert (blocked.status, blocked.runbook) == (Status.BLOCKED, NO_CODE_PAGE)
        requests = await app.queries.people.code_requests(position.number_id)
        assert [row.method for row in requests] == ["SMS", "VOICE", "SMS"], "the other method after each that was lost"


async def test_an_expired_code_is_not_sent(make_harness: MakeHarness) -> None:
    harness = await unattended(make_harness, "no_backup")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await to_its_code(harness, app, position)
        harness.clock.advance(11 * 60)
        late = await take_code(
            app, position.ref, SecretStr(harness.sandbox.sms(position.e164)[-1]), door="desk", by="A"
        )
        assert late.verdict is CodeVerdict.EXPIRED
        await app.runner.run_one(position.migration_id)
        again = await app.queries.positions.find(position.ref)
        assert (again.status, again.next_step) == (Status.WAITING, "request_code"), "nobody is at the phone any more"
        await say(app, position.ref)
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
