"""Faults before, after or instead of a call's effect, and what the call record says about them."""

import httpx
import pytest

from sandbox.faults import BadFault
from tests.sandbox.partner import Partner, error_code_of


@pytest.mark.parametrize(("kind", "exception"), [("refuse", httpx.ConnectError), ("reset_before", httpx.ReadError)])
async def test_fault_before_effect_changes_nothing(kind: str, exception: type[Exception]) -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind=kind)
    with pytest.raises(exception):
        await partner.register(backup=backup)
    assert (partner.number.side, partner.number.registers, partner.sandbox.mutations(partner.e164)) == (
        "on_premises",
        0,
        (),
    )
    assert (await partner.register(backup=backup)).status_code == 200


@pytest.mark.parametrize("kind", ["lost_answer", "truncated"])
async def test_fault_after_effect_loses_only_response(kind: str) -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", e164=partner.e164, kind=kind, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await partner.register(backup=backup)
    last = partner.sandbox.world.calls[-1]
    assert (last.call, last.effect, last.answered, last.status) == ("register", True, False, 200)
    assert (partner.number.side, partner.number.registered) == ("cloud", 1)


@pytest.mark.parametrize("kind", ["500", "html", "429"])
@pytest.mark.parametrize("effect", [True, False])
async def test_broken_response_with_or_without_effect(kind: str, effect: bool) -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind=kind, effect=effect)
    response = await partner.register(backup=backup)
    assert response.status_code in (500, 502, 429)
    assert (partner.number.side == "cloud") is effect
    assert partner.sandbox.world.calls[-1].effect is effect


async def test_empty_response_has_effect() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind="empty")
    assert (await partner.register(backup=backup)).content == b""
    assert partner.number.side == "cloud"


async def test_429_in_format_of_each_api() -> None:
    partner = Partner.of()
    await partner.gateway_status()
    partner.sandbox.faults.add(route="*", kind="429", times=2)
    graph, onprem = await partner.phone("GET"), await partner.onprem("GET", "health")
    assert [(response.status_code, error_code_of(response)) for response in (graph, onprem)] == [
        (429, 80008),
        (429, 1015),
    ]


async def test_slow_response_times_out_after_effect() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind="slow", seconds=90)
    with pytest.raises(httpx.ReadTimeout):
        await partner.register(backup=backup)
    assert partner.number.side == "cloud"


async def test_lag_fault_delays_reads() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind="lag", seconds=20)
    await partner.register(backup=backup)
    assert await partner.read_fields("platform_type", "status") == ["ON_PREMISE", "CONNECTED"]
    partner.clock.advance(seconds=20)
    assert await partner.read_fields("platform_type") == ["CLOUD_API"]


async def test_lag_fault_without_number_changes_nothing() -> None:
    partner = Partner.of()
    partner.sandbox.faults.add(route="get.waba", kind="lag")
    assert (await partner.waba("GET")).json()["id"] == partner.row["waba_id"]
    assert partner.sandbox.world.calls[-1].fault == "lag"


async def test_fault_is_limited_by_number_after_and_times() -> None:
    partner = Partner.of("healthy", "healthy")
    partner.sandbox.faults.add(route="get.number", kind="500", e164=partner.e164, times=2, after=1)
    assert [(await partner.phone("GET")).status_code for _ in range(4)] == [200, 500, 500, 200]
    partner.selected = 1
    assert (await partner.phone("GET")).status_code == 200


async def test_faults_are_managed_over_oracle() -> None:
    partner = Partner.of()
    reply = await partner.oracle("POST", "faults", json={"faults": [{"route": "get.number", "kind": "html"}]})
    assert reply["faults"][0]["times"] == 1
    reply = await partner.oracle("POST", "faults", json={"route": "register", "kind": "429"})
    assert [fault["kind"] for fault in reply["faults"]] == ["html", "429"]
    assert await partner.oracle("DELETE", "faults") == {"faults": []}
    assert (await partner.phone("GET")).status_code == 200
    for invalid in (
        {"faults": [{"kind": "rain"}]},
        {"faults": "all"},
        {"faults": [{"kind": "500", "who": 1}]},
        {"faults": [1]},
        {"route": "registr", "kind": "500"},
        {"route": ["register"], "kind": "500"},
        {"route": "register", "kind": "500", "e164": "+491511"},
    ):
        assert "error" in await partner.oracle("POST", "faults", json=invalid)


