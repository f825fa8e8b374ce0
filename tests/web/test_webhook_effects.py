"""What webhooks do: to smoke messages, to what is known of a number, to its PIN and to its wave; in any order."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from migration.errors import OperationRefused
from migration.operations.caller_changes import CALLED, QUIET, read_called_sides
from migration.operations.customer_rooms import make_links
from migration.operations.proof_wording import reported_texts
from migration.operations.waves import begin_wave, release_wave
from migration.waves.proofs import apply_webhooks, await_deliveries, end_restrictions, without_a_proof
from migration.waves.reported import read_meaning
from state.enums import WaveState
from state.ledger.waves import NewWave
from state.models import MessageTable, MigrationTable, NumberTable, WabaTable, WaveTable, WebhookTable
from state.proof import Proof, Weight, is_moved, is_proved, message_key, proof_of, reports_of, word_for, word_shown
from state.rows import Position
from tests.web.conftest import PUBLIC, Web
from tests.web.test_webhooks import Meta, meta, web

__all__ = ["meta", "web"]

OURS = "wamid.OURS"


async def moved(web: Web, ref: str = "N-0001", wamid: str | None = OURS) -> Position:
    """The number on Cloud, its smoke message accepted under this id; None: the answer to it was lost."""
    await web.harness.run_number(web.app, ref)
    position = await web.app.queries.positions.find(ref)
    values = {"wamid": message_key(wamid) if wamid else None, "state": "accepted" if wamid else "unknown"}
    async with web.app.database.begin() as tx:
        mine = MessageTable.migration_pk == position.migration_id
        await tx.execute(update(MessageTable).where(mine).values(**values))
    return await web.app.queries.positions.find(ref)


async def number(web: Web) -> Position:
    return await web.app.queries.positions.find("N-0001")


async def correlation_of(web: Web, position: Position) -> str:
    (message,) = await web.app.queries.proofs.messages(position.migration_id)
    return str(message["correlation"])


async def told(web: Web, meta: Meta, *changes: Mapping[str, Any], **place: Any) -> Position:
    """The number after these changes came in, in one webhook."""
    assert (await meta.post(meta.envelope(*changes, **place))).status_code == 200
    await apply_webhooks(web.app)
    return await web.app.queries.positions.find("N-0001")


def inbound(web: Web, meta: Meta, message: str = "wamid.IN", *, after_s: float = 5, **row: Any) -> Mapping[str, Any]:
    """A consumer's message, so many seconds after now."""
    change = meta.text(message)
    change["value"]["messages"][0] |= {"timestamp": str(int(web.harness.clock.now().timestamp() + after_s)), **row}
    return change


async def test_registered_and_accepted_is_not_proved(web: Web) -> None:
    position = await moved(web)
    assert (position.smoke_state, is_moved(position), proof_of(position)) == ("accepted", True, Proof.NOT_PROVED)
    assert not is_proved(position)


async def test_a_delivered_message_proves_that_the_number_sends(web: Web, meta: Meta) -> None:
    await moved(web)
    position = await told(web, meta, meta.status(OURS, "sent"))
    assert (position.smoke_state, proof_of(position)) == ("sent", Proof.NOT_PROVED)
    position = await told(web, meta, meta.status(OURS, "delivered"))
    assert (position.smoke_state, proof_of(position), is_proved(position)) == ("delivered", Proof.SENDS, True)
    (message,) = await web.app.queries.proofs.messages(position.migration_id)
    assert (message["delivered_at"], message["error"]) == (position.sends_at, None)


async def test_what_others_sent_proves_nothing(web: Web, meta: Meta) -> None:
    await moved(web)
    position = await told(web, meta, meta.status("wamid.OF THE PARTNER", "delivered"))
    assert (position.smoke_state, position.sends_at) == ("accepted", None)


async def test_a_late_failure_is_known_with_its_code(web: Web, meta: Meta) -> None:
    position = await moved(web)
    opaque = await correlation_of(web, position)
    for code in (131047, "131047", 131042, 131026):
        await forget_all(web)
        failed = meta.status(OURS, "failed", errors=[{"code": code, "title": "x"}], biz_opaque_callback_data=opaque)
        position = await told(web, meta, failed, meta.status(OURS, "sent"))
        assert (position.smoke_state, position.smoke_error, is_proved(position)) == ("failed", int(code), False)


async def test_a_failure_without_a_code_is_one(web: Web, meta: Meta) -> None:
    await moved(web)
    position = await told(web, meta, meta.status(OURS, "failed"))
    assert (position.smoke_error, is_proved(position)) == (0, False)


async def test_a_lost_answer_is_settled_by_its_correlation_id_and_nothing_is_sent_again(web: Web, meta: Meta) -> None:
    position = await moved(web, wamid=None)
    correlation = await correlation_of(web, position)
    position = await told(web, meta, meta.status("wamid.LOST", "sent", biz_opaque_callback_data=correlation))
    assert position.smoke_state == "sent"
    position = await told(web, meta, meta.status("wamid.LOST", "delivered"))  # this one does not repeat it
    assert is_proved(position)
    await web.harness.run_number(web.app, "N-0001")
    assert [call for call in web.harness.mutations(position) if "message" in call] == ["messages"]


