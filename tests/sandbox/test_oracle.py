"""The oracle and the controls, and the record they read from."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sandbox.calls import Call, CallLog
from tests.sandbox.partner import CODE, Far


async def test_the_record_has_every_call_and_no_secret() -> None:
    far = Far.of("no_backup")
    await far.health()
    await far.verify()
    await far.register()
    told = await far.oracle("GET", "calls?since=1")
    assert [row["call"] for row in told["calls"]] == ["onprem.health", "request_code", "verify_code", "register"]
    assert [row["seq"] for row in told["calls"]] == [2, 3, 4, 5]
    assert set(told["calls"][0]) == {
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
    text = json.dumps(told)
    for secret in (far.manifest["token"], far.row["pin"], far.row["password"], far.tokens[far.e164]):
        assert str(secret) not in text


async def test_the_world_is_told_as_it_is() -> None:
    far = Far.of("healthy", "dark")
    told = await far.oracle("GET", "world")
    assert told["now"] == far.clock.at.isoformat()
    first, second = told["numbers"]
    assert (first["platform"], first["instance"], first["outage_s"]) == ("ON_PREMISE", "connected", None)
    assert (second["instance"], second["dark_since"]) == ("none", far.clock.at.isoformat())


async def test_the_clock_goes_only_forward() -> None:
    far = Far.of()
    await far.oracle("POST", "clock", json={"advance_s": 90})
    assert (far.sandbox.world.now() - far.clock.at).total_seconds() == 90
    wrong: tuple[object, ...] = ({"advance_s": -1}, {"advance_s": "1"}, {"advance_s": True}, {}, [])
    for bad in wrong:
        assert "error" in await far.oracle("POST", "clock", json=bad)


async def test_the_clock_stops_before_the_calendar_does() -> None:
    far = Far.of()
    told = [await far.oracle("POST", "clock", json={"advance_s": 3_000_000_000}) for _ in range(5)]
    assert ["error" in one for one in told] == [False, False, True, True, True]
    for bad in (b'{"advance_s": NaN}', b'{"advance_s": Infinity}', b'{"advance_s": 1e308}'):
        assert (await far.client.post("/_sandbox/clock", content=bad)).status_code == 400
    assert (await far.oracle("GET", "world"))["now"] == told[1]["now"]


async def test_a_consumer_has_a_phone_number_and_writes_text() -> None:
    far = Far.of()
    wrong: tuple[object, ...] = ({"from": "nobody"}, {"from": 491511234567}, {"from": []}, {"text": 1}, {"text": None})
    for bad in wrong:
        assert "error" in await far.oracle("POST", "inbound", json={"e164": far.e164} | bad)  # type: ignore[operator]
    assert far.number.inbound == 0


async def test_what_consumers_write_into_the_gap_is_dropped_and_counted() -> None:
    far = Far.of("no_backup")
    assert (await write(far)) == "on_premises"
    far.sandbox.stop_instance(far.row["instance"])
    assert (await write(far)) is None
    await far.verify()
    await far.register()
    assert (await write(far)) is None  # nobody is subscribed to hear of it
    await far.waba("POST", "subscribed_apps")
    assert (await write(far)) == "cloud"
    assert far.number.dropped_inbound == 2


async def write(far: Far) -> str | None:
    told: str | None = (await far.oracle("POST", "inbound", json={"e164": far.e164}))["delivered_to"]
    return told


async def test_the_outage_is_the_sum_of_what_ended() -> None:
    far = Far.of("no_backup")
    far.sandbox.stop_instance(far.row["instance"])
    far.clock.pass_(seconds=20)
    far.sandbox.start_instance(far.row["instance"])
    far.clock.pass_(seconds=100)
    far.sandbox.stop_instance(far.row["instance"])
    far.clock.pass_(seconds=5)
    assert far.number.outage_s == 20
    await far.verify()
    await far.register()
    assert (far.number.outage_s, far.number.dark_since) == (25, None)


async def test_the_manifest_can_be_had_again() -> None:
    far = Far.of("healthy", "dark", "pin_unknown")
    told = await far.oracle("GET", "fleet")
    assert told == far.manifest
    assert [row["kind"] for row in told["numbers"]] == ["healthy", "dark", "pin_unknown"]
    assert [row["onprem_url"] is None for row in told["numbers"]] == [False, True, False]
    assert [row["pin"] is None for row in told["numbers"]] == [False, False, True]


async def test_wrong_questions_are_answered() -> None:
    far = Far.of()
    for method, path in (
        ("GET", "nothing"),
        ("GET", "sms?e164=123"),
        ("GET", "calls?since=x"),
        ("GET", f"calls?since={'9' * 5000}"),
        ("POST", "instances/none"),
        ("GET", ""),
    ):
        assert "error" in await far.oracle(method, path)
    assert "error" in await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "fly"})


async def test_sms_takes_the_number_with_its_plus_or_without() -> None:
    far = Far.of("dark")
    await far.phone("POST", "request_code", json=CODE)
    for e164 in (far.e164, far.e164[1:], f"%2B{far.e164[1:]}"):
        [code] = (await far.oracle("GET", f"sms?e164={e164}"))["codes"]
        assert (code["code"], code["arrived"]) == (far.sandbox.sms(far.e164)[0], True)


def test_a_long_record_spills_to_a_file_and_reads_back() -> None:
    log, at = CallLog(in_memory=10), datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        Call(seq, at, "graph", "GET", f"/{seq}", None, None, "get.number", False, 200, None, False, True)
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


class Watched(CallLog):
    """Counts the calls that were read back from its file."""

    read = 0

    def _from_file(self, seq: int) -> Iterator[Call]:
        for call in super()._from_file(seq):
            self.read += 1
            yield call


def test_a_page_of_the_record_reads_no_more_than_the_page() -> None:
    log, at = Watched(in_memory=10), datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(1, 5001):
        log.append(Call(seq, at, "graph", "GET", "/", None, None, "get.number", False, 200, None, False, True))
    seqs = [call.seq for since in range(0, 5000, 100) for call in log.since(since, limit=100)]
    assert seqs == list(range(1, 5001))
    assert log.read <= 5000
    log.clear()


async def test_a_mistake_of_ours_is_an_answer_and_not_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    far = Far.of()
    accounts = dict(far.sandbox.world.wabas)
    far.sandbox.world.wabas.clear()  # a world that cannot be
    answer = await far.phone("GET", "whatsapp_business_profile")
    assert (answer.status_code, answer.json()["error"]["code"], far.row["waba_id"] in answer.text) == (
        500,
        131000,
        False,
    )
    far.sandbox.world.wabas.update(accounts)
    [call] = (await far.oracle("GET", "calls"))["calls"]
    assert (call["status"], call["fault"]) == (500, "broken")
    assert "KeyError" in capsys.readouterr().err


async def test_not_even_a_call_that_cannot_be_understood_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    far = Far.of()
    world, known = far.sandbox.world, far.sandbox.world.by_id
    world.by_id = None  # type: ignore[assignment]  # as above
    assert (await far.phone("GET")).status_code == 500
    world.by_id, hook = known, world.hook
    world.hook = None  # type: ignore[assignment]
    assert (await far.client.get("/_sandbox/senders/asks/x")).status_code == 500
    world.hook = hook
    assert (await far.phone("GET")).status_code == 200
    assert [row["fault"] for row in (await far.oracle("GET", "calls"))["calls"]] == ["broken", "broken", None]
    assert "AttributeError" in capsys.readouterr().err
