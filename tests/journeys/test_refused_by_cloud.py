"""A number that has crossed, and whose messages Cloud refuses: its senders are told, and wait for nothing."""

import pytest

from migration.app import App
from migration.notify.notify_targets import CauseKind
from migration.operations.numbers import retry_number
from migration.operations.route_documents import route_document
from migration.operations.waves import begin_wave, release_wave
from migration.waves.causes import find_causes
from migration.waves.proofs import apply_webhooks
from migration.waves.senders import keep_senders_informed
from sandbox.world.health import PAYMENT, add_problem
from state.enums import Side, Status, WaveState
from state.ledger.waves import NewWave
from state.ledger.webhooks import WebhookUpdate
from state.proof import Weight, is_proved, reports_of
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness

HOOK = {"hook": "senders", "smoke_to": "+15550109999"}


async def _moved(harness: Harness, app: App, *faults: int) -> Position:
    await harness.import_numbers(app, **HOOK)
    for code in faults:
        harness.sandbox.faults.add("messages", "error", None, code=code, times=0)
    await harness.run_number(app, "N-0001")
    await apply_webhooks(app)
    return await app.queries.positions.find("N-0001")


async def _told(app: App) -> set[str]:
    now, to_tell = await app.queries.now(), await app.queries.proofs.to_tell()
    return {cause.kind for cause in find_causes(await app.queries.positions.needing_attention(), [], [], now, to_tell)}


@pytest.mark.parametrize(("code", "topic"), [(131042, "payment"), (131031, "locked"), (368, "locked")])
async def test_an_account_that_cloud_refuses_keeps_no_sender_paused(
    make_harness: MakeHarness, code: int, topic: str
) -> None:
    """Their pause would have lasted until a person came: consumers could not even be answered for nothing."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await _moved(harness, app, code)
        outbox = await app.queries.records.outbox(position.migration_id)
        assert (position.status, position.side, position.smoke_error) == (Status.DONE, Side.CLOUD, code)
        assert ([one for one, _ in reports_of(position, Weight.DOUBT)], is_proved(position)) == ([topic], False)
        assert await _told(app) == {CauseKind.ACCOUNT, CauseKind.UNPROVED}
    assert (outbox[-1]["event"], outbox[-1]["body"]["refused"]) == ("resume_sends", code)
    sender = harness.sandbox_number(position).sender
    assert (sender.running, sender.route, sender.to_dead_side, sender.lost) == (True, "cloud", 0, 0)
    assert harness.mutations(position).count("messages") == 1


@pytest.mark.parametrize("code", [131048, 131037, 131008, 100])
async def test_any_other_refusal_of_a_message_keeps_no_sender_paused(make_harness: MakeHarness, code: int) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await _moved(harness, app, code)
        assert (position.status, position.smoke_error, is_proved(position)) == (Status.DONE, code, False)
        assert CauseKind.UNPROVED in await _told(app)
    assert harness.sandbox_number(position).sender.running


@pytest.mark.parametrize("code", [131045, 133010])
async def test_a_number_that_may_not_be_on_cloud_keeps_its_senders_paused_and_is_told(
    make_harness: MakeHarness, code: int
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await _moved(harness, app, code)
        assert (position.status, position.runbook) == (Status.BLOCKED, "runbooks/smoke-failed.md")
        assert await _told(app) == {CauseKind.BLOCKED}
        await keep_senders_informed(app)
        assert not harness.sandbox_number(position).sender.running
        harness.sandbox.faults.clear()
        await retry_number(app, position.ref, "Meta has mended it", "tester")
        await harness.run_number(app, position.ref)
    assert harness.sandbox_number(position).sender.running


@pytest.mark.parametrize("hook", ["senders", ""])
async def test_senders_do_not_wait_hours_for_a_test_message_that_graph_takes_later(
    make_harness: MakeHarness, hook: str
) -> None:
    """Graph takes no calls of the WABA for an hour; messages of the partner's own app are not counted there."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **(HOOK | {"hook": hook}))
        await harness.advance_to(app, position, "send_smoke")
        harness.sandbox.faults.add("messages", "error", None, code=80008, details="try again in 60 minutes")
        await app.runner.run_one(position.migration_id)
        waits = await app.queries.positions.get(position.migration_id)
        assert (waits.status, waits.next_step) == (Status.WAITING, "send_smoke")
        await keep_senders_informed(app)
        (route,) = await app.queries.routes.all()
        assert (route_document(route, "")["side"], route_document(route, "")["sends"]) == ("cloud", "open")
        sender = harness.sandbox_number(position).sender
        assert (sender.running, sender.route) == (True, "cloud" if hook else "on_premises")
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.get(position.migration_id)).status is Status.DONE


@pytest.mark.parametrize(("how", "switch"), [("by its answer", "sync"), ("by health", "async"), ("later", "async")])
async def test_no_further_number_crosses_into_an_account_that_cannot_pay(
    make_harness: MakeHarness, how: str, switch: str
) -> None:
    """Where a person releases the wave all the same, its next number does not halt it for what is known."""
    harness = await make_harness(kinds=["healthy", "healthy"], switches={"blocked_account": switch})
    async with harness.worker() as app:
        board = await harness.import_numbers(app, **HOOK)
        await app.ledger.waves.create(NewWave("north"), [position.migration_id for position in board])
        await begin_wave(app, "north")
        if how != "later":
            add_problem(harness.sandbox.world, harness.sandbox_number(board[0]), PAYMENT)
        await _runs(harness, app, "N-0001", fails_later=how == "later")
        assert (await app.queries.waves.get("north")).state is WaveState.HALTED
        await harness.run_number(app, "N-0002")
        second = await app.queries.positions.find("N-0002")
        assert (second.status, second.side) == (Status.HELD, Side.ON_PREMISES)
        assert harness.sandbox_number(second).sender.running
        await release_wave(app, "north", canary=False, only=())
        await _runs(harness, app, "N-0002", fails_later=how == "later")
        assert (await app.queries.positions.find("N-0002")).status is Status.DONE
        assert (await app.queries.waves.get("north")).state is not WaveState.HALTED


async def _runs(harness: Harness, app: App, ref: str, *, fails_later: bool) -> None:
    await harness.run_number(app, ref)
    position = await app.queries.positions.find(ref)
    (message,) = await app.queries.proofs.messages(position.migration_id)
    if fails_later:
        failed = WebhookUpdate(
            position.profile,
            harness.sandbox.manifest()["app_id"],
            position.waba_id,
            position.phone_number_id,
            None,
            "messages",
            "status",
            message["wamid"],
            {"status": "failed", "code": 131042, "at": int(harness.clock.now().timestamp())},
        )
        assert (await app.ledger.webhooks.store([failed])).stored == 1
    await apply_webhooks(app)