async def test_what_was_said_before_the_answer_came_counts(web: Web, meta: Meta) -> None:
    """The status is here before the message is on record."""
    position = await web.app.queries.positions.find("N-0001")
    position = await web.harness.advance_to(web.app, position, "send_smoke")
    graph = web.harness.change_answer

    async def status_first(request: Any, response: Any) -> Any:
        if request.url.path.endswith("/messages"):
            wamid = response.json()["messages"][0]["id"]
            await told(web, meta, meta.status(wamid, "delivered"))
        return response

    web.harness.change_answer = status_first
    await web.harness.run_number(web.app, "N-0001")
    web.harness.change_answer = graph
    await apply_webhooks(web.app)
    position = await web.app.queries.positions.find("N-0001")
    assert (position.smoke_state, is_proved(position)) == ("delivered", True)


async def test_a_consumers_message_after_the_move_proves_that_the_number_receives(web: Web, meta: Meta) -> None:
    await moved(web)
    position = await told(web, meta, inbound(web, meta))
    assert proof_of(position) is Proof.RECEIVES
    position = await told(web, meta, meta.status(OURS, "read"))
    assert proof_of(position) is Proof.IN_SERVICE


async def test_what_is_no_message_of_a_consumer_after_the_move_proves_nothing(web: Web, meta: Meta) -> None:
    await moved(web)
    for place, (what, change) in enumerate(no_proofs(web, meta)):
        position = await told(web, meta, change, time=place)
        assert (what, position.receives_at, proof_of(position)) == (what, None, Proof.NOT_PROVED)
    assert len(await web.app.queries.proofs.webhooks(position.number_id)) == 9
    position = await told(web, meta, inbound(web, meta))
    assert position.receives_at is not None


def no_proofs(web: Web, meta: Meta) -> Sequence[tuple[str, Mapping[str, Any]]]:
    no_time: Any = inbound(web, meta, "wamid.1")
    del no_time["value"]["messages"][0]["timestamp"]
    other: Any = inbound(web, meta, "wamid.2")
    other["value"]["metadata"] = {"phone_number_id": meta.manifest["numbers"][1]["phone_number_id"]}
    return (
        ("of no kind", inbound(web, meta, "wamid.8", type=None)),
        ("of a kind that is no word", inbound(web, meta, "wamid.9", type=["text"])),
        ("no time", no_time),
        ("other number", other),
        ("before the move", inbound(web, meta, "wamid.3", after_s=-3600)),
        ("far in the future", inbound(web, meta, "wamid.4", after_s=86_400)),
        ("made by WhatsApp", inbound(web, meta, "wamid.5", type="system")),
        ("cannot be read", inbound(web, meta, "wamid.6", type="unsupported")),
        ("written by the number itself", inbound(web, meta, "wamid.10", **{"from": meta.number["e164"].lstrip("+")})),
        ("an echo", {**inbound(web, meta, "wamid.7"), "field": "smb_message_echoes"}),
    )


async def test_an_on_premises_client_says_of_which_number_it_speaks_by_the_address(web: Web, meta: Meta) -> None:
    """Its messages are kept as evidence, and prove nothing of Cloud."""
    await moved(web)
    value = inbound(web, meta)["value"]
    body = {"contacts": value["contacts"], "messages": value["messages"]}
    assert (await meta.post(body)).status_code == 200
    assert (await meta.post(body, to="main/x")).status_code == 404
    assert (await meta.post(body, to=f"main/{meta.number['phone_number_id']}")).json() == {"received": 1}
    await apply_webhooks(web.app)
    position = await web.app.queries.positions.find("N-0001")
    (row,) = await web.app.queries.proofs.webhooks(position.number_id)
    assert (row["field"], row["kind"]) == ("onprem_messages", "message")
    assert (position.receives_at, proof_of(position)) == (None, Proof.NOT_PROVED)


async def test_statuses_of_a_client_and_of_our_own_message_are_no_calls_to_cloud(web: Web, meta: Meta) -> None:
    position = await moved(web)
    status = {"id": "gBEGkYiEB1VXAglK1ZEqA1YKPrU", "status": "sent", "timestamp": "1767225600"}
    await meta.post({"statuses": [status]}, to=f"main/{meta.number['phone_number_id']}")
    position = await told(web, meta, meta.status(OURS, "delivered"))  # without its correlation
    assert (await read_called_sides(web.app, position)).cloud == QUIET
    position = await told(web, meta, meta.status("wamid.OF THE PARTNER"))
    assert (await read_called_sides(web.app, position)).cloud == CALLED


async def test_the_word_that_a_person_sends_is_known_however_it_is_typed(web: Web, meta: Meta) -> None:
    position = await moved(web)
    word = word_for(position.phone_number_id, position.migration_id)
    arabic = "".join(chr(0x0660 + int(digit)) for digit in word[4:])
    for typed in ("{0}", " {0} ", "move {1}", "Move-{1}", "MOVE {2}"):
        await forget_all(web)
        text = typed.format(word, word[4:], arabic)
        position = await told(web, meta, inbound(web, meta, text={"body": text}))
        assert position.word_at == position.receives_at is not None, typed


