"""The oracle, its controls, and the call record that they read."""

import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sandbox.calls import Call, CallLog
from tests.sandbox.partner import CODE_REQUEST, Partner


async def test_call_record_has_every_call_and_no_secret() -> None:
    partner = Partner.of("no_backup")
    await partner.gateway_status()
    await partner.verify()
    await partner.register()
    record = await partner.oracle("GET", "calls?since=1")
    assert [row["call"] for row in record["calls"]] == ["onprem.health", "request_code", "verify_code", "register"]
    assert [row["seq"] for row in record["calls"]] == [2, 3, 4, 5]
    assert set(record["calls"][0]) == {
        "seq",
        "at",
        "side",
        "method",
        "path",
        "phone_number_id",
        "e164",
        "call",
        "write",
        "status",
        "code",
        "effect",
        "answered",
        "fault",
    }
    text = json.dumps(record)
    for secret in (
        partner.manifest["token"],
        partner.row["pin"],
        partner.row["password"],
        partner.tokens[partner.e164],
    ):
        assert str(secret) not in text


async def test_world_shows_true_state() -> None:
    partner = Partner.of("healthy", "dark")
    world = await partner.oracle("GET", "world")
    assert world["now"] == partner.clock.time.isoformat()
    first, second = world["numbers"]
    assert (first["platform"], first["instance"], first["outage_s"]) == ("ON_PREMISE", "connected", None)
    assert (second["instance"], second["dark_since"]) == ("none", partner.clock.time.isoformat())


async def test_clock_only_advances() -> None:
    partner = Partner.of()
    await partner.oracle("POST", "clock", json={"advance_s": 90})
    assert (partner.sandbox.world.now() - partner.clock.time).total_seconds() == 90
    invalid_bodies: tuple[object, ...] = ({"advance_s": -1}, {"advance_s": "1"}, {"advance_s": True}, {}, [])
    for body in invalid_bodies:
        assert "error" in await partner.oracle("POST", "clock", json=body)


async def test_clock_stops_before_last_calendar_date() -> None:
    partner = Partner.of()
    replies = [await partner.oracle("POST", "clock", json={"advance_s": 3_000_000_000}) for _ in range(5)]
    assert ["error" in reply for reply in replies] == [False, False, True, True, True]
    for body in (b'{"advance_s": NaN}', b'{"advance_s": Infinity}', b'{"advance_s": 1e308}'):
        assert (await partner.client.post("/_sandbox/clock", content=body)).status_code == 400
    assert (await partner.oracle("GET", "world"))["now"] == replies[1]["now"]


async def test_invalid_inbound_message_is_refused() -> None:
    partner = Partner.of()
    invalid_parts: tuple[object, ...] = (
        {"from": "nobody"},
        {"from": 491511234567},
        {"from": []},
        {"text": 1},
        {"text": None},
    )
    for part in invalid_parts:
        assert "error" in await partner.oracle("POST", "inbound", json={"e164": partner.e164} | part)  # type: ignore[operator]
    assert partner.number.inbound == 0


async def test_inbound_during_outage_is_dropped_and_counted() -> None:
    partner = Partner.of("no_backup")
    assert (await send_inbound(partner)) == "on_premises"
    partner.sandbox.stop_instance(partner.row["instance"])
    assert (await send_inbound(partner)) is None
    await partner.verify()
    await partner.register()
    assert (await send_inbound(partner)) is None  # no app is subscribed
    await partner.waba("POST", "subscribed_apps")
    assert (await send_inbound(partner)) == "cloud"
    assert partner.number.dropped_inbound == 2


async def send_inbound(partner: Partner) -> str | None:
    side: str | None = (await partner.oracle("POST", "inbound", json={"e164": partner.e164}))["delivered_to"]
    return side


async def test_outage_sums_ended_periods() -> None:
    partner = Partner.of("no_backup")
    partner.sandbox.stop_instance(partner.row["instance"])
    partner.clock.advance(seconds=20)
    partner.sandbox.start_instance(partner.row["instance"])
    partner.clock.advance(seconds=100)
    partner.sandbox.stop_instance(partner.row["instance"])
    partner.clock.advance(seconds=5)
    assert partner.number.outage_s == 20
    await partner.verify()
    await partner.register()
    assert (partner.number.outage_s, partner.number.dark_since) == (25, None)


