"""The partner's senders, the traffic hook, and what the world counts of them."""

from datetime import timedelta

import pytest

from tests.sandbox.partner import Far


async def test_sends_into_a_side_that_left_are_counted() -> None:
    far = Far.of()
    backup = await far.backup()
    far.clock.pass_(seconds=10)
    await far.register(backup=backup)
    far.clock.pass_(seconds=7)
    sender = far.number.sender
    assert (sender.sent, sender.to_dead_side, far.number.sender_gap_s) == (10, 7, None)


async def test_senders_that_are_paused_and_switched_lose_nothing() -> None:
    far = Far.of()
    backup = await far.backup()
    assert (await far.hook("pause_sends")).json() == {"state": "done"}
    far.clock.pass_(seconds=5)
    await far.register(backup=backup)
    await far.hook("switch_route", to="cloud")
    far.clock.pass_(seconds=3)
    await far.hook("resume_sends")
    far.clock.pass_(seconds=4)
    sender = far.number.sender
    assert (sender.sent, sender.held, sender.to_dead_side, far.number.sender_gap_s) == (12, 8, 0, 8)
    assert far.sandbox.mutations(far.e164) == ("pause_sends", "register", "switch_route", "resume_sends")
    assert far.sandbox.mutations(far.e164, sides=("graph",)) == ("register",)


async def test_a_pause_ends_by_itself() -> None:
    far = Far.of()
    deadline = far.clock.at + timedelta(seconds=30)
    await far.hook("pause_sends", deadline=deadline.isoformat())
    far.clock.pass_(seconds=90)
    sender = far.number.sender
    assert (sender.running, sender.held, sender.sent, far.number.sender_gap_s) == (True, 30, 90, 30)


async def test_the_same_key_gets_the_same_answer_and_no_second_effect() -> None:
    far = Far.of()
    await far.hook("pause_sends")
    await far.hook("resume_sends")
    assert (await far.hook("pause_sends")).json() == {"state": "done"}
    assert far.number.sender.running
    assert [call.effect for call in far.sandbox.world.calls] == [True, True, False]


async def test_a_bad_signature_or_half_a_request_is_refused() -> None:
    far = Far.of()
    assert (await far.hook("pause_sends", secret="other")).status_code == 401
    assert (await far.hook("pause_sends", key="")).status_code == 400
    assert (await far.hook("pause_everything")).status_code == 400
    assert (await far.hook("pause_sends", deadline="soon")).status_code == 400
    assert (await far.hook("pause_sends", deadline="2025-09-01T20:00:00")).status_code == 400
    assert far.number.sender.running


async def test_senders_may_veto() -> None:
    far = Far.of()
    await far.oracle("POST", "senders", json={"e164": far.e164, "behaviour": "veto"})
    await far.oracle("POST", "senders", json={"e164": far.e164, "queue": "keeps"})  # says nothing of what they do
    answer = await far.hook("pause_sends")
    assert (answer.status_code, answer.json()["state"]) == (409, "vetoed")
    assert far.number.sender.running


async def test_senders_may_say_yes_and_go_on() -> None:
    far = Far.of()
    await far.oracle("POST", "senders", json={"behaviour": "ignore"})
    assert (await far.hook("pause_sends")).json() == {"state": "done"}
    backup = await far.backup()
    await far.register(backup=backup)
    far.clock.pass_(seconds=6)
    assert far.number.sends_to_dead_side == 6


async def test_senders_may_need_time_to_drain() -> None:
    far = Far.of()
    await far.oracle("POST", "senders", json={"behaviour": "drain", "drain_s": 4})
    answer = await far.hook("pause_sends")
    assert (answer.status_code, answer.json()["state"]) == (202, "draining")
    ask = answer.json()["ask"]
    assert ask.startswith("http://sandbox/")
    assert (await far.client.get(ask)).status_code == 202
    far.clock.pass_(seconds=4)
    assert (await far.client.get(ask)).json() == {"state": "done"}
    far.clock.pass_(seconds=2)
    assert (far.number.sender.sent, far.number.sender.held) == (4, 2)
    assert (await far.client.get(ask + "0")).status_code == 404


async def test_nobody_sends_to_a_number_that_was_dark_from_the_start() -> None:
    far = Far.of("dark", "host_gone", "on_cloud")
    far.clock.pass_(minutes=1)
    assert [row["sends_to_dead_side"] for row in (await far.oracle("GET", "world"))["numbers"]] == [0, 0, 0]
    rows = (await far.oracle("GET", "senders"))["senders"]
    assert [row["route"] for row in rows] == ["on_premises", "on_premises", "cloud"]
    assert rows[2]["sent"] == 60


async def test_a_pause_that_runs_out_starts_nobody_who_did_not_send_before_it() -> None:
    far = Far.of("dark")
    deadline = (far.clock.at + timedelta(seconds=30)).isoformat()
    assert (await far.hook("pause_sends", deadline=deadline)).status_code == 200
    far.clock.pass_(minutes=5)
    assert (far.number.sends_to_dead_side, far.number.sender.running) == (0, False)
    await far.hook("resume_sends", key="r")
    far.clock.pass_(seconds=7)
    assert far.number.sends_to_dead_side == 300 + 7  # what had waited, too


@pytest.mark.parametrize(
    "body", [{"behaviour": "dance"}, {"e164": "+999"}, {"e164": ""}, {"drain_s": -1}, {"drain_s": 1e300}]
)
async def test_wrong_orders_to_the_senders_are_refused(body: dict[str, str]) -> None:
    assert "error" in await Far.of().oracle("POST", "senders", json=body)


async def counts(far: Far) -> tuple[int, ...]:
    row = (await far.oracle("GET", "senders"))["senders"][0]
    return tuple(row[name] for name in ("sent", "waiting", "sends_to_dead_side", "lost", "doubled"))


async def test_what_waited_in_a_pause_goes_out_when_it_ends() -> None:
    far = Far.of()
    await far.hook("pause_sends")
    far.clock.pass_(seconds=30)
    assert await counts(far) == (0, 30, 0, 0, 0)
    await far.hook("resume_sends")
    far.clock.pass_(seconds=10)
    assert await counts(far) == (40, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("queue", "wanted"),
    [("drops", (20, 0, 10, 10, 0)), ("keeps", (30, 0, 10, 0, 0)), ("repeats", (32, 0, 10, 0, 2))],
)
async def test_senders_lose_keep_or_repeat_what_a_dead_side_did_not_take(queue: str, wanted: tuple[int, ...]) -> None:
    far = Far.told(f"{{kind: healthy, sender_queue: {queue}}}")
    far.clock.pass_(seconds=10)
    far.sandbox.stop_instance(far.row["instance"])
    far.clock.pass_(seconds=10)
    far.sandbox.start_instance(far.row["instance"])
    far.clock.pass_(seconds=10)
    found = await counts(far)
    assert found == wanted
    sent, waiting, _, lost, doubled = found
    assert sent + waiting + lost - doubled == 30  # whatever was written is somewhere, once
    row = (await far.oracle("GET", "world"))["numbers"][0]
    assert (row["sends_lost"], row["sends_doubled"]) == (lost, doubled)


async def test_what_senders_do_with_their_queue_can_be_changed() -> None:
    far = Far.of()
    assert await far.oracle("POST", "senders", json={"queue": "keeps"}) == {"changed": 1}
    assert "error" in await far.oracle("POST", "senders", json={"queue": "burns"})
    far.sandbox.stop_instance(far.row["instance"])
    far.clock.pass_(seconds=5)
    assert await counts(far) == (0, 5, 5, 0, 0)
