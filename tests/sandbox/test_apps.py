"""Apps and tokens: several of them over the same accounts, proofs, and what ends in the middle of a run."""

import hashlib
import hmac
from typing import Any

import httpx
import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Clock, Far, code_of
from tests.sandbox.test_webhooks import APP, CONSUMER, TEMPLATE

TWO = "businesses: [{name: a, apps: 2, numbers_per_waba: 1}, {name: b}]\nnumbers: [{kind: on_cloud, count: 2}]"
OTHER = "https://other.partner.net/hook"
OURS = "whatsapp_business_account"


def two() -> Far:
    """Business `a` with two apps and two accounts, and business `b`."""
    clock = Clock()
    return Far(Sandbox.from_scenario(read(TWO), now=clock.now), clock)


def apps(far: Far) -> list[dict[str, str]]:
    found: list[dict[str, str]] = far.manifest["businesses"][0]["apps"]
    return found


async def as_app(far: Far, app: dict[str, str], method: str, path: str, **how: Any) -> httpx.Response:
    return await far.graph(method, path, headers={"Authorization": f"Bearer {app['token']}"}, **how)


async def address(
    far: Far, app: dict[str, str], method: str = "POST", of: str | None = OURS, **body: str
) -> httpx.Response:
    told = {"access_token": f"{app['app_id']}|{app['app_secret']}"} | ({"object": of} if of else {}) | body
    return await far.client.request(method, f"/{app['app_id']}/subscriptions", json=told)