async def test_fleet_returns_manifest() -> None:
    partner = Partner.of("healthy", "dark", "pin_unknown")
    manifest = await partner.oracle("GET", "fleet")
    assert manifest == partner.manifest
    assert [row["kind"] for row in manifest["numbers"]] == ["healthy", "dark", "pin_unknown"]
    assert [row["onprem_url"] is None for row in manifest["numbers"]] == [False, True, False]
    assert [row["pin"] is None for row in manifest["numbers"]] == [False, False, True]


async def test_invalid_requests_get_an_error() -> None:
    partner = Partner.of()
    for method, path in (
        ("GET", "nothing"),
        ("GET", "sms?e164=123"),
        ("GET", "calls?since=x"),
        ("GET", f"calls?since={'9' * 5000}"),
        ("POST", "instances/none"),
        ("GET", ""),
    ):
        assert "error" in await partner.oracle(method, path)
    assert "error" in await partner.oracle("POST", f"instances/{partner.row['instance']}", json={"do": "fly"})


async def test_sms_accepts_number_with_or_without_plus() -> None:
    partner = Partner.of("dark")
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    for e164 in (partner.e164, partner.e164[1:], f"%2B{partner.e164[1:]}"):
        [code] = (await partner.oracle("GET", f"sms?e164={e164}"))["codes"]
        assert (code["code"], code["arrived"]) == (partner.sandbox.sms(partner.e164)[0], True)


def test_long_call_log_spills_to_file_and_reads_back() -> None:
    log, time = CallLog(in_memory=10), datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        Call(seq, time, "graph", "GET", f"/{seq}", None, None, "get.number", False, 200, None, False, True)
        for seq in range(1, 2501)
    ]
    for row in rows:
        log.append(row)
    assert len(log) == 2500
    assert log.since(0) == rows
    assert log.since(1500, limit=3) == rows[1500:1503]
    assert log.since(2499) == rows[2499:]
    assert log.since(2500) == []
    for since, limit in ((0, None), (1500, 3), (2494, 9), (2499, None), (2500, None), (0, 0)):
        assert [json.loads(line)["seq"] for line in log.lines(since, limit)] == [
            row.seq for row in log.since(since, limit)
        ]
    log.clear()


class CountingCallLog(CallLog):
    """Counts the calls that are read back from its file."""

    read = 0

    def _from_file(self, seq: int) -> Iterator[Call]:
        for call in super()._from_file(seq):
            self.read += 1
            yield call


def test_reading_a_page_reads_only_that_page() -> None:
    log, time = CountingCallLog(in_memory=10), datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(1, 5001):
        log.append(Call(seq, time, "graph", "GET", "/", None, None, "get.number", False, 200, None, False, True))
    seqs = [call.seq for since in range(0, 5000, 100) for call in log.since(since, limit=100)]
    assert seqs == list(range(1, 5001))
    assert log.read <= 5000
    log.clear()


async def test_internal_error_is_answered_and_sandbox_continues(capsys: pytest.CaptureFixture[str]) -> None:
    partner = Partner.of()
    accounts = dict(partner.sandbox.world.wabas)
    partner.sandbox.world.wabas.clear()  # an impossible world: its numbers have no accounts
    response = await partner.phone("GET", "whatsapp_business_profile")
    assert (response.status_code, response.json()["error"]["code"], partner.row["waba_id"] in response.text) == (
        500,
        131000,
        False,
    )
    partner.sandbox.world.wabas.update(accounts)
    [call] = (await partner.oracle("GET", "calls"))["calls"]
    assert (call["status"], call["fault"]) == (500, "broken")
    assert "KeyError" in capsys.readouterr().err


async def test_error_while_identifying_call_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    partner = Partner.of()
    world, by_id = partner.sandbox.world, partner.sandbox.world.by_id
    world.by_id = None  # type: ignore[assignment]  # an impossible world again
    assert (await partner.phone("GET")).status_code == 500
    world.by_id, hook = by_id, world.hook
    world.hook = None  # type: ignore[assignment]
    assert (await partner.client.get("/_sandbox/senders/asks/x")).status_code == 500
    world.hook = hook
    assert (await partner.phone("GET")).status_code == 200
    assert [row["fault"] for row in (await partner.oracle("GET", "calls"))["calls"]] == ["broken", "broken", None]
    assert "AttributeError" in capsys.readouterr().err


def test_a_log_that_is_given_up_closes_its_file() -> None:
    log, time = CallLog(in_memory=10), datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(1, 31):
        log.append(Call(seq, time, "graph", "GET", f"/{seq}", None, None, "get.number", False, 200, None, False, True))
    file = log._file
    assert file is not None
    del log
    gc.collect()
    assert file.closed
