"""Call limits of an account and of an app, the usage headers, and the cost of calls while throttled."""

import json
from typing import Any

import httpx
import pytest

from tests.sandbox.partner import Partner, error_code_of
from tests.sandbox.webhook_receiver import TEMPLATE


def usage_of(response: httpx.Response) -> tuple[int, int, int]:
    """The app's usage in percent, the account's usage in percent, and the minutes to wait."""
    [[row]] = json.loads(response.headers["x-business-use-case-usage"]).values()
    app = json.loads(response.headers["x-app-usage"])["call_count"]
    return app, row["call_count"], row["estimated_time_to_regain_access"]


async def test_waba_without_registered_number_has_200_calls_an_hour() -> None:
    partner = Partner.of()
    for _ in range(200):
        assert (await partner.phone("GET")).status_code == 200
    partner.clock.advance(minutes=20)
    response = await partner.waba("GET", "subscribed_apps")
    assert (response.status_code, error_code_of(response)) == (400, 80008)
    assert usage_of(response)[1:] == (100, 40)
    assert (await partner.register(backup=await partner.backup())).status_code == 200  # not a management call
    assert (await partner.phone("GET")).status_code == 200  # its number is active now: 5,000 calls an hour
    partner.clock.advance(hours=1)
    assert usage_of(await partner.phone("GET"))[1] == 0
    await partner.phone("POST", "deregister")
    assert usage_of(await partner.phone("GET"))[1] == 1  # 200 calls an hour again


async def test_calls_while_throttled_extend_the_wait() -> None:
    partner = Partner.of(throttled_call_s=120)
    for _ in range(200):
        await partner.phone("GET")
    partner.clock.advance(minutes=50)
    assert [usage_of(await partner.phone("GET"))[2] for _ in range(3)] == [10, 12, 14]
    partner.clock.advance(minutes=11)  # the 200 calls are an hour old, but the calls since then count too
    assert error_code_of(await partner.phone("GET")) == 80008
    partner.clock.advance(minutes=5)
    assert (await partner.phone("GET")).status_code == 200
    assert usage_of(await partner.phone("GET"))[1:] == (1, 0)


async def test_wait_ends_when_oldest_calls_are_an_hour_old() -> None:
    partner = Partner.of(throttled_call_s=0)
    for index in range(200):
        await partner.phone("GET")
        partner.clock.advance(minutes=10 if index == 99 else 0)
    assert usage_of(await partner.phone("GET"))[2] == 50
    partner.clock.advance(minutes=50)
    assert [error_code_of(await partner.phone("GET")) for _ in range(101)] == [None] * 100 + [80008]


async def test_usage_is_reported_while_limits_are_off() -> None:
    partner = Partner.of(management_limits="off")
    for _ in range(299):
        await partner.phone("GET")
    response = await partner.phone("GET")
    assert (response.status_code, usage_of(response)) == (200, (0, 150, 0))
    assert usage_of(await partner.phone("GET", "settings")) == (0, 150, 0), (
        "usage is reported with every call, but only some calls count"
    )


async def test_app_has_own_call_limit() -> None:
    partner = Partner.of()
    app, token = partner.manifest["app_id"], partner.manifest["token"]
    params = {"input_token": token, "access_token": f"{app}|{partner.manifest['app_secret']}"}

    async def debug_token() -> httpx.Response:
        return await partner.client.get("/v25.0/debug_token", params=params)

    for _ in range(100):
        await partner.graph("GET", app)
    response = await debug_token()
    assert (response.status_code, usage_of(response)) == (200, (50, 0, 0))
    for _ in range(99):
        await debug_token()
    response = await partner.graph("GET", app)
    assert (response.status_code, error_code_of(response), usage_of(response)) == (429, 4, (100, 0, 60))
    response = await partner.phone("GET")
    assert (response.status_code, usage_of(response)) == (200, (100, 0, 0)), "the account has a limit of its own"


async def test_apps_do_not_share_call_limit() -> None:
    partner = Partner.from_scenario("businesses: [{name: a, apps: 2}]\nnumbers: [{}]")
    first, second = ({"Authorization": f"Bearer {app['token']}"} for app in partner.manifest["businesses"][0]["apps"])
    for _ in range(200):
        await partner.phone("GET", headers=first)
    assert error_code_of(await partner.phone("GET", headers=first)) == 80008
    response = await partner.phone("GET", headers=second)
    assert (response.status_code, usage_of(response)[1:]) == (200, (0, 0))


async def test_invalid_tokens_use_no_calls() -> None:
    partner = Partner.of()
    for bearer in ("Bearer other", f"Bearer {partner.manifest['app_id']}|guessed"):
        for _ in range(150):
            assert error_code_of(await partner.phone("GET", headers={"Authorization": bearer})) == 190
    assert usage_of(await partner.phone("GET")) == (0, 0, 0)


@pytest.mark.parametrize("error_code", [80008, 80007, 4])
async def test_error_code_of_management_limit(error_code: int) -> None:
    partner = Partner.of(management_limit_code=error_code)
    error_codes = [error_code_of(await partner.phone("GET")) for _ in range(201)]
    assert error_codes == [None] * 200 + [error_code]


@pytest.mark.parametrize(("call", "error_code"), [("messages", 130429), ("get.number", 80007), ("register", 4)])
async def test_429_fault_has_error_code_of_its_limit(call: str, error_code: int) -> None:
    partner = Partner.of("on_cloud", management_limit_code=80007)
    partner.sandbox.faults.add(route=call, kind="429")
    calls: dict[str, Any] = {
        "messages": lambda: partner.phone("POST", "messages", json=TEMPLATE),
        "get.number": lambda: partner.phone("GET"),
        "register": partner.register,
    }
    response = await calls[call]()
    assert (response.status_code, error_code_of(response), usage_of(response)) == (429, error_code, (100, 100, 1))


@pytest.mark.parametrize("kind", ["429", "500", None])
async def test_every_graph_response_has_usage_headers(kind: str | None) -> None:
    partner = Partner.of("on_cloud")
    for _ in range(99 if kind != "429" else 0):
        await partner.phone("GET")
    if kind is not None:
        partner.sandbox.faults.add(route="get.number", kind=kind)
    for path in (partner.row["phone_number_id"], "nothing", "debug_token"):
        response = await partner.graph("GET", path)
        assert "call_count" in response.headers["x-app-usage"]
        assert "estimated_time_to_regain_access" in response.headers["x-business-use-case-usage"]
        if path == partner.row["phone_number_id"]:
            assert usage_of(response)[1] == {None: 2, "500": 1, "429": 100}[kind], (
                "a response made by a fault has the true figures too"
            )
