"""Several apps over the same accounts, their subscriptions, `appsecret_proof`, and tokens that end during a run."""

import hashlib
import hmac
from typing import Any

import httpx
import pytest

from sandbox.scenarios.scenario_file import parse_scenario
from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Partner, error_code_of
from tests.sandbox.webhook_receiver import APP_URL, CONSUMER, TEMPLATE

TWO_BUSINESSES = (
    "businesses: [{name: a, apps: 2, numbers_per_waba: 1}, {name: b}]\nnumbers: [{kind: on_cloud, count: 2}]"
)
OTHER_URL = "https://other.partner.net/hook"
WABA_OBJECT = "whatsapp_business_account"


def two_businesses() -> Partner:
    """Business `a` with two apps and two accounts, and business `b`."""
    return Partner.from_scenario(TWO_BUSINESSES)


def apps(partner: Partner) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = partner.manifest["businesses"][0]["apps"]
    return rows


async def call_as_app(partner: Partner, app: dict[str, str], method: str, path: str, **options: Any) -> httpx.Response:
    return await partner.graph(method, path, headers={"Authorization": f"Bearer {app['token']}"}, **options)


async def call_subscriptions(
    partner: Partner, app: dict[str, str], method: str = "POST", object_type: str | None = WABA_OBJECT, **body: str
) -> httpx.Response:
    parameters = (
        {"access_token": f"{app['app_id']}|{app['app_secret']}"}
        | ({"object": object_type} if object_type else {})
        | body
    )
    return await partner.client.request(method, f"/{app['app_id']}/subscriptions", json=parameters)


async def act_on_credentials(partner: Partner, action: str, **arguments: Any) -> dict[str, Any]:
    reply: dict[str, Any] = await partner.oracle("POST", "manager", json={"do": action} | arguments)
    return reply


def _record(deliveries: list[Delivery], delivery: Delivery, status: int) -> int:
    deliveries.append(delivery)
    return status


# -- several apps of one business


async def test_second_app_has_own_credentials_and_sees_same_accounts() -> None:
    partner = two_businesses()
    first, second = apps(partner)
    assert {**first} == {name: partner.manifest["businesses"][0][name] for name in first}
    assert all(first[name] != second[name] for name in ("app_id", "app_secret", "token", "verify_token"))
    for app in (first, second):
        assert (await call_as_app(partner, app, "GET", partner.row["phone_number_id"])).status_code == 200
    [other_app] = partner.manifest["businesses"][1]["apps"]
    assert error_code_of(await call_as_app(partner, other_app, "GET", partner.row["phone_number_id"])) == 100


async def test_each_app_has_own_subscription_override_and_deliveries() -> None:
    partner = two_businesses()
    first, second = apps(partner)
    waba, phone = partner.row["waba_id"], partner.row["phone_number_id"]
    for app, url in ((first, APP_URL), (second, OTHER_URL)):
        assert (await call_subscriptions(partner, app, callback_url=url)).status_code == 200
        await call_as_app(partner, app, "POST", f"{waba}/subscribed_apps")
    rows = (await partner.waba("GET", "subscribed_apps")).json()["data"]
    assert [row["whatsapp_business_api_data"]["id"] for row in rows] == [first["app_id"], second["app_id"]]
    override = {"override_callback_uri": "https://own.partner.net/hook", "verify_token": "v"}
    assert (
        await call_as_app(partner, second, "POST", phone, json={"webhook_configuration": override})
    ).status_code == 200
    responses = [
        (await call_as_app(partner, app, "GET", phone, params={"fields": "webhook_configuration"})).json()
        for app in (first, second)
    ]
    assert [shown["webhook_configuration"] for shown in responses] == [
        {"application": APP_URL},
        {"application": OTHER_URL, "phone_number": "https://own.partner.net/hook"},
    ]
    deliveries: list[Delivery] = []
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
    partner.sandbox.deliver(lambda delivery: _record(deliveries, delivery, 200))
    assert {delivery.url: delivery.headers["x-hub-signature-256"] for delivery in deliveries} == {
        url: "sha256=" + hmac.new(app["app_secret"].encode(), delivery.body, hashlib.sha256).hexdigest()
        for delivery, (app, url) in zip(
            deliveries, ((first, APP_URL), (second, "https://own.partner.net/hook")), strict=True
        )
    }
    await call_as_app(partner, first, "DELETE", f"{waba}/subscribed_apps")
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
    assert partner.sandbox.deliver(lambda delivery: 200 if delivery.url.startswith("https://own") else 500) == 1