async def test_the_word_of_another_number_is_not_its_own(web: Web, meta: Meta) -> None:
    position = await moved(web)
    word = word_for(meta.manifest["numbers"][1]["phone_number_id"], position.migration_id)
    position = await told(web, meta, inbound(web, meta, text={"body": word}))
    assert (position.word_at, position.receives_at is not None) == (None, True)


@pytest.mark.parametrize("odd", [None, "", "a WABA", ["1"]])
async def test_an_entry_that_names_no_waba_is_no_proof_and_no_doubt(web: Web, meta: Meta, odd: Any) -> None:
    await moved(web)
    body = meta.envelope(inbound(web, meta))
    body["entry"][0]["id"] = odd
    assert (await meta.post(body)).status_code == 200
    await apply_webhooks(web.app)
    position = await number(web)
    assert (position.receives_at, position.foreign_waba) == (None, None)
    assert is_proved(await told(web, meta, meta.status(OURS, "delivered")))


async def test_webhooks_that_name_another_waba_are_no_proof(web: Web, meta: Meta) -> None:
    await moved(web)
    later = int(web.harness.clock.now().timestamp()) + 9
    status = meta.status(OURS, "delivered", timestamp=str(later))
    position = await told(web, meta, status, inbound(web, meta), waba="777000777")
    assert (position.foreign_waba, proof_of(position)) == ("777000777", Proof.NOT_PROVED)


# -- what Meta reports

# ruff: noqa: E501


def account(event: str, **more: Any) -> dict[str, Any]:
    return {"event": event, **more}


ALERT = {
    "entity_type": "PHONE_NUMBER",
    "alert_info": {"alert_type": "PROFILE_PICTURE_LOST", "alert_severity": "WARNING"},
}
REPORTS: Sequence[tuple[str, dict[str, Any], str, Weight, bool]] = (
    ("account_update", account("DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"}), "ban", Weight.DOUBT, True),
    ("account_update", account("DISABLED_UPDATE", ban_info={"waba_ban_state": "SCHEDULE_FOR_DISABLE"}), "ban", Weight.DOUBT, True),
    ("account_update", account("ACCOUNT_RESTRICTION", restriction_info=[{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}, {"restriction_type": "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"}]), "restriction", Weight.DOUBT, True),
    ("account_update", account("ACCOUNT_VIOLATION", violation_info={"violation_type": "SCAM"}), "violation", Weight.TELL, False),
    ("account_update", account("ACCOUNT_DELETED"), "deleted", Weight.DOUBT, True),
    ("account_update", account("PARTNER_REMOVED"), "access", Weight.DOUBT, True),
    ("account_update", account("ACCOUNT_OFFBOARDED", disconnection_info={"reason": "X"}), "access", Weight.DOUBT, True),
    ("account_review_update", {"decision": "REJECTED"}, "review", Weight.DOUBT, True),
    ("account_alerts", ALERT, "picture", Weight.DOUBT, False),
    ("account_alerts", {"entity_type": "BUSINESS", "entity_id": "9", "alert_severity": "CRITICAL", "alert_type": "NEW"}, "alert", Weight.TELL, False),
    ("phone_number_quality_update", {"event": "FLAGGED"}, "quality", Weight.TELL, False),
    ("phone_number_quality_update", {"event": "DOWNGRADE", "current_limit": "TIER_250"}, "limit", Weight.DOUBT, False),
    ("phone_number_quality_update", {"event": "NEW", "current_limit": "TIER_250", "old_limit": "TIER_10K"}, "limit", Weight.DOUBT, False),
    ("phone_number_name_update", {"decision": "REJECTED"}, "name", Weight.TELL, False),
    ("security", {"event": "PIN_RESET_REQUEST"}, "pin", Weight.TELL, False),
    ("messages", {"errors": [{"code": 131042}]}, "payment", Weight.DOUBT, True),
    ("messages", {"errors": [{"code": 131031}]}, "locked", Weight.DOUBT, True),
    ("messages", {"errors": [{"code": 368}]}, "locked", Weight.DOUBT, False),
    ("messages", {"errors": [{"code": 131045}]}, "registration", Weight.DOUBT, False),
    ("phone_number_quality_update", {"event": "NEW", "max_daily_conversations_per_business": "TIER_250", "old_limit": "TIER_10K"}, "limit", Weight.DOUBT, False),
)  # fmt: skip
OF_NUMBER = ("phone_number_quality_update", "phone_number_name_update", "security")


async def in_wave(web: Web) -> None:
    """Both numbers in a running wave, and neither has crossed."""
    board = await web.app.queries.positions.board()
    await web.app.ledger.waves.create(NewWave("north"), [position.migration_id for position in board])
    await begin_wave(web.app, "north")


def change_of(meta: Meta, field: str, value: Mapping[str, Any]) -> dict[str, Any]:
    place = {"display_phone_number": meta.number["e164"].lstrip("+")} if field in OF_NUMBER else {}
    alert = {"entity_id": meta.number["phone_number_id"]} if value is ALERT else {}
    return meta.change(field, **value, **place, **alert)


