"""A number in no wave does not cross into an account that Meta has restricted, until a person lets it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.numbers import release_number
from migration.operations.wave_transfer import move_numbers
from migration.operations.waves import begin_wave, release_wave
from migration.waves.next_command import next_command
from migration.waves.proofs import apply_webhooks, end_restrictions
from state.enums import Side, Status, WaveState
from state.ledger.waves import NewWave
from state.ledger.webhooks import WebhookUpdate
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness

REMOVED = {"event": "PARTNER_REMOVED"}
RESTRICTED = {"event": "ACCOUNT_RESTRICTION", "restriction_info.restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION"}


async def report(
    harness: Harness,
    app: App,
    facts: dict[str, Any],
    *,
    field: str = "account_update",
    kind: str = "change",
    of: str = "the account",
) -> None:
    """A webhook about the account of all numbers."""
    position = await app.queries.positions.find("N-0001")
    now = int(harness.clock.now().timestamp())
    ids = (position.profile, harness.sandbox.manifest()["app_id"], position.waba_id)
    of_number = position.phone_number_id if "messages" in field or of == "the number" else None
    one = WebhookUpdate(*ids, of_number, None, field, kind, None, {"at": now, **facts}, digest=f"{facts}{now}")
    assert (await app.ledger.webhooks.store([one])).stored == 1
    await apply_webhooks(app)


async def runs(harness: Harness, app: App, ref: str = "N-0001") -> Position:
    await harness.run_number(app, ref)
    return await app.queries.positions.find(ref)


REPORTS: list[tuple[dict[str, Any], dict[str, str]]] = [
    (REMOVED, {}),
    (RESTRICTED, {}),
    ({"ban_info.waba_ban_state": "DISABLE"}, {}),
    ({"decision": "REJECTED"}, {"field": "account_review_update"}),
    ({"code": 131042}, {"field": "messages", "kind": "error"}),
    ({"event": "ACCOUNT_OFFBOARDED"}, {"of": "the number"}),
]


@pytest.mark.parametrize(("facts", "where"), REPORTS)
async def test_a_number_in_no_wave_waits_for_a_person(
    make_harness: MakeHarness, facts: dict[str, Any], where: dict[str, str]
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await harness.import_numbers(app, hook="senders")
        await report(harness, app, facts, **where)
        held = await runs(harness, app)
        assert (held.status, held.side) == (Status.HELD, Side.ON_PREMISES)
        assert next_command(held, harness.clock.now()) == "cutover release N-0001"
        assert not {"pause_sends", "register"} & set(harness.mutations(held))
        await release_number(app, "N-0001", "anna")
        assert (await runs(harness, app)).side is Side.CLOUD
    assert harness.mutations(held).count("register") == 1


async def test_what_is_reported_after_a_release_holds_it_again_but_for_what_each_message_says(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await harness.import_numbers(app)
        with pytest.raises(OperationRefused, match="is not on hold"):
            await release_number(app, "N-0001", "anna")
        await report(harness, app, {"code": 131042}, field="messages", kind="error")
        await release_number(app, "N-0001", "anna")
        harness.clock.advance(60)
        await report(harness, app, {"code": 131042}, field="messages", kind="error")
        await report(harness, app, REMOVED)
        assert "PARTNER_REMOVED" in ((await runs(harness, app)).reason or "")
        harness.clock.advance(60)
        await report(harness, app, {"event": "PARTNER_ADDED"})
        assert (await runs(harness, app)).side is Side.CLOUD


async def test_a_restriction_that_has_ended_holds_nobody(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await harness.import_numbers(app)
        ends = int(harness.clock.now().timestamp()) + 600
        await report(harness, app, {**RESTRICTED, "restriction_info.ends": ends})
        assert (await runs(harness, app)).status is Status.HELD
        harness.clock.advance(700)
        assert (await runs(harness, app)).side is Side.CLOUD


async def test_a_report_that_comes_while_its_worker_is_at_the_number_keeps_its_register_back(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")

        async def at_the_pause(request: httpx.Request) -> None:
            if b'"pause_sends"' in request.content and not told:
                told.append(request)
                await report(harness, app, REMOVED)

        told: list[httpx.Request] = []
        harness.before_answer = at_the_pause
        held = await runs(harness, app)
        harness.before_answer = None
        assert (len(told), held.status, held.next_step) == (1, Status.HELD, "register")
    assert "register" not in harness.mutations(position)


async def test_a_number_that_serves_nobody_goes_on(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        await harness.import_numbers(app)
        await report(harness, app, REMOVED)
        assert (await runs(harness, app)).side is Side.CLOUD


@pytest.mark.parametrize(("facts", "where"), REPORTS)
async def test_a_number_of_a_wave_is_let_go_by_its_wave(
    make_harness: MakeHarness, facts: dict[str, Any], where: dict[str, str]
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await app.ledger.waves.create(NewWave("north"), [position.migration_id])
        await report(harness, app, facts, **where)
        with pytest.raises(OperationRefused, match="is halted"):
            await begin_wave(app, "north")
        with pytest.raises(OperationRefused, match="is not on hold; its wave is north"):
            await release_number(app, "N-0001", "anna")
        await release_wave(app, "north", canary=False, only=())
        assert (await runs(harness, app)).side is Side.CLOUD


# -- numbers that Meta has refused for their account

BAN, LIFTED = {"ban_info.waba_ban_state": "DISABLE"}, {"ban_info.waba_ban_state": "REINSTATE"}
AT_ITS_END = {"restriction_info.ends": 600}  # seconds after the refusal
ENDS: dict[str, list[tuple[int, dict[str, Any]]]] = {  # so many seconds after the refusal, this is told
    "an end that is told before it": [(60, RESTRICTED | AT_ITS_END)],
    "an end that is told after it": [(900, RESTRICTED | AT_ITS_END)],
    "a ban that is lifted": [(60, BAN), (700, LIFTED)],
    "a ban that nobody told of": [(700, LIFTED)],
    "a review": [(60, {"decision": "REJECTED"}), (700, {"decision": "APPROVED"})],
}  # fmt: skip
NO_ENDS: dict[str, list[tuple[int, dict[str, Any]]]] = {
    "an end before the refusal": [(60, RESTRICTED | {"restriction_info.ends": -60})],
    "no end": [(60, RESTRICTED)],
    "another restriction stands": [(60, RESTRICTED | AT_ITS_END), (300, BAN)],
    "something else": [(60, {"event": "PARTNER_ADDED"})],
}


async def refused(harness: Harness, app: App) -> Position:
    await harness.import_numbers(app, hook="senders")
    harness.sandbox.faults.add("register", "error", None, code=368, times=0)
    position = await runs(harness, app)
    assert (position.status, harness.mutations(position).count("register")) == (Status.BLOCKED, 1)
    return position


async def hear(harness: Harness, app: App, told: list[tuple[int, dict[str, Any]]]) -> Position:
    """For half an hour, with a pass of whatever runs once a minute."""
    began = harness.clock.now()
    for minute in range(30):
        harness.clock.advance((began + timedelta(minutes=minute) - harness.clock.now()).total_seconds())
        for after, facts in told:
            if after // 60 == minute:
                ends = facts.get("restriction_info.ends")
                at = {"restriction_info.ends": int(began.timestamp()) + ends} if ends is not None else {}
                where = {"field": "account_review_update"} if "decision" in facts else {}
                await report(harness, app, facts | at, **where)
        await end_restrictions(app)
        if (await app.queries.positions.find("N-0001")).status is Status.READY:
            await runs(harness, app)
    return await app.queries.positions.find("N-0001")


@pytest.mark.parametrize("way", ENDS)
async def test_a_number_that_was_refused_for_its_account_is_tried_again_whatever_tells_of_the_end(
    make_harness: MakeHarness, way: str
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await refused(harness, app)
        harness.sandbox.faults.clear()
        assert (await hear(harness, app, ENDS[way])).side is Side.CLOUD


@pytest.mark.parametrize("way", NO_ENDS)
async def test_a_number_that_was_refused_for_its_account_waits_while_nothing_says_that_it_is_over(
    make_harness: MakeHarness, way: str
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await refused(harness, app)
        harness.sandbox.faults.clear()
        assert (await hear(harness, app, NO_ENDS[way])).status is Status.BLOCKED
    assert harness.mutations(position).count("register") == 1


async def test_a_number_that_is_refused_again_is_not_tried_for_ever(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await refused(harness, app)
        assert (await hear(harness, app, ENDS["a ban that is lifted"])).status is Status.BLOCKED
    assert harness.mutations(position).count("register") == 2


async def test_a_number_does_not_slip_into_a_running_wave(make_harness: MakeHarness) -> None:
    """The wave was halted by nobody: it had no number of that account when the report came."""
    harness = await make_harness(kinds=["healthy", "healthy"])
    async with harness.worker() as app:
        first, second = await harness.import_numbers(app)
        await app.ledger.waves.create(NewWave("east"), [second.migration_id], by="anna")
        await begin_wave(app, "east", "anna")
        await report(harness, app, REMOVED)
        await set_state(app, "east", WaveState.RUNNING)
        with pytest.raises(OperationRefused, match=r"N-0001 would cross with wave east.*PARTNER_REMOVED"):
            await move_numbers(app, [await app.queries.positions.find("N-0001")], "east", "it is ready", "anna")
        await set_state(app, "east", WaveState.HELD)
        await move_numbers(app, [await app.queries.positions.find("N-0001")], "east", "it is ready", "anna")
        assert (await app.queries.positions.find("N-0001")).wave == "east"
    assert "register" not in harness.mutations(first)


async def set_state(app: App, wave: str, to: WaveState) -> None:
    """As `cutover hold` and `cutover run` decide."""
    await app.ledger.waves.set_state(wave, to, allowed=[WaveState.RUNNING, WaveState.HELD, WaveState.HALTED], by="anna")
