"""A moved number is proved again: one more message for each request, whoever sends it, and another mode."""

import asyncio

import pytest
from sqlalchemy import update

from migration.errors import OperationRefused
from migration.operations.evidence_wording import webhook_text
from migration.operations.proving import ask_for_proof
from migration.waves.asked_proofs import send_asked
from migration.waves.proofs import apply_webhooks
from state.enums import SmokeMode
from state.models import MessageTable, MigrationTable
from state.proof import Proof, is_proved, proof_of, reports_of
from state.rows import Position
from tests.web.conftest import Web
from tests.web.test_webhook_effects import OURS, moved, number
from tests.web.test_webhooks import Meta, meta, web

__all__ = ["meta", "web"]

PAGE = "/numbers/N-0001"


async def ask(web: Web, mode: SmokeMode | None = None) -> Position:
    return await ask_for_proof(web.app, "N-0001", mode, "failed at night", "anna")


def sent(web: Web, position: Position) -> int:
    """How many messages the sandbox was asked to send from the number."""
    path = f"{position.phone_number_id}/messages"
    return sum(1 for call in web.harness.sandbox.world.calls if call.write and call.path.endswith(path))


async def test_one_request_sends_one_message_whoever_takes_it(web: Web) -> None:
    position = await moved(web)
    before = sent(web, position)
    web.harness.clock.advance(600)
    assert (await ask(web)).smoke_state == "intended"
    await asyncio.gather(send_asked(web.app), send_asked(web.app))
    await send_asked(web.app)
    assert sent(web, position) == before + 1
    assert (await number(web)).smoke_state == "accepted"


async def test_a_second_request_while_the_first_is_under_way_is_refused(web: Web) -> None:
    position = await moved(web)
    before = sent(web, position)
    web.harness.clock.advance(600)
    await ask(web)
    with pytest.raises(OperationRefused, match="under way"):
        await ask(web)
    await send_asked(web.app)
    assert sent(web, position) == before + 1


async def test_what_was_taken_by_a_process_that_ended_is_not_sent_again(web: Web) -> None:
    position = await moved(web)
    before = sent(web, position)
    web.harness.clock.advance(600)
    await ask(web)
    (asked,) = await web.app.ledger.proof_requests.unsent()
    assert await web.app.ledger.proof_requests.take(asked)
    await send_asked(web.app)
    assert (sent(web, position), (await number(web)).smoke_state) == (before, "unknown")


async def test_a_message_that_is_refused_for_its_account_doubts_the_account(web: Web) -> None:
    position = await moved(web)
    web.harness.clock.advance(600)
    await ask(web)
    web.harness.sandbox.faults.add("messages", "error", None, code=131042, times=0)
    await send_asked(web.app)
    await apply_webhooks(web.app)
    assert [topic for topic, _ in reports_of(await number(web))] == ["payment"]
    (answer,) = await web.app.queries.proofs.webhooks(position.number_id)
    at = f"{web.harness.clock.now():%Y-%m-%d %H:%M:%S}"
    assert webhook_text(answer) == f"answer to our call error: code 131042, at {at} UTC"
    assert not await web.app.queries.proofs.any_of_profile(position.profile), "no webhook has come in"


async def test_a_request_that_nobody_sent_in_time_is_withdrawn(web: Web) -> None:
    position = await moved(web)
    before = sent(web, position)
    web.harness.clock.advance(600)
    await ask(web)
    web.harness.clock.advance(3600)
    await send_asked(web.app)
    assert (sent(web, position), (await number(web)).smoke_state) == (before, "accepted")


async def test_an_older_delivery_proves_nothing_while_a_message_after_a_failure_is_under_way(
    web: Web, meta: Meta
) -> None:
    await moved(web)
    await _told(web, meta, meta.status(OURS, "delivered"))
    assert proof_of(await number(web)) is Proof.SENDS
    web.harness.clock.advance(600)
    await ask(web)
    await send_asked(web.app)
    await _fail_newest(web)
    web.harness.clock.advance(600)
    position = await ask(web)
    assert (proof_of(position), is_proved(position)) == (Proof.NOT_PROVED, False)


async def test_the_mode_is_changed_and_sends_nothing_where_it_asks_for_no_message(web: Web) -> None:
    position = await moved(web)
    before = sent(web, position)
    assert (await ask(web, SmokeMode.INBOUND)).smoke == "inbound"
    await send_asked(web.app)
    assert sent(web, position) == before
    event = (await web.app.queries.records.events(position.migration_id))[-1]
    assert (event.kind, event.facts["by"], event.facts["mode"]) == ("proof_asked", "anna", "inbound")


async def test_a_number_that_is_still_to_be_moved_is_given_a_mode_and_sends_nothing(web: Web) -> None:
    with pytest.raises(OperationRefused, match="still being moved"):
        await ask(web)
    assert (await ask(web, SmokeMode.PASSIVE)).smoke == "passive"
    assert await web.app.ledger.proof_requests.unsent() == ()


async def test_the_form_of_the_page_asks_once_however_often_it_is_sent(web: Web) -> None:
    await moved(web)
    web.harness.clock.advance(600)
    browser = await web.signed_in()
    answer = await web.send(browser, PAGE, f"{PAGE}/prove")
    assert answer.status_code == 303
    web.harness.clock.advance(600)
    form = {"after": "1"} | dict.fromkeys(("smoke", "because"), "")
    again = await web.send(browser, PAGE, f"{PAGE}/prove", **form)
    assert again.status_code == 409, again.text
    assert len(await web.app.ledger.proof_requests.unsent()) == 1
    odd = await web.send(browser, PAGE, f"{PAGE}/prove", after="9" * 500)
    assert odd.status_code == 422


async def _told(web: Web, meta: Meta, *changes: object) -> None:
    assert (await meta.post(meta.envelope(*changes))).status_code == 200  # type: ignore[arg-type]
    await apply_webhooks(web.app)


async def _fail_newest(web: Web) -> None:
    position = await number(web)
    newest = (await web.app.queries.proofs.messages(position.migration_id))[-1]["id"]
    async with web.app.database.begin() as tx:
        await tx.execute(update(MessageTable).where(MessageTable.id == newest).values(state="failed", error=131047))
        mine = MigrationTable.id == position.migration_id
        await tx.execute(update(MigrationTable).where(mine).values(smoke_state="failed", smoke_error=131047))