def test_contradictory_fault_is_rejected() -> None:
    partner = Partner.of()
    with pytest.raises(BadFault, match="cannot choose"):
        partner.sandbox.faults.add(route="register", kind="refuse", effect=True)
    with pytest.raises(BadFault, match="times"):
        partner.sandbox.faults.extend([{"kind": "500", "times": "often"}])


async def test_fault_on_traffic_hook() -> None:
    partner = Partner.of()
    partner.sandbox.faults.add(route="pause_sends", kind="lost_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        await partner.hook("pause_sends")
    assert not partner.number.sender.running
    assert (await partner.hook("pause_sends")).json() == {"state": "done"}


async def test_reset_after_effect() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind="reset_after")
    with pytest.raises(httpx.ReadError):
        await partner.register(backup=backup)
    assert (partner.number.side, partner.sandbox.world.calls[-1].effect) == ("cloud", True)


@pytest.mark.parametrize("error_code", [1, 2, 3, 10, 131000, 133000, 133004, 133015])
async def test_error_fault_on_graph(error_code: int) -> None:
    partner = Partner.of()
    backup = await partner.backup()
    row = {"route": "register", "kind": "error", "code": error_code, "subcode": 99, "details": "Not now"}
    assert "error" not in await partner.oracle("POST", "faults", json=row)
    error = (await partner.register(backup=backup)).json()["error"]
    assert (error["code"], error["error_subcode"], error["error_data"]["details"]) == (error_code, 99, "Not now")
    assert (partner.number.side, partner.number.registered) == ("on_premises", 0)
    assert (await partner.register(backup=backup)).status_code == 200
    calls = (await partner.oracle("GET", "calls"))["calls"]
    outcomes = [(call["fault"], call["code"]) for call in calls if call["call"] == "register"]
    assert outcomes == [("error", error_code), (None, None)]


async def test_error_fault_on_onprem_client() -> None:
    partner = Partner.of()
    partner.sandbox.faults.add(route="onprem.health", kind="error", code=1023, status=503, times=2)
    response = await partner.onprem("GET", "health")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (503, 1023)


async def test_error_fault_after_effect() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    partner.sandbox.faults.add(route="register", kind="error", code=131000, effect=True)
    assert (await partner.register(backup=backup)).status_code == 500
    assert partner.number.side == "cloud"


async def test_register_fails_until_deregistration_is_finished() -> None:
    partner = Partner.from_row("{kind: new, unfinished: deregistration}")
    assert error_code_of(await partner.register()) == 133000
    assert (await partner.phone("POST", "deregister")).status_code == 200
    assert (await partner.register()).status_code == 200


async def failing_calls(partner: Partner, calls: int) -> list[bool]:
    return [(await partner.phone("GET")).status_code == 500 for _ in range(calls)]


async def test_fault_share_depends_only_on_seed() -> None:
    alone, again, busy, other = (Partner.of("healthy", "healthy", seed=seed) for seed in (7, 7, 7, 8))
    for partner in (alone, again, busy, other):
        partner.sandbox.faults.add(route="get.number", kind="500", times=0, share=0.4)
    busy.selected = 1
    await failing_calls(busy, 17)
    busy.selected = 0
    first = await failing_calls(alone, 60)
    assert first == await failing_calls(again, 60) == await failing_calls(busy, 60)
    assert first != await failing_calls(other, 60)
    assert 12 < sum(first) < 36


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "error"},
        {"kind": "error", "code": "133000"},
        {"kind": "error", "code": 1, "status": 200},
        {"kind": "500", "code": 1},
        {"kind": "500", "share": 2},
        {"kind": "500", "share": "half"},
        {"kind": "500", "share": True},
        {"kind": "500", "times": float("inf")},
        {"kind": "500", "times": 1.5},
        {"kind": "500", "times": True},
        {"kind": "500", "after": -1},
        {"kind": "slow", "seconds": float("nan")},
        {"kind": "slow", "seconds": -1},
        {"kind": "lag", "seconds": 1e300},
        {"kind": "500", "effect": "no"},
        {"kind": "error", "code": 1, "details": ["x"]},
    ],
)
def test_invalid_fault_is_rejected(row: dict[str, object]) -> None:
    with pytest.raises(BadFault):
        Partner.of().sandbox.faults.extend([row])