async def test_each_report_is_shown_and_halts_its_wave_where_no_number_should_cross(web: Web, meta: Meta) -> None:
    await in_wave(web)
    for field, value, topic, weight, halts in REPORTS:
        await forget_all(web)
        position = await told(web, meta, change_of(meta, field, value))
        ((found, report),) = reports_of(position)
        assert (found, report["weight"]) == (topic, weight)
        row = await web.app.queries.waves.get("north")
        assert (value, row.state) == (value, WaveState.HALTED if halts else WaveState.RUNNING)
        if halts:
            assert [event.by for event in await web.app.queries.waves.events("north")][-1] == "Meta's webhook"


BEGINNING = [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]
RESTRICTED = account("ACCOUNT_RESTRICTION", restriction_info=BEGINNING)


@pytest.mark.parametrize(("field", "value"), [row[:2] for row in REPORTS if row[-1]])
async def test_a_wave_of_an_account_that_was_restricted_before_waits_for_a_person(
    web: Web, meta: Meta, field: str, value: dict[str, Any]
) -> None:
    await told(web, meta, change_of(meta, field, value))
    board = await web.app.queries.positions.board()
    await web.app.ledger.waves.create(NewWave("north"), [position.migration_id for position in board])
    with pytest.raises(OperationRefused, match=r"wave north is halted: what Meta's webhooks report .*`cutover release"):
        await begin_wave(web.app, "north")
    await release_wave(web.app, "north", canary=False, only=())
    assert (await begin_wave(web.app, "north")).state is WaveState.RUNNING
    assert [event.kind for event in await web.app.queries.waves.events("north")] == ["planned", "halted", "continued"]


async def test_what_has_ended_or_is_only_told_keeps_no_wave(web: Web, meta: Meta) -> None:
    now = int(web.harness.clock.now().timestamp())
    await told(web, meta, meta.change("messages", errors=[{"code": 368}]))
    for at, event in enumerate(("PARTNER_REMOVED", "PARTNER_ADDED", "ACCOUNT_VIOLATION"), now):
        await told(web, meta, meta.change("account_update", **account(event)), time=at)
    await in_wave(web)
    assert (await web.app.queries.waves.get("north")).state is WaveState.RUNNING


GOOD = (
    ("account_update", account("DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"})),
    ("account_update", account("PARTNER_REMOVED", waba_info={"partner_app_id": "999"})),
    ("account_update", account("VERIFIED_ACCOUNT")),
    ("account_update", account("OF_TOMORROW")),
    ("account_review_update", {"decision": "APPROVED"}),
    ("phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE", "current_limit": "TIER_UNLIMITED"}),
    ("phone_number_quality_update", {"event": "ONBOARDING"}),
    ("phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE", "old_limit": "TIER_UNLIMITED", "max_daily_conversations_per_business": "TIER_1K"}),
    ("phone_number_name_update", {"decision": "APPROVED"}),
    ("messages", {"errors": [{"code": 131000}]}),
    ("message_template_status_update", {"event": "REJECTED", "reason": "X"}),
    ("business_capability_update", {"max_daily_conversation_per_phone": 2000}),
    ("business_capability_update", {"max_phone_numbers_per_business": 20}),
)  # fmt: skip


async def test_what_says_nothing_against_a_number_halts_nothing(web: Web, meta: Meta) -> None:
    await in_wave(web)
    for field, value in GOOD:
        position = await told(web, meta, change_of(meta, field, value))
        assert (value, reports_of(position)) == (value, [])
    assert (await web.app.queries.waves.get("north")).state is WaveState.RUNNING


def restricted(meta: Meta, *ends: int | str | None) -> dict[str, Any]:
    """A restriction for each of these ends; None: it names none."""
    kinds = ("RESTRICTED_ADD_PHONE_NUMBER_ACTION", "RESTRICTED_BIZ_INITIATED_MESSAGING")
    rows = [
        {"restriction_type": kind, **({"expiration": end} if end is not None else {})}
        for kind, end in zip(kinds, ends, strict=False)
    ]
    return meta.change("account_update", event="ACCOUNT_RESTRICTION", restriction_info=rows)


async def test_a_restriction_ends_with_the_last_of_its_ends(web: Web, meta: Meta) -> None:
    await in_wave(web)
    await moved(web)
    now = int(web.harness.clock.now().timestamp())
    await told(web, meta, meta.status(OURS, "delivered"))
    position = await told(web, meta, restricted(meta, now + 3600, str(now + 7200)), time=now)
    assert not is_proved(position)
    (text,) = reported_texts(position)
    assert f"until {web.harness.clock.now() + timedelta(hours=2):%Y-%m-%d %H:%M} UTC" in text
    for after_s, is_over in ((3601, False), (3600, True)):
        web.harness.clock.advance(after_s)
        await end_restrictions(web.app)
        position = await number(web)
        assert (is_proved(position), await topics(web)) == (is_over, [[], []] if is_over else [["restriction"]] * 2)
    assert (await web.app.queries.waves.get("north")).state is WaveState.HALTED, "a person releases it"


