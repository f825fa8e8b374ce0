"""The partner's senders, the traffic hook, and the sandbox's counts of sent, held and lost messages."""

from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox.partner import Partner


async def test_sends_to_dead_side_are_counted() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.clock.advance(seconds=10)
    await partner.register(backup=backup)
    partner.clock.advance(seconds=7)
    sender = partner.number.sender
    assert (sender.sent, sender.to_dead_side, partner.number.sender_gap_s) == (10, 7, None)


async def test_paused_and_switched_senders_lose_nothing() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    assert (await partner.hook("pause_sends")).json() == {"state": "done"}
    partner.clock.advance(seconds=5)
    await partner.register(backup=backup)
    await partner.hook("switch_route", to="cloud")
    partner.clock.advance(seconds=3)
    await partner.hook("resume_sends")
    partner.clock.advance(seconds=4)
    sender = partner.number.sender
    assert (sender.sent, sender.held, sender.to_dead_side, partner.number.sender_gap_s) == (12, 8, 0, 8)
    assert partner.sandbox.mutations(partner.e164) == ("pause_sends", "register", "switch_route", "resume_sends")
    assert partner.sandbox.mutations(partner.e164, sides=("graph",)) == ("register",)


async def test_pause_ends_at_deadline() -> None:
    partner = Partner.of()
    deadline = partner.clock.time + timedelta(seconds=30)
    await partner.hook("pause_sends", deadline=deadline.isoformat())
    partner.clock.advance(seconds=90)
    sender = partner.number.sender
    assert (sender.running, sender.held, sender.sent, partner.number.sender_gap_s) == (True, 30, 90, 30)


async def test_same_key_gets_same_response_and_no_second_effect() -> None:
    partner = Partner.of()
    await partner.hook("pause_sends")
    await partner.hook("resume_sends")
    assert (await partner.hook("pause_sends")).json() == {"state": "done"}
    assert partner.number.sender.running
    assert [call.effect for call in partner.sandbox.world.calls] == [True, True, False]


async def test_bad_signature_or_incomplete_request_is_refused() -> None:
    partner = Partner.of()
    assert (await partner.hook("pause_sends", secret="other")).status_code == 401
    assert (await partner.hook("pause_sends", key="")).status_code == 400
    assert (await partner.hook("pause_everything")).status_code == 400
    assert (await partner.hook("pause_sends", deadline="soon")).status_code == 400
    assert (await partner.hook("pause_sends", deadline="2025-09-01T20:00:00")).status_code == 400
    assert partner.number.sender.running


async def test_senders_can_veto() -> None:
    partner = Partner.of()
    await partner.oracle("POST", "senders", json={"e164": partner.e164, "behaviour": "veto"})
    await partner.oracle(
        "POST", "senders", json={"e164": partner.e164, "queue": "keeps"}
    )  # does not change the behaviour
    response = await partner.hook("pause_sends")
    assert (response.status_code, response.json()["state"]) == (409, "vetoed")
    assert partner.number.sender.running


async def test_senders_can_ignore_pause() -> None:
    partner = Partner.of()
    await partner.oracle("POST", "senders", json={"behaviour": "ignore"})
    assert (await partner.hook("pause_sends")).json() == {"state": "done"}
    backup = await partner.backup()
    await partner.register(backup=backup)
    partner.clock.advance(seconds=6)
    assert partner.number.sends_to_dead_side == 6


async def test_senders_can_take_time_to_drain() -> None:
    partner = Partner.of()
    await partner.oracle("POST", "senders", json={"behaviour": "drain", "drain_s": 4})
    response = await partner.hook("pause_sends")
    assert (response.status_code, response.json()["state"]) == (202, "draining")
    status_url = response.json()["ask"]
    assert status_url.startswith("http://sandbox/")
    assert (await partner.client.get(status_url)).status_code == 202
    partner.clock.advance(seconds=4)
    assert (await partner.client.get(status_url)).json() == {"state": "done"}
    partner.clock.advance(seconds=2)
    assert (partner.number.sender.sent, partner.number.sender.held) == (4, 2)
    assert (await partner.client.get(status_url + "0")).status_code == 404


async def test_numbers_dark_on_arrival_have_no_sends() -> None:
    partner = Partner.of("dark", "host_gone", "on_cloud")
    partner.clock.advance(minutes=1)
    assert [row["sends_to_dead_side"] for row in (await partner.oracle("GET", "world"))["numbers"]] == [0, 0, 0]
    rows = (await partner.oracle("GET", "senders"))["senders"]
    assert [row["route"] for row in rows] == ["on_premises", "on_premises", "cloud"]
    assert rows[2]["sent"] == 60


