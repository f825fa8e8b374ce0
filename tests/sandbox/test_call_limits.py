"""How many calls are too many: of an account, of an app; what the headers tell, and what asking again costs."""

import json
from typing import Any

import httpx
import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from tests.sandbox.partner import Clock, Far, code_of
from tests.sandbox.test_webhooks import TEMPLATE


def told(answer: httpx.Response) -> tuple[int, int, int]:
    """The app's percentage, the account's, and the minutes to wait."""
    [[row]] = json.loads(answer.headers["x-business-use-case-usage"]).values()
    app = json.loads(answer.headers["x-app-usage"])["call_count"]
    return app, row["call_count"], row["estimated_time_to_regain_access"]


async def test_a_waba_without_a_registered_number_has_200_management_calls_an_hour() -> None:
    far = Far.of()
    for _ in range(200):
        assert (await far.phone("GET")).status_code == 200
    far.clock.pass_(minutes=20)
    answer = await far.waba("GET", "subscribed_apps")
    assert (answer.status_code, code_of(answer)) == (400, 80008)
    assert told(answer)[1:] == (100, 40)
    assert (await far.register(backup=await far.backup())).status_code == 200  # not a management call
    assert (await far.phone("GET")).status_code == 200  # active now: 5,000
    far.clock.pass_(hours=1)
    assert told(await far.phone("GET"))[1] == 0
    await far.phone("POST", "deregister")
    assert told(await far.phone("GET"))[1] == 1  # of 200 again


async def test_asking_while_throttled_makes_the_wait_longer() -> None:
    far = Far.of(throttled_call_s=120)
    for _ in range(200):
        await far.phone("GET")
    far.clock.pass_(minutes=50)
    assert [told(await far.phone("GET"))[2] for _ in range(3)] == [10, 12, 14]
    far.clock.pass_(minutes=11)  # the 200 are an hour old by now, and it is not enough
    assert code_of(await far.phone("GET")) == 80008
    far.clock.pass_(minutes=5)
    assert (await far.phone("GET")).status_code == 200
    assert told(await far.phone("GET"))[1:] == (1, 0)


async def test_the_wait_ends_when_the_oldest_calls_are_an_hour_old() -> None:
    far = Far.of(throttled_call_s=0)
    for at in range(200):
        await far.phone("GET")
        far.clock.pass_(minutes=10 if at == 99 else 0)
    assert told(await far.phone("GET"))[2] == 50
    far.clock.pass_(minutes=50)
    assert [code_of(await far.phone("GET")) for _ in range(101)] == [None] * 100 + [80008]


async def test_the_figures_are_true_also_where_nobody_is_held_to_them() -> None:
    far = Far.of(management_limits="off")
    for _ in range(299):
        await far.phone("GET")
    answer = await far.phone("GET")
    assert (answer.status_code, told(answer)) == (200, (0, 150, 0))
    assert told(await far.phone("GET", "settings")) == (0, 150, 0), "told with every call, counted with some"


async def test_an_app_has_a_meter_of_its_own() -> None:
    far = Far.of()
    app, token = far.manifest["app_id"], far.manifest["token"]
    inspect = {"input_token": token, "access_token": f"{app}|{far.manifest['app_secret']}"}

    async def inspected() -> httpx.Response:
        return await far.client.get("/v25.0/debug_token", params=inspect)

    for _ in range(100):
        await far.graph("GET", app)
    answer = await inspected()
    assert (answer.status_code, told(answer)) == (200, (50, 0, 0))
    for _ in range(99):
        await inspected()
    answer = await far.graph("GET", app)
    assert (answer.status_code, code_of(answer), told(answer)) == (429, 4, (100, 0, 60))
    answer = await far.phone("GET")
    assert (answer.status_code, told(answer)) == (200, (100, 0, 0)), "the account's limit is another one"


async def test_two_apps_on_one_account_do_not_use_up_each_others_calls() -> None:
    clock = Clock()
    far = Far(Sandbox.from_scenario(read("businesses: [{name: a, apps: 2}]\nnumbers: [{}]"), now=clock.now), clock)
    first, second = ({"Authorization": f"Bearer {app['token']}"} for app in far.manifest["businesses"][0]["apps"])
    for _ in range(200):
        await far.phone("GET", headers=first)
    assert code_of(await far.phone("GET", headers=first)) == 80008
    answer = await far.phone("GET", headers=second)
    assert (answer.status_code, told(answer)[1:]) == (200, (0, 0))


async def test_who_is_nobody_spends_nobodys_calls() -> None:
    far = Far.of()
    for bearer in ("Bearer other", f"Bearer {far.manifest['app_id']}|guessed"):
        for _ in range(150):
            assert code_of(await far.phone("GET", headers={"Authorization": bearer})) == 190
    assert told(await far.phone("GET")) == (0, 0, 0)


@pytest.mark.parametrize("code", [80008, 80007, 4])
async def test_too_many_management_calls_have_any_of_three_codes(code: int) -> None:
    far = Far.of(management_limit_code=code)
    codes = [code_of(await far.phone("GET")) for _ in range(201)]
    assert codes == [None] * 200 + [code]


@pytest.mark.parametrize(("call", "code"), [("messages", 130429), ("get.number", 80007), ("register", 4)])
async def test_a_429_has_the_code_of_the_limit_that_its_call_has(call: str, code: int) -> None:
    far = Far.of("on_cloud", management_limit_code=80007)
    far.sandbox.faults.add(route=call, kind="429")
    calls: dict[str, Any] = {
        "messages": lambda: far.phone("POST", "messages", json=TEMPLATE),
        "get.number": lambda: far.phone("GET"),
        "register": far.register,
    }
    answer = await calls[call]()
    assert (answer.status_code, code_of(answer), told(answer)) == (429, code, (100, 100, 1))


@pytest.mark.parametrize("kind", ["429", "500", None])
async def test_every_answer_of_graph_tells_what_is_used(kind: str | None) -> None:
    far = Far.of("on_cloud")
    for _ in range(99 if kind != "429" else 0):
        await far.phone("GET")
    if kind is not None:
        far.sandbox.faults.add(route="get.number", kind=kind)
    for path in (far.row["phone_number_id"], "nothing", "debug_token"):
        answer = await far.graph("GET", path)
        assert "call_count" in answer.headers["x-app-usage"]
        assert "estimated_time_to_regain_access" in answer.headers["x-business-use-case-usage"]
        if path == far.row["phone_number_id"]:
            assert told(answer)[1] == {None: 2, "500": 1, "429": 100}[kind], "what is struck tells the truth as well"