async def test_a_restriction_without_an_end_stays(web: Web, meta: Meta) -> None:
    now = int(web.harness.clock.now().timestamp())
    for ends in ((now + 60, None), (None,), (now + 60, "soon")):
        await forget_all(web)
        await told(web, meta, restricted(meta, *ends), time=now)
        web.harness.clock.advance(90 * 86_400)
        await end_restrictions(web.app)
        assert (ends, await topics(web)) == (ends, [["restriction"]] * 2)


async def test_what_is_over_when_it_comes_in_halts_nothing_and_a_newer_one_counts(web: Web, meta: Meta) -> None:
    await in_wave(web)
    now = int(web.harness.clock.now().timestamp())
    await told(web, meta, restricted(meta, now - 60), time=now - 3600)
    assert (await topics(web), (await web.app.queries.waves.get("north")).state) == ([[], []], WaveState.RUNNING)
    await told(web, meta, restricted(meta, now + 60), time=now - 30)
    web.harness.clock.advance(120)
    await end_restrictions(web.app)
    await told(web, meta, restricted(meta, now + 3600), time=now - 10)  # of before that end, and late
    assert await topics(web) == [["restriction"]] * 2


async def test_a_number_that_was_refused_for_its_account_is_tried_again_at_the_end(web: Web, meta: Meta) -> None:
    position, now = await number(web), int(web.harness.clock.now().timestamp())
    refused = {"status": "blocked", "outside_failure": "account", "runbook": "runbooks/not-movable.md", "reason": "x"}
    async with web.app.database.begin() as tx:
        mine = MigrationTable.id == position.migration_id
        await tx.execute(update(MigrationTable).where(mine).values(**refused))
    await told(web, meta, restricted(meta, now + 60), time=now)
    await end_restrictions(web.app)
    assert (await number(web)).status == "blocked"
    web.harness.clock.advance(61)
    commits = web.harness.crash_point.commits
    await end_restrictions(web.app)
    assert (await number(web)).status == "ready"
    assert web.harness.crash_point.commits == commits + 1, "a process may die after the first of two"


CAPABILITY = "business_capability_update"


async def capable(web: Web, meta: Meta, at: int, **limits: Any) -> dict[str, tuple[str, int]]:
    """What is reported of the account after such a webhook of that time."""
    position = await told(web, meta, meta.change(CAPABILITY, **limits), time=at)
    reported = position.waba_reported or {}
    about = {topic: reported[topic] for topic in ("limit", "numbers") if topic in reported}
    return {topic: (report["word"], report["weight"]) for topic, report in about.items()}


async def test_a_lowered_limit_of_an_account_is_a_doubt_and_hinders_no_move(web: Web, meta: Meta) -> None:
    """It names the new limit alone; before the move the snapshot has read TIER_10K."""
    await in_wave(web)
    await moved(web)
    await told(web, meta, meta.status(OURS, "delivered"))
    now = int(web.harness.clock.now().timestamp()) + 60
    for at, given, word, weight in (
        (now, {"max_daily_conversation_per_phone": 250}, "TIER_10K to TIER_250", Weight.DOUBT),
        (now - 5, {"max_daily_conversation_per_phone": -1}, "TIER_UNLIMITED to TIER_250", Weight.DOUBT),  # came late
        (now + 5, {"max_daily_conversations_per_business": 2000}, "TIER_UNLIMITED to TIER_2K", Weight.DOUBT),
        (now + 9, {"max_daily_conversations_per_business": "TIER_UNLIMITED"}, "TIER_UNLIMITED", Weight.FINE),
    ):
        assert await capable(web, meta, at, **given) == {"limit": (word, weight)}
        assert is_proved(await number(web)) is (weight is Weight.FINE)
    assert (await web.app.queries.waves.get("north")).state is WaveState.RUNNING


async def test_fewer_numbers_than_an_account_has_are_told(web: Web, meta: Meta) -> None:
    """A move adds no number to an account, so it is hindered by none."""
    await in_wave(web)
    now = int(web.harness.clock.now().timestamp())
    of_account = len(await web.app.queries.positions.board())
    assert await capable(web, meta, now, max_phone_numbers_per_business=of_account - 1) == {
        "numbers": (f"{of_account - 1} allowed, {of_account} known here", Weight.TELL)
    }
    assert [topic for topic, _ in reports_of(await number(web))] == ["numbers"]
    assert (await capable(web, meta, now + 1, max_phone_numbers_per_waba=of_account))["numbers"][1] == Weight.FINE
    assert (await web.app.queries.waves.get("north")).state is WaveState.RUNNING


async def test_the_least_limit_is_told_where_nothing_is_known_from_before(web: Web, meta: Meta) -> None:
    now = int(web.harness.clock.now().timestamp())
    assert await capable(web, meta, now, max_daily_conversation_per_phone=250) == {"limit": ("TIER_250", Weight.TELL)}
    assert (await capable(web, meta, now + 1, max_daily_conversation_per_phone=2000))["limit"][1] == Weight.FINE


async def test_an_event_about_partners_names_the_waba_beside_the_business(web: Web, meta: Meta) -> None:
    info = {"waba_id": meta.number["waba_id"], "owner_business_id": "5"}
    position = await told(web, meta, meta.change("account_update", event="PARTNER_REMOVED", waba_info=info), waba="5")
    assert [topic for topic, _ in reports_of(position)] == ["access"]


