"""Faults: before the effect, after it, or instead of it; and what the record says of them."""

import httpx
import pytest

from sandbox.faults import BadFault
from tests.sandbox.partner import Far, code_of


@pytest.mark.parametrize(("kind", "raised"), [("refuse", httpx.ConnectError), ("reset_before", httpx.ReadError)])
async def test_before_the_effect_nothing_happens(kind: str, raised: type[Exception]) -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind=kind)
    with pytest.raises(raised):
        await far.register(backup=backup)
    assert (far.number.side, far.number.registers, far.sandbox.mutations(far.e164)) == ("on_premises", 0, ())
    assert (await far.register(backup=backup)).status_code == 200


@pytest.mark.parametrize("kind", ["lost_answer", "truncated"])
async def test_after_the_effect_only_the_answer_is_lost(kind: str) -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", e164=far.e164, kind=kind, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await far.register(backup=backup)
    last = far.sandbox.world.calls[-1]
    assert (last.call, last.effect, last.answered, last.status) == ("register", True, False, 200)
    assert (far.number.side, far.number.registered) == ("cloud", 1)


@pytest.mark.parametrize("kind", ["500", "html", "429"])
@pytest.mark.parametrize("effect", [True, False])
async def test_a_broken_answer_with_or_without_effect(kind: str, effect: bool) -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind=kind, effect=effect)
    answer = await far.register(backup=backup)
    assert answer.status_code in (500, 502, 429)
    assert (far.number.side == "cloud") is effect
    assert far.sandbox.world.calls[-1].effect is effect


async def test_an_empty_answer_has_its_effect() -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind="empty")
    assert (await far.register(backup=backup)).content == b""
    assert far.number.side == "cloud"


async def test_too_many_requests_in_the_words_of_either_side() -> None:
    far = Far.of()
    await far.health()
    far.sandbox.faults.add(route="*", kind="429", times=2)
    graph, onprem = await far.phone("GET"), await far.onprem("GET", "health")
    assert [(one.status_code, code_of(one)) for one in (graph, onprem)] == [(429, 80008), (429, 1015)]


async def test_slow_longer_than_patience_is_a_timeout_with_its_effect() -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind="slow", seconds=90)
    with pytest.raises(httpx.ReadTimeout):
        await far.register(backup=backup)
    assert far.number.side == "cloud"


async def test_a_lagging_read_after_one_call() -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind="lag", seconds=20)
    await far.register(backup=backup)
    assert await far.shows("platform_type", "status") == ["ON_PREMISE", "CONNECTED"]
    far.clock.pass_(seconds=20)
    assert await far.shows("platform_type") == ["CLOUD_API"]


async def test_a_lag_of_what_is_about_no_number_changes_nothing() -> None:
    far = Far.of()
    far.sandbox.faults.add(route="get.waba", kind="lag")
    assert (await far.waba("GET")).json()["id"] == far.row["waba_id"]
    assert far.sandbox.world.calls[-1].fault == "lag"


async def test_a_fault_is_for_one_number_after_some_calls_and_so_often() -> None:
    far = Far.of("healthy", "healthy")
    far.sandbox.faults.add(route="get.number", kind="500", e164=far.e164, times=2, after=1)
    assert [(await far.phone("GET")).status_code for _ in range(4)] == [200, 500, 500, 200]
    far.at = 1
    assert (await far.phone("GET")).status_code == 200


async def test_faults_come_and_go_over_the_oracle() -> None:
    far = Far.of()
    told = await far.oracle("POST", "faults", json={"faults": [{"route": "get.number", "kind": "html"}]})
    assert told["faults"][0]["times"] == 1
    told = await far.oracle("POST", "faults", json={"route": "register", "kind": "429"})
    assert [fault["kind"] for fault in told["faults"]] == ["html", "429"]
    assert await far.oracle("DELETE", "faults") == {"faults": []}
    assert (await far.phone("GET")).status_code == 200
    for bad in (
        {"faults": [{"kind": "rain"}]},
        {"faults": "all"},
        {"faults": [{"kind": "500", "who": 1}]},
        {"faults": [1]},
        {"route": "registr", "kind": "500"},
        {"route": ["register"], "kind": "500"},
        {"route": "register", "kind": "500", "e164": "+491511"},
    ):
        assert "error" in await far.oracle("POST", "faults", json=bad)