async def manager(far: Far, what: str, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = await far.oracle("POST", "manager", json={"do": what} | more)
    return told


def _keep(got: list[Delivery], one: Delivery, status: int) -> int:
    got.append(one)
    return status


# -- several apps of one business


async def test_a_second_app_has_credentials_of_its_own_and_sees_the_same() -> None:
    far = two()
    first, second = apps(far)
    assert {**first} == {name: far.manifest["businesses"][0][name] for name in first}
    assert all(first[name] != second[name] for name in ("app_id", "app_secret", "token", "verify_token"))
    for app in (first, second):
        assert (await as_app(far, app, "GET", far.row["phone_number_id"])).status_code == 200
    [b] = far.manifest["businesses"][1]["apps"]
    assert code_of(await as_app(far, b, "GET", far.row["phone_number_id"])) == 100


async def test_each_app_subscribes_overrides_and_hears_for_itself() -> None:
    far = two()
    first, second = apps(far)
    waba, phone = far.row["waba_id"], far.row["phone_number_id"]
    for app, url in ((first, APP), (second, OTHER)):
        assert (await address(far, app, callback_url=url)).status_code == 200
        await as_app(far, app, "POST", f"{waba}/subscribed_apps")
    rows = (await far.waba("GET", "subscribed_apps")).json()["data"]
    assert [row["whatsapp_business_api_data"]["id"] for row in rows] == [first["app_id"], second["app_id"]]
    override = {"override_callback_uri": "https://own.partner.net/hook", "verify_token": "v"}
    assert (await as_app(far, second, "POST", phone, json={"webhook_configuration": override})).status_code == 200
    shown = [
        (await as_app(far, app, "GET", phone, params={"fields": "webhook_configuration"})).json()
        for app in (first, second)
    ]
    assert [one["webhook_configuration"] for one in shown] == [
        {"application": APP},
        {"application": OTHER, "phone_number": "https://own.partner.net/hook"},
    ]
    got: list[Delivery] = []
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
    far.sandbox.deliver(lambda one: _keep(got, one, 200))
    assert {one.url: one.headers["x-hub-signature-256"] for one in got} == {
        url: "sha256=" + hmac.new(app["app_secret"].encode(), one.body, hashlib.sha256).hexdigest()
        for one, (app, url) in zip(got, ((first, APP), (second, "https://own.partner.net/hook")), strict=True)
    }
    await as_app(far, first, "DELETE", f"{waba}/subscribed_apps")
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
    assert far.sandbox.deliver(lambda one: 200 if one.url.startswith("https://own") else 500) == 1


async def test_what_one_app_does_not_take_comes_again_to_all() -> None:
    far = two()
    for app, url in zip(apps(far), (APP, OTHER), strict=True):
        await address(far, app, callback_url=url)
        await as_app(far, app, "POST", f"{far.row['waba_id']}/subscribed_apps")
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
    got: list[Delivery] = []

    def hear(seconds: int, down: set[str]) -> list[tuple[str, int]]:
        before = len(got)
        for _ in range(seconds):
            far.clock.pass_(seconds=1)
            far.sandbox.deliver(lambda one: _keep(got, one, 500 if one.url in down else 200))
        return sorted((one.url, one.attempt) for one in got[before:])

    assert hear(1, {OTHER}) == [(APP, 1), (OTHER, 1)]
    assert hear(5, {OTHER}) == [(APP, 2), (OTHER, 2)]
    assert hear(10, {APP}) == [(APP, 3), (OTHER, 3)], "a copy that is not taken is not repeated for itself"
    assert hear(100, set()) == []
    assert len({one.body for one in got}) == 1
    secrets = {url: app["app_secret"] for app, url in zip(apps(far), (APP, OTHER), strict=True)}
    for one in got:
        digest = hmac.new(secrets[one.url].encode(), one.body, hashlib.sha256).hexdigest()
        assert one.headers["x-hub-signature-256"] == f"sha256={digest}", "each with the secret of its own app"


# -- the app's own subscriptions


async def test_an_address_for_other_objects_is_another_one_and_each_can_end() -> None:
    far = two()
    app = apps(far)[0]
    await address(far, app, callback_url=APP, fields="messages")
    assert (await address(far, app, of="page", callback_url=OTHER, fields="feed")).json() == {"success": True}
    assert code_of(await address(far, app, of=None, callback_url=OTHER)) == 100

    async def shown() -> dict[str, str]:
        return {row["object"]: row["callback_url"] for row in (await address(far, app, "GET")).json()["data"]}

    assert await shown() == {OURS: APP, "page": OTHER}
    assert (await address(far, app, "DELETE", of="page")).json() == {"success": True}
    assert await shown() == {OURS: APP}
    await address(far, app, of="page", callback_url=OTHER)
    await address(far, app, "DELETE", of=None)
    assert await shown() == {}
    assert code_of(await as_app(far, app, "POST", f"{app['app_id']}/subscriptions", json={"object": OURS})) == 15


async def test_an_app_token_is_known_and_opens_no_account() -> None:
    far = Far.of("on_cloud")
    given = {"access_token": f"{far.manifest['app_id']}|{far.manifest['app_secret']}"}
    assert (await far.client.get(f"/{far.manifest['app_id']}", params=given)).json()["name"] == "Fleet"
    codes = [code_of(await far.client.get(f"/{path}", params=given)) for path in ("nothing/at/all", far.row["waba_id"])]
    assert codes == [100, 200]
    wrong = {"access_token": f"{far.manifest['app_id']}|x"}
    assert code_of(await far.client.get("/nothing", params=wrong)) == 190


async def test_a_token_is_told_about_only_to_its_own_app() -> None:
    far = two()
    first, second = apps(far)
    own = f"{first['app_id']}|{first['app_secret']}"

    async def told(given: str | None, viewer: str) -> dict[str, Any]:
        params = {"access_token": viewer} | ({"input_token": given} if given is not None else {})
        answer: dict[str, Any] = (await far.client.get("/v25.0/debug_token", params=params)).json()
        return answer

    assert (await told(first["token"], own))["data"]["is_valid"] is True
    error = (await told(first["token"], second["token"]))["error"]
    assert (error["code"], "did not match the Viewing App" in error["message"]) == (100, True)
    assert (await told(None, own))["error"]["code"] == 100
    assert {name: (await told(own, own))["data"][name] for name in ("type", "app_id", "is_valid", "scopes")} == {
        "type": "APP",
        "app_id": first["app_id"],
        "is_valid": True,
        "scopes": [],
    }
    assert (await told(own + "x", own))["data"]["error"]["code"] == 190


async def test_a_token_says_whose_it_is() -> None:
    far = two()
    app = apps(far)[0]
    user = (await as_app(far, app, "GET", "me")).json()
    debug = {"input_token": app["token"], "access_token": app["token"]}
    assert user["id"] == (await far.client.get("/debug_token", params=debug)).json()["data"]["user_id"]
    own = {"access_token": f"{app['app_id']}|{app['app_secret']}"}
    assert (await far.client.get("/v25.0/me", params=own)).json() == {"id": app["app_id"], "name": "a"}
    assert code_of(await as_app(far, app, "GET", "me?fields=shoe_size")) == 100
    assert code_of(await as_app(far, app, "GET", f"{app['app_id']}?fields=id,shoe_size")) == 100


# -- tokens that end


@pytest.mark.parametrize(("what", "subcode"), [("revoke_token", 460), ("expire_token", 463)])
async def test_a_token_ends_in_the_middle_of_a_run(what: str, subcode: int) -> None:
    far = two()
    first, second = apps(far)
    [b] = far.manifest["businesses"][1]["apps"]
    assert (await manager(far, what, token=first["token"])) == {"done": what, "tokens": 1}
    answer = await as_app(far, first, "GET", far.row["phone_number_id"])
    assert (answer.status_code, code_of(answer), answer.json()["error"]["error_subcode"]) == (401, 190, subcode)
    assert (await as_app(far, second, "GET", far.row["phone_number_id"])).status_code == 200
    debug = {"input_token": first["token"], "access_token": f"{first['app_id']}|{first['app_secret']}"}
    data = (await far.client.get("/debug_token", params=debug)).json()["data"]
    assert (data["is_valid"], data["error"]["subcode"]) == (False, subcode)
    await manager(far, what, business="a")
    assert code_of(await as_app(far, second, "GET", far.row["phone_number_id"])) == 190
    assert (await as_app(far, b, "GET", b["app_id"])).status_code == 200
    [issued, _] = (await manager(far, "issue_token", business="a"))["issued"]
    assert (await as_app(far, {"token": issued}, "GET", far.row["phone_number_id"])).status_code == 200
    assert (await manager(far, what))["tokens"] == 5
    assert code_of(await as_app(far, b, "GET", b["app_id"])) == 190
    assert "no such business" in (await manager(far, what, business="c"))["error"]
    assert "no such token" in (await manager(far, what, token="c"))["error"]
    counts = [len((await manager(far, "issue_token"))["issued"]) for _ in range(3)]
    assert counts == [3, 3, 3]  # one for each app's user, however many were issued before
    told = {"do": [what], "e164": far.e164}
    assert "do is one of" in (await far.oracle("POST", "manager", json=told))["error"]


async def test_the_code_of_embedded_signup_is_good_for_one_token() -> None:
    far = two()
    first, second = apps(far)
    codes = (await manager(far, "signup_code", business="a"))["codes"]
    assert set(codes) == {first["app_id"], second["app_id"]}

    async def exchange(app: dict[str, str]) -> httpx.Response:
        told = {"client_id": app["app_id"], "client_secret": app["app_secret"], "code": codes[first["app_id"]]}
        return await far.client.get("/oauth/access_token", params=told)

    assert code_of(await exchange(second)) == 100, "it is the other app's"
    token = (await exchange(first)).json()["access_token"]
    assert token not in (first["token"], second["token"])
    assert (await as_app(far, {"token": token}, "GET", far.row["phone_number_id"])).status_code == 200
    assert code_of(await exchange(first)) == 100, "it was used"


@pytest.mark.parametrize("code", [200, 10])
async def test_a_permission_that_is_missing_has_either_code(code: int) -> None:
    far = Far.of("on_cloud", missing_scope_code=code)
    far.sandbox.world.tokens[far.manifest["token"]].scopes = ("whatsapp_business_management",)
    answer = await far.phone("POST", "messages", json=TEMPLATE)
    assert (answer.status_code, code_of(answer)) == (403, code)
    assert answer.json()["error"]["message"].startswith(f"(#{code}) ")


# -- proofs


async def test_an_app_may_require_a_proof_of_every_call() -> None:
    clock = Clock()
    told = read("businesses: [{name: a, requires_proof: true}]\nnumbers: [{kind: on_cloud}]")
    far = Far(Sandbox.from_scenario(told, now=clock.now), clock)
    error = (await far.phone("GET")).json()["error"]
    assert (error["code"], error["type"], error.get("error_subcode")) == (100, "GraphMethodException", None)
    key = far.manifest["app_secret"].encode()
    proof = {"appsecret_proof": hmac.new(key, far.manifest["token"].encode(), hashlib.sha256).hexdigest()}
    assert (await far.phone("GET", params=proof)).status_code == 200
    assert code_of(await far.phone("GET", params={"appsecret_proof": "0" * 64})) == 100
    app_token = f"{far.manifest['app_id']}|{far.manifest['app_secret']}"
    debug = {"input_token": far.manifest["token"], "access_token": app_token}
    assert (await far.client.get("/debug_token", params=debug)).status_code == 200
    await manager(far, "no_proof")
    assert (await far.phone("GET")).status_code == 200
    await manager(far, "require_proof", business="a")
    assert code_of(await far.phone("GET")) == 100


@pytest.mark.parametrize(
    ("row", "said"), [("{name: a, apps: 0}", "from 1 to"), ("{name: a, requires_proof: 1}", "true or false")]
)
def test_mistakes_are_told(row: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(f"businesses: [{row}]\nnumbers: [{{kind: healthy}}]")