async def test_a_proved_number_is_doubted_while_a_report_stands(web: Web, meta: Meta) -> None:
    await moved(web)
    await told(web, meta, meta.status(OURS, "delivered"))
    ban = meta.change("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"})
    over = meta.change("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"})
    assert not is_proved(await told(web, meta, ban, time=1767225700))
    assert not is_proved(await told(web, meta, over, time=1767225600)), "an older one came late"
    assert is_proved(await told(web, meta, over, time=1767225800))


OF_ALL_NUMBERS: Sequence[tuple[dict[str, Any], str]] = (
    (account("DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"}), "ban"),
    (account("ACCOUNT_DELETED"), "deleted"),
    (account("ACCOUNT_RESTRICTION"), "restriction"),
    (account("PARTNER_REMOVED"), "access"),
)


async def topics(web: Web) -> list[list[str]]:
    """What is reported of N-0001 and of N-0002, which are numbers of one account."""
    found = [await web.app.queries.positions.find(ref) for ref in ("N-0001", "N-0002")]
    return [[topic for topic, _ in reports_of(position)] for position in found]


async def test_what_is_true_of_an_account_is_true_of_its_numbers_that_the_webhook_does_not_name(
    web: Web, meta: Meta
) -> None:
    for value, topic in OF_ALL_NUMBERS:
        await forget_all(web)
        await told(web, meta, meta.change("account_update", phone_number=meta.number["e164"].lstrip("+"), **value))
        assert await topics(web) == [[topic], [topic]]
    await forget_all(web)
    coexisting = account("ACCOUNT_OFFBOARDED", phone_number=meta.number["e164"].lstrip("+"))
    await told(web, meta, meta.change("account_update", **coexisting))
    assert await topics(web) == [["access"], []], "that one was taken to the Business app alone"
    await forget_all(web)
    await told(web, meta, meta.change("account_update", **account("ACCOUNT_OFFBOARDED", phone_number="15550107777")))
    assert await topics(web) == [[], []], "that number is in nobody's fleet"


async def test_a_message_of_the_partner_that_fails_for_its_account_doubts_the_account(web: Web, meta: Meta) -> None:
    await moved(web)
    assert is_proved(await told(web, meta, meta.status(OURS, "delivered")))
    for code, topic, of_both in ((131042, "payment", True), (131031, "locked", True), (131045, "registration", False)):
        await forget_all(web)
        failed = meta.status("wamid.OF THE PARTNER", "failed", errors=[{"code": code}], timestamp="1767225700")
        assert not is_proved(await told(web, meta, failed))
        assert await topics(web) == [[topic], [topic] if of_both else []]
    await forget_all(web)
    await told(web, meta, meta.status("wamid.OF THE PARTNER", "failed", errors=[{"code": 131026}]))
    assert await topics(web) == [[], []], "its recipient is the reason, and not the account"


async def sent_at(web: Web, seconds: int) -> None:
    """The messages were sent then."""
    async with web.app.database.begin() as tx:
        await tx.execute(update(MessageTable).values(at=datetime.fromtimestamp(seconds, UTC)))


async def test_a_later_message_of_ours_that_arrives_ends_what_kept_an_account_from_sending(
    web: Web, meta: Meta
) -> None:
    await moved(web)
    paid = {"pricing": {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}}
    free = {"pricing": {"billable": False, "pricing_model": "PMP", "type": "free_customer_service"}}
    failed = [
        meta.status("wamid.OF THE PARTNER", "failed", errors=[{"code": code}], timestamp="1767225700")
        for code in (131042, 131031)
    ]
    rows = [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]
    await sent_at(web, 1767225600)
    restricted = meta.change("account_update", event="ACCOUNT_RESTRICTION", restriction_info=rows)
    await told(web, meta, restricted, time=1767225700)
    await told(web, meta, *failed, meta.status(OURS, "delivered", timestamp="1767225600", **paid))
    await told(web, meta, meta.status(OURS, "read", timestamp="1767225740", **paid))
    assert await topics(web) == [["beginning", "locked", "payment"]] * 2, "that one was sent before, and is read now"
    await sent_at(web, 1767225750)
    await told(web, meta, meta.status(OURS, "delivered", timestamp="1767225800", **free))
    await told(web, meta, meta.status(OURS, "read", timestamp="1767225850"))
    assert await topics(web) == [["beginning", "payment"]] * 2, "nobody had to pay for it"
    await told(web, meta, meta.status(OURS, "read", timestamp="1767225900", **paid))
    assert await topics(web) == [[], []]


@pytest.mark.parametrize("code", [131045, 133010])
async def test_a_number_that_has_sent_since_is_registered(web: Web, meta: Meta, code: int) -> None:
    await moved(web)
    failed = meta.status("wamid.OF THE PARTNER", "failed", errors=[{"code": code}], timestamp="1767225700")
    await told(web, meta, failed)
    assert await topics(web) == [["registration"], []]
    for at, found in (("1767225650", ["registration"]), ("1767225750", [])):
        async with web.app.database.begin() as tx:
            await tx.execute(update(MessageTable).values(delivered_at=None))
        position = await told(web, meta, meta.status(OURS, "delivered", timestamp=at))
        assert (await topics(web), is_proved(position)) == ([found, []], not found)
        by_proof = await web.app.queries.figures.by_proof()
        assert by_proof == {one.value: int(one is proof_of(position)) for one in Proof}