def test_a_fault_cannot_lie_about_its_effect() -> None:
    far = Far.of()
    with pytest.raises(BadFault, match="cannot choose"):
        far.sandbox.faults.add(route="register", kind="refuse", effect=True)
    with pytest.raises(BadFault, match="times"):
        far.sandbox.faults.extend([{"kind": "500", "times": "often"}])


async def test_a_hook_can_be_struck_too() -> None:
    far = Far.of()
    far.sandbox.faults.add(route="pause_sends", kind="lost_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        await far.hook("pause_sends")
    assert not far.number.sender.running
    assert (await far.hook("pause_sends")).json() == {"state": "done"}


async def test_a_reset_can_come_after_the_effect_too() -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind="reset_after")
    with pytest.raises(httpx.ReadError):
        await far.register(backup=backup)
    assert (far.number.side, far.sandbox.world.calls[-1].effect) == ("cloud", True)


@pytest.mark.parametrize("code", [1, 2, 3, 10, 131000, 133000, 133004, 133015])
async def test_graph_can_be_made_to_refuse_with_any_code(code: int) -> None:
    far = Far.of()
    backup = await far.backup()
    row = {"route": "register", "kind": "error", "code": code, "subcode": 99, "details": "Not now"}
    assert "error" not in await far.oracle("POST", "faults", json=row)
    error = (await far.register(backup=backup)).json()["error"]
    assert (error["code"], error["error_subcode"], error["error_data"]["details"]) == (code, 99, "Not now")
    assert (far.number.side, far.number.registered) == ("on_premises", 0)
    assert (await far.register(backup=backup)).status_code == 200
    calls = (await far.oracle("GET", "calls"))["calls"]
    struck = [(row["fault"], row["code"]) for row in calls if row["call"] == "register"]
    assert struck == [("error", code), (None, None)]


async def test_a_client_can_be_made_to_refuse_with_any_code_and_status() -> None:
    far = Far.of()
    far.sandbox.faults.add(route="onprem.health", kind="error", code=1023, status=503, times=2)
    answer = await far.onprem("GET", "health")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, 1023)


async def test_an_error_can_follow_the_effect() -> None:
    far = Far.of()
    backup = await far.backup()
    far.sandbox.faults.add(route="register", kind="error", code=131000, effect=True)
    assert (await far.register(backup=backup)).status_code == 500
    assert far.number.side == "cloud"


async def test_an_unfinished_deregistration_is_refused_until_it_is_done_again() -> None:
    far = Far.told("{kind: new, unfinished: deregistration}")
    assert code_of(await far.register()) == 133000
    assert (await far.phone("POST", "deregister")).status_code == 200
    assert (await far.register()).status_code == 200


async def struck(far: Far, calls: int) -> list[bool]:
    return [(await far.phone("GET")).status_code == 500 for _ in range(calls)]


async def test_a_share_of_calls_is_struck_by_the_seed_and_not_by_what_others_do() -> None:
    alone, again, busy, other = (Far.of("healthy", "healthy", seed=seed) for seed in (7, 7, 7, 8))
    for far in (alone, again, busy, other):
        far.sandbox.faults.add(route="get.number", kind="500", times=0, share=0.4)
    busy.at = 1
    await struck(busy, 17)
    busy.at = 0
    first = await struck(alone, 60)
    assert first == await struck(again, 60) == await struck(busy, 60)
    assert first != await struck(other, 60)
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
def test_a_fault_that_says_what_it_cannot_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(BadFault):
        Far.of().sandbox.faults.extend([row])