async def test_delivery_refused_by_one_app_is_repeated_to_all() -> None:
    partner = two_businesses()
    for app, url in zip(apps(partner), (APP_URL, OTHER_URL), strict=True):
        await call_subscriptions(partner, app, callback_url=url)
        await call_as_app(partner, app, "POST", f"{partner.row['waba_id']}/subscribed_apps")
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
    deliveries: list[Delivery] = []

    def deliver_for(seconds: int, down: set[str]) -> list[tuple[str, int]]:
        before = len(deliveries)
        for _ in range(seconds):
            partner.clock.advance(seconds=1)
            partner.sandbox.deliver(
                lambda delivery: _record(deliveries, delivery, 500 if delivery.url in down else 200)
            )
        return sorted((delivery.url, delivery.attempt) for delivery in deliveries[before:])

    assert deliver_for(1, {OTHER_URL}) == [(APP_URL, 1), (OTHER_URL, 1)]
    assert deliver_for(5, {OTHER_URL}) == [(APP_URL, 2), (OTHER_URL, 2)]
    assert deliver_for(10, {APP_URL}) == [(APP_URL, 3), (OTHER_URL, 3)], (
        "a refusal by one app repeats the delivery to both"
    )
    assert deliver_for(100, set()) == []
    assert len({delivery.body for delivery in deliveries}) == 1
    secrets = {url: app["app_secret"] for app, url in zip(apps(partner), (APP_URL, OTHER_URL), strict=True)}
    for delivery in deliveries:
        digest = hmac.new(secrets[delivery.url].encode(), delivery.body, hashlib.sha256).hexdigest()
        assert delivery.headers["x-hub-signature-256"] == f"sha256={digest}", (
            "each is signed with the secret of its own app"
        )


# -- the app's own subscriptions


async def test_each_object_type_has_own_callback_url() -> None:
    partner = two_businesses()
    app = apps(partner)[0]
    await call_subscriptions(partner, app, callback_url=APP_URL, fields="messages")
    assert (
        await call_subscriptions(partner, app, object_type="page", callback_url=OTHER_URL, fields="feed")
    ).json() == {"success": True}
    assert error_code_of(await call_subscriptions(partner, app, object_type=None, callback_url=OTHER_URL)) == 100

    async def callback_urls() -> dict[str, str]:
        return {
            row["object"]: row["callback_url"] for row in (await call_subscriptions(partner, app, "GET")).json()["data"]
        }

    assert await callback_urls() == {WABA_OBJECT: APP_URL, "page": OTHER_URL}
    assert (await call_subscriptions(partner, app, "DELETE", object_type="page")).json() == {"success": True}
    assert await callback_urls() == {WABA_OBJECT: APP_URL}
    await call_subscriptions(partner, app, object_type="page", callback_url=OTHER_URL)
    await call_subscriptions(partner, app, "DELETE", object_type=None)
    assert await callback_urls() == {}
    assert (
        error_code_of(
            await call_as_app(partner, app, "POST", f"{app['app_id']}/subscriptions", json={"object": WABA_OBJECT})
        )
        == 15
    )


async def test_app_token_reads_app_and_no_account() -> None:
    partner = Partner.of("on_cloud")
    params = {"access_token": f"{partner.manifest['app_id']}|{partner.manifest['app_secret']}"}
    assert (await partner.client.get(f"/{partner.manifest['app_id']}", params=params)).json()["name"] == "Fleet"
    error_codes = [
        error_code_of(await partner.client.get(f"/{path}", params=params))
        for path in ("nothing/at/all", partner.row["waba_id"])
    ]
    assert error_codes == [100, 200]
    wrong = {"access_token": f"{partner.manifest['app_id']}|x"}
    assert error_code_of(await partner.client.get("/nothing", params=wrong)) == 190


async def test_debug_token_serves_only_tokens_of_own_app() -> None:
    partner = two_businesses()
    first, second = apps(partner)
    own = f"{first['app_id']}|{first['app_secret']}"

    async def debug_token(input_token: str | None, access_token: str) -> dict[str, Any]:
        params = {"access_token": access_token} | ({"input_token": input_token} if input_token is not None else {})
        body: dict[str, Any] = (await partner.client.get("/v25.0/debug_token", params=params)).json()
        return body

    assert (await debug_token(first["token"], own))["data"]["is_valid"] is True
    error = (await debug_token(first["token"], second["token"]))["error"]
    assert (error["code"], "did not match the Viewing App" in error["message"]) == (100, True)
    assert (await debug_token(None, own))["error"]["code"] == 100
    assert {name: (await debug_token(own, own))["data"][name] for name in ("type", "app_id", "is_valid", "scopes")} == {
        "type": "APP",
        "app_id": first["app_id"],
        "is_valid": True,
        "scopes": [],
    }
    assert (await debug_token(own + "x", own))["data"]["error"]["code"] == 190


async def test_me_and_debug_token_name_the_same_user() -> None:
    partner = two_businesses()
    app = apps(partner)[0]
    user = (await call_as_app(partner, app, "GET", "me")).json()
    debug = {"input_token": app["token"], "access_token": app["token"]}
    assert user["id"] == (await partner.client.get("/debug_token", params=debug)).json()["data"]["user_id"]
    own = {"access_token": f"{app['app_id']}|{app['app_secret']}"}
    assert (await partner.client.get("/v25.0/me", params=own)).json() == {"id": app["app_id"], "name": "a"}
    assert error_code_of(await call_as_app(partner, app, "GET", "me?fields=shoe_size")) == 100
    assert error_code_of(await call_as_app(partner, app, "GET", f"{app['app_id']}?fields=id,shoe_size")) == 100


# -- tokens that expire or are revoked