async def test_people_are_not_kept_from_what_is_wrong_by_all_that_is_well(web: Web, meta: Meta) -> None:
    """So many numbers are looked at in a pass; each account of which a message was delivered has a good report."""
    await moved(web)
    paid = {"pricing": {"pricing_model": "PMP", "type": "regular"}}
    position = await told(web, meta, meta.status(OURS, "delivered", **paid))
    assert (position.waba_reported is not None, await web.app.queries.proofs.to_tell()) == (True, ())
    await told(web, meta, change_of(meta, "security", {"event": "PIN_RESET_REQUEST"}))
    assert [one.ref for one in await web.app.queries.proofs.to_tell()] == ["N-0001"]


async def test_a_pin_that_somebody_has_changed_is_known_no_more(web: Web, meta: Meta) -> None:
    position = await web.app.queries.positions.find("N-0001")
    before = await web.harness.advance_to(web.app, position, "back_up")
    now = int(web.harness.clock.now().timestamp())
    change = change_of(meta, "security", {"event": "PIN_CHANGED"})
    older = await told(web, meta, change, time=now - 3600)
    assert before.pin_provenance == older.pin_provenance is not None, "it was changed before ours was set"
    newer = await told(web, meta, change, time=now + 1)
    assert newer.pin_provenance is None
    assert newer.version > before.version


# -- any order


async def state_of(web: Web) -> dict[str, Any]:
    state: dict[str, Any] = {}
    async with web.app.database.connect() as connection:
        for table, columns in (
            (MessageTable, "correlation wamid state error sent_at delivered_at failed_at"),
            (MigrationTable, "id smoke_state smoke_error sends_at receives_at word_at foreign_waba"),
            (NumberTable, "id reported pin_provenance"),
            (WabaTable, "id reported"),
            (WaveTable, "name state because"),
        ):
            names = columns.split()
            query = select(*(getattr(table, name) for name in names)).order_by(table.id)
            state[table.__tablename__] = [tuple(row) for row in await connection.execute(query)]
        waiting = select(WebhookTable.id).where(WebhookTable.applied_at.is_(None))
        assert (await connection.execute(waiting)).all() == []
    return state


async def forget_all(web: Web) -> None:
    async with web.app.database.begin() as tx:
        await tx.execute(delete(WebhookTable))
        await tx.execute(update(NumberTable).values(reported=None, pin_provenance="set_by_us"))
        await tx.execute(update(WabaTable).values(reported=None))
        await tx.execute(update(WaveTable).values(state="running", because=None))
        nothing = {"state": "unknown", "wamid": None, "error": None, "sent_at": None}
        await tx.execute(update(MessageTable).values(**nothing, delivered_at=None, failed_at=None))
        proofs = {"smoke_state": "unknown", "smoke_error": None, "sends_at": None, "receives_at": None}
        await tx.execute(update(MigrationTable).values(**proofs, word_at=None, foreign_waba=None))


async def test_any_order_copies_and_batches_have_the_same_effects(web: Web, meta: Meta) -> None:
    """N-0001 has moved and its answer was lost; N-0002 stands in a running wave. Passes come at any time between."""
    position = await moved(web, wamid=None)
    opaque = await correlation_of(web, position)
    await web.app.ledger.waves.create(NewWave("north"), [(await web.app.queries.positions.find("N-0002")).migration_id])
    await begin_wave(web.app, "north")
    word = word_for(position.phone_number_id, position.migration_id)
    changes = [
        *(meta.status(OURS, status, biz_opaque_callback_data=opaque) for status in ("sent", "read")),
        *(meta.status(OURS, status) for status in ("delivered", "failed", "sent")),
        *(meta.status(OURS, "delivered", timestamp=str(1767225600 + place)) for place in (3, 9)),
        *(inbound(web, meta, f"wamid.{place}", after_s=place) for place in (-90, 3, 8)),
        inbound(web, meta, "wamid.word", after_s=4, text={"body": word}),
        *(change_of(meta, field, value) for field, value, *_ in REPORTS),
        *(change_of(meta, field, value) for field, value in GOOD),
        *(meta.change(CAPABILITY, max_daily_conversation_per_phone=limit) for limit in (250, 10_000, -1)),
        change_of(meta, "security", {"event": "PIN_CHANGED"}),
    ]
    dice = random.Random(16)
    now = int(web.harness.clock.now().timestamp())
    timed = [(change, now + dice.randint(1, 60)) for change in changes for _ in range(2)]
    expected: dict[str, Any] | None = None
    for turn in range(6):
        await forget_all(web)
        sent = timed + dice.choices(timed, k=10)
        dice.shuffle(sent)
        while sent:
            count = dice.randint(1, 15)
            entries = [meta.envelope(change, time=time)["entry"][0] for change, time in sent[:count]]
            del sent[:count]
            await meta.post({"object": "whatsapp_business_account", "entry": entries})
            if dice.random() < 0.4:
                await web.app.ledger.proofs.apply(read_meaning, limit=dice.randint(1, 20))
        await apply_webhooks(web.app)
        found = await state_of(web)
        halts = [event for event in await web.app.queries.waves.events("north") if event.kind == "halted"]
        assert len(halts) == turn + 1
        expected = expected or found
        assert found == expected
    assert expected is not None
    assert [row[2] for row in expected["messages"]] == ["read"]
    assert [row[1] for row in expected["waves"]] == ["halted"]