async def test_expired_pause_does_not_start_stopped_senders() -> None:
    partner = Partner.of("dark")
    deadline = (partner.clock.time + timedelta(seconds=30)).isoformat()
    assert (await partner.hook("pause_sends", deadline=deadline)).status_code == 200
    partner.clock.advance(minutes=5)
    assert (partner.number.sends_to_dead_side, partner.number.sender.running) == (0, False)
    await partner.hook("resume_sends", key="r")
    partner.clock.advance(seconds=7)
    assert partner.number.sends_to_dead_side == 300 + 7  # including what had waited in the pause


@pytest.mark.parametrize(
    "body", [{"behaviour": "dance"}, {"e164": "+999"}, {"e164": ""}, {"drain_s": -1}, {"drain_s": 1e300}]
)
async def test_invalid_sender_settings_are_refused(body: dict[str, str]) -> None:
    assert "error" in await Partner.of().oracle("POST", "senders", json=body)


async def sender_counts(partner: Partner) -> tuple[int, ...]:
    row = (await partner.oracle("GET", "senders"))["senders"][0]
    return tuple(row[name] for name in ("sent", "waiting", "sends_to_dead_side", "lost", "doubled"))


async def test_queued_messages_are_sent_after_pause() -> None:
    partner = Partner.of()
    await partner.hook("pause_sends")
    partner.clock.advance(seconds=30)
    assert await sender_counts(partner) == (0, 30, 0, 0, 0)
    await partner.hook("resume_sends")
    partner.clock.advance(seconds=10)
    assert await sender_counts(partner) == (40, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("queue", "expected"),
    [("drops", (20, 0, 10, 10, 0)), ("keeps", (30, 0, 10, 0, 0)), ("repeats", (32, 0, 10, 0, 2))],
)
async def test_sender_queue_modes(queue: str, expected: tuple[int, ...]) -> None:
    partner = Partner.from_row(f"{{kind: healthy, sender_queue: {queue}}}")
    partner.clock.advance(seconds=10)
    partner.sandbox.stop_instance(partner.row["instance"])
    partner.clock.advance(seconds=10)
    partner.sandbox.start_instance(partner.row["instance"])
    partner.clock.advance(seconds=10)
    counts = await sender_counts(partner)
    assert counts == expected
    sent, waiting, _, lost, doubled = counts
    assert sent + waiting + lost - doubled == 30  # every message is counted exactly once
    row = (await partner.oracle("GET", "world"))["numbers"][0]
    assert (row["sends_lost"], row["sends_doubled"]) == (lost, doubled)


async def test_sender_queue_mode_can_be_changed() -> None:
    partner = Partner.of()
    assert await partner.oracle("POST", "senders", json={"queue": "keeps"}) == {"changed": 1}
    assert "error" in await partner.oracle("POST", "senders", json={"queue": "burns"})
    partner.sandbox.stop_instance(partner.row["instance"])
    partner.clock.advance(seconds=5)
    assert await sender_counts(partner) == (0, 5, 5, 0, 0)


async def test_a_message_of_another_home_is_refused_while_the_first_has_a_pause() -> None:
    partner = Partner.of()
    side: dict[str, Any] = {"from": "on_premises"}
    assert (await partner.hook("pause_sends", home="first", key="1", **side)).status_code == 200
    refused = await partner.hook("pause_sends", home="second", key="2", **side)
    assert (refused.status_code, refused.json()["reason"]) == (409, "another home has paused these senders: first")
    assert (await partner.hook("resume_sends", home="second", key="3", **side)).status_code == 200
    assert not partner.number.sender.running
    assert (await partner.hook("resume_sends", home="first.restored", key="4", **side)).status_code == 200
    assert partner.number.sender.running
    assert (await partner.hook("pause_sends", home="second", key="5", **side)).status_code == 200


async def test_a_message_of_another_home_is_refused_where_the_first_has_moved_the_number() -> None:
    partner = Partner.of()
    side: dict[str, Any] = {"from": "on_premises"}
    await partner.hook("switch_route", home="first", key="1", to="cloud", **side)
    refused = await partner.hook("pause_sends", home="second", key="2", **side)
    assert refused.status_code == 409
    assert refused.json()["reason"] == "another home has moved these senders to cloud: first"
    assert partner.number.sender.running