@pytest.mark.parametrize(("action", "subcode"), [("revoke_token", 460), ("expire_token", 463)])
async def test_revoked_or_expired_token_is_refused(action: str, subcode: int) -> None:
    partner = two_businesses()
    first, second = apps(partner)
    [other_app] = partner.manifest["businesses"][1]["apps"]
    assert (await act_on_credentials(partner, action, token=first["token"])) == {"done": action, "tokens": 1}
    response = await call_as_app(partner, first, "GET", partner.row["phone_number_id"])
    assert (response.status_code, error_code_of(response), response.json()["error"]["error_subcode"]) == (
        401,
        190,
        subcode,
    )
    assert (await call_as_app(partner, second, "GET", partner.row["phone_number_id"])).status_code == 200
    debug = {"input_token": first["token"], "access_token": f"{first['app_id']}|{first['app_secret']}"}
    data = (await partner.client.get("/debug_token", params=debug)).json()["data"]
    assert (data["is_valid"], data["error"]["subcode"]) == (False, subcode)
    await act_on_credentials(partner, action, business="a")
    assert error_code_of(await call_as_app(partner, second, "GET", partner.row["phone_number_id"])) == 190
    assert (await call_as_app(partner, other_app, "GET", other_app["app_id"])).status_code == 200
    [issued, _] = (await act_on_credentials(partner, "issue_token", business="a"))["issued"]
    assert (await call_as_app(partner, {"token": issued}, "GET", partner.row["phone_number_id"])).status_code == 200
    assert (await act_on_credentials(partner, action))["tokens"] == 5
    assert error_code_of(await call_as_app(partner, other_app, "GET", other_app["app_id"])) == 190
    assert "no such business" in (await act_on_credentials(partner, action, business="c"))["error"]
    assert "no such token" in (await act_on_credentials(partner, action, token="c"))["error"]
    counts = [len((await act_on_credentials(partner, "issue_token"))["issued"]) for _ in range(3)]
    assert counts == [3, 3, 3]  # one for each app's user, independent of how many were issued before
    body = {"do": [action], "e164": partner.e164}
    assert "do is one of" in (await partner.oracle("POST", "manager", json=body))["error"]


async def test_signup_code_is_exchanged_for_one_token() -> None:
    partner = two_businesses()
    first, second = apps(partner)
    signup_codes = (await act_on_credentials(partner, "signup_code", business="a"))["codes"]
    assert set(signup_codes) == {first["app_id"], second["app_id"]}

    async def exchange(app: dict[str, str]) -> httpx.Response:
        params = {"client_id": app["app_id"], "client_secret": app["app_secret"], "code": signup_codes[first["app_id"]]}
        return await partner.client.get("/oauth/access_token", params=params)

    assert error_code_of(await exchange(second)) == 100, "the code belongs to the other app"
    token = (await exchange(first)).json()["access_token"]
    assert token not in (first["token"], second["token"])
    assert (await call_as_app(partner, {"token": token}, "GET", partner.row["phone_number_id"])).status_code == 200
    assert error_code_of(await exchange(first)) == 100, "the code was used already"


@pytest.mark.parametrize("error_code", [200, 10])
async def test_error_code_of_missing_permission(error_code: int) -> None:
    partner = Partner.of("on_cloud", missing_scope_code=error_code)
    partner.sandbox.world.tokens[partner.manifest["token"]].scopes = ("whatsapp_business_management",)
    response = await partner.phone("POST", "messages", json=TEMPLATE)
    assert (response.status_code, error_code_of(response)) == (403, error_code)
    assert response.json()["error"]["message"].startswith(f"(#{error_code}) ")


# -- appsecret_proof


async def test_app_can_require_appsecret_proof() -> None:
    partner = Partner.from_scenario("businesses: [{name: a, requires_proof: true}]\nnumbers: [{kind: on_cloud}]")
    error = (await partner.phone("GET")).json()["error"]
    assert (error["code"], error["type"], error.get("error_subcode")) == (100, "GraphMethodException", None)
    key = partner.manifest["app_secret"].encode()
    proof = {"appsecret_proof": hmac.new(key, partner.manifest["token"].encode(), hashlib.sha256).hexdigest()}
    assert (await partner.phone("GET", params=proof)).status_code == 200
    assert error_code_of(await partner.phone("GET", params={"appsecret_proof": "0" * 64})) == 100
    app_token = f"{partner.manifest['app_id']}|{partner.manifest['app_secret']}"
    debug = {"input_token": partner.manifest["token"], "access_token": app_token}
    assert (await partner.client.get("/debug_token", params=debug)).status_code == 200
    await act_on_credentials(partner, "no_proof")
    assert (await partner.phone("GET")).status_code == 200
    await act_on_credentials(partner, "require_proof", business="a")
    assert error_code_of(await partner.phone("GET")) == 100


@pytest.mark.parametrize(
    ("row", "message"), [("{name: a, apps: 0}", "from 1 to"), ("{name: a, requires_proof: 1}", "true or false")]
)
def test_invalid_apps_of_business_are_rejected(row: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_scenario(f"businesses: [{row}]\nnumbers: [{{kind: healthy}}]")