async def test_two_workers_at_once_record_each_effect(web: Web, meta: Meta) -> None:
    await moved(web)
    now = int(web.harness.clock.now().timestamp())
    changes = [meta.status(OURS, "delivered", timestamp=str(now)), inbound(web, meta)]
    changes += [change_of(meta, field, value) for field, value, *_ in REPORTS]
    await meta.post(meta.envelope(*changes, time=now + 60))
    apply = web.app.ledger.proofs.apply
    done = await asyncio.gather(*(apply(read_meaning, limit=3) for _ in range(12)))
    assert sum(one.rows for one in done) == len(changes)
    position = await number(web)
    assert (position.smoke_state, position.receives_at is not None) == ("delivered", True)
    assert {topic for topic, _ in reports_of(position)} == {topic for _, _, topic, *_ in REPORTS}


async def test_a_run_stays_some_seconds_for_what_becomes_of_its_messages(web: Web, meta: Meta) -> None:
    await moved(web)
    clock, began = web.harness.clock, web.harness.clock.now()
    await await_deliveries(web.app, lambda _: False, None, timedelta(seconds=30))
    assert clock.now() == began, "none of its own"
    await await_deliveries(web.app, lambda _: True, None, timedelta(seconds=30))
    assert timedelta(seconds=2) < clock.now() - began < timedelta(seconds=5), "no webhook has ever come"
    await meta.post(meta.envelope(meta.status(OURS, "delivered")))
    began = clock.now()
    await await_deliveries(web.app, lambda _: True, None, timedelta(seconds=30))
    assert clock.now() - began < timedelta(seconds=2)
    assert is_proved(await number(web))


async def test_a_run_ends_with_4_only_where_more_could_have_been_seen(web: Web, meta: Meta) -> None:
    """A home into which no webhook has ever come sees no more of a message than that Meta has accepted it."""
    position = await moved(web)
    assert await without_a_proof(web.app, [position]) == []
    lost = replace(position, smoke_state="unknown")
    assert await without_a_proof(web.app, [lost]) == [lost], "nobody knows whether Meta has its message"
    await meta.post(meta.envelope(meta.status(OURS, "sent")))
    assert await without_a_proof(web.app, [position]) == [position]


# -- what is shown


async def test_pages_and_figures_tell_registered_from_in_service(web: Web, meta: Meta) -> None:
    position = await moved(web)
    browser = await web.signed_in()

    async def shown() -> tuple[bool, bool, str]:
        page, rows = (await browser.get("/numbers/N-0001")).text, (await browser.get("/numbers")).text
        lines = (await web.client().get("/metrics")).text.splitlines()
        figures = [line.split('"')[1] for line in lines if line.startswith("cutover_moved{") and line.endswith(" 1")]
        return "registered, not proved" in page, "registered, not proved" in rows, *figures  # type: ignore[return-value]

    assert await shown() == (True, True, "not_proved")
    await told(web, meta, meta.status(OURS, "delivered"), inbound(web, meta))
    assert await shown() == (False, False, "in_service")
    page = (await browser.get("/numbers/N-0001")).text
    assert "in service" in page
    assert "status delivered" in page, "the evidence"
    assert (await correlation_of(web, position)) in page
    await told(web, meta, change_of(meta, "phone_number_quality_update", {"event": "DOWNGRADE"}))
    assert await shown() == (True, True, "not_proved")


async def test_the_page_of_a_wave_counts_its_moved_numbers_by_their_proof(web: Web, meta: Meta) -> None:
    await in_wave(web)
    await moved(web)
    browser = await web.signed_in()
    assert "1 not proved" in (await browser.get("/waves/1")).text
    await told(web, meta, meta.status(OURS, "delivered"), inbound(web, meta))
    assert "1 in service" in (await browser.get("/waves/1")).text


async def test_the_word_of_a_round_trip_stands_on_the_page_and_in_the_room(web: Web, meta: Meta) -> None:
    (room,) = await make_links(web.app, [await number(web)], PUBLIC, "anna", timedelta(days=1))
    async with web.app.database.begin() as tx:
        await tx.execute(update(NumberTable).values(smoke="round-trip"))
    position = await moved(web)
    browser, word = await web.signed_in(), word_shown(position.phone_number_id, position.migration_id)

    async def places() -> list[bool]:
        pages = (await browser.get("/numbers/N-0001"), await web.outside().get(room.url.removeprefix(PUBLIC)))
        return [word in page.text for page in pages]

    assert await places() == [True, True]
    sent = inbound(web, meta, text={"body": word.lower()})
    position = await told(web, meta, meta.status(OURS, "delivered"), sent)
    assert (await places(), is_proved(position)) == ([False, False], True)
