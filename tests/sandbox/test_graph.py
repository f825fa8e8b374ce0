"""Graph's HTTP interface: parameters, fields, paging, errors, tokens, versions, subscriptions, settings, messages."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tests.sandbox.partner import Clock, Partner, error_code_of

TEXT = {"messaging_product": "whatsapp", "to": "+4915100000000", "type": "text", "text": {"body": "hello"}}
LONG_SITE = "https://a.example/" + "x" * 240
TEMPLATE = {
    "messaging_product": "whatsapp",
    "to": "+4915100000000",
    "type": "template",
    "template": {"name": "smoke_test", "language": {"code": "en"}},
}


@pytest.mark.parametrize("encoding", ["params", "data", "json"])
async def test_parameters_by_query_form_or_json(encoding: str) -> None:
    partner = Partner.of("on_cloud")
    assert (
        await partner.graph(
            "POST", partner.row["phone_number_id"], **cast(dict[str, Any], {encoding: {"pin": "012345"}})
        )
    ).status_code == 200
    assert partner.number.pin == "012345"


@pytest.mark.parametrize("encoding", ["data", "params", "files"])
async def test_nested_parameters_in_bracket_notation(encoding: str) -> None:
    partner = Partner.of("on_cloud")
    template = {"type": "template", "template[name]": "smoke_test", "template[language][code]": "en"}
    parameters = {"messaging_product": "whatsapp", "to": "+4915100000000"} | template
    payload: Any = {name: (None, value) for name, value in parameters.items()} if encoding == "files" else parameters
    assert (await partner.phone("POST", "messages", **{encoding: payload})).status_code == 200
    profile = {"messaging_product": "whatsapp", "websites[0]": "https://a.example", "websites[1]": "https://b.example"}
    await partner.phone("POST", "whatsapp_business_profile", data=profile)
    assert partner.number.profile["websites"] == ["https://a.example", "https://b.example"]
    for invalid_name in ("text[", "text[]", "text[a]b", "text]", "text[a][b", "text[x]" + "[y]" * 5_000):
        assert (
            error_code_of(
                await partner.phone("POST", "messages", data=parameters | {"type": "text", invalid_name: "x"})
            )
            == 131008
        )


async def test_one_call_sets_several_fields() -> None:
    partner = Partner.of("on_cloud")
    await partner.waba("POST", "subscribed_apps")
    override = {"override_callback_uri": "https://one.example/wa", "verify_token": "t"}
    body = {"pin": "012345", "new_display_name": "Other Name", "webhook_configuration": override}
    assert (await partner.phone("POST", json=body)).status_code == 200
    assert (partner.number.pin, partner.number.new_name) == ("012345", "Other Name")
    assert (await partner.read_fields("webhook_configuration"))[0]["phone_number"] == "https://one.example/wa"
    invalid: list[Any] = ["x", [], {}, {"verify_token": "t"}, override | {"verify_token": ""}]
    for configuration in (*invalid, override | {"override_callback_uri": "https://["}):
        assert error_code_of(await partner.phone("POST", json={"webhook_configuration": configuration})) == 100
    assert (await partner.read_fields("webhook_configuration"))[0]["phone_number"] == "https://one.example/wa", (
        "the override is still there"
    )


async def test_boolean_parameter_as_text_or_json() -> None:
    partner = Partner.of("on_cloud")
    for sent, expected in (("true", True), ("false", False), (True, True), (False, False), ("1", True)):
        identity = {"user_identity_change": {"enable_identity_key_check": sent}}
        assert (await partner.phone("POST", "settings", json=identity)).status_code == 200
        assert partner.number.identity_check is expected
    assert error_code_of(await partner.phone("POST", "settings", json={"user_identity_change": {}})) == 100


async def test_multipart_form_is_accepted() -> None:
    partner = Partner.of("on_cloud")
    assert (await partner.phone("POST", files={"pin": (None, "012345")})).status_code == 200
    assert partner.number.pin == "012345"


@pytest.mark.parametrize("path", ["/v25.0/{id}", "/v19.0/{id}/", "/{id}", "/{id}/?fields=id"])
async def test_any_version_or_none_and_trailing_slash(path: str) -> None:
    partner = Partner.of()
    url = path.format(id=partner.row["phone_number_id"])
    response = await partner.client.get(url, params={"access_token": partner.manifest["token"]})
    assert response.json()["id"] == partner.row["phone_number_id"]


async def test_expired_version_is_served_by_oldest_supported() -> None:
    partner = Partner.of(clock=Clock(datetime(2026, 11, 23, tzinfo=UTC)))
    served = {}
    for version in ("v20.0", "v21.0", "v25.0", "v99.0"):
        headers = {"Authorization": f"Bearer {partner.manifest['token']}"}
        response = await partner.client.get(f"/{version}/{partner.row['phone_number_id']}", headers=headers)
        served[version] = response.headers["facebook-api-version"]
    assert served == {"v20.0": "v21.0", "v21.0": "v21.0", "v25.0": "v25.0", "v99.0": "v26.0"}


async def test_every_response_has_usage_headers() -> None:
    partner = Partner.of()
    for response in (await partner.phone("GET"), await partner.graph("GET", "404404")):
        assert {"x-app-usage", "x-business-use-case-usage", "x-fb-trace-id"} <= set(response.headers)


async def test_unknown_field_fails_whole_call() -> None:
    partner = Partner.of()
    response = await partner.phone("GET", params={"fields": "id,shoe_size"})
    assert (response.status_code, error_code_of(response)) == (400, 100)
    assert "shoe_size" in response.json()["error"]["message"]


async def test_nested_fields() -> None:
    partner = Partner.of("on_cloud")
    body = (await partner.phone("GET", params={"fields": "whatsapp_business_profile{about},status"})).json()
    assert body["whatsapp_business_profile"] == {"about": "Write to us"}
    body = (await partner.waba("GET", params={"fields": "name,phone_numbers{status}"})).json()
    assert body["phone_numbers"]["data"] == [{"status": "CONNECTED", "id": partner.row["phone_number_id"]}]


async def test_pages_have_opaque_cursors_and_the_last_has_no_next() -> None:
    partner = Partner.of(*["healthy"] * 10)
    pages, url = [], f"/v25.0/{partner.row['waba_id']}/phone_numbers?limit=4&fields=id"
    while url:
        page = (await partner.client.get(url, headers={"Authorization": f"Bearer {partner.manifest['token']}"})).json()
        pages.append([row["id"] for row in page["data"]])
        url = page["paging"].get("next")
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len({phone_number_id for page in pages for phone_number_id in page}) == 10
    assert error_code_of(await partner.waba("GET", "phone_numbers?after=nonsense")) == 100
    assert error_code_of(await partner.waba("GET", "phone_numbers?limit=many")) == 100


async def test_unknown_object_is_error_100_33() -> None:
    partner = Partner.of()
    for path in ("1234567890123456", "1234567890123456/register", "nonsense"):
        method = "GET" if "/" not in path else "POST"
        error = (await partner.graph(method, path)).json()["error"]
        assert (error["code"], error["error_subcode"], error["type"]) == (100, 33, "GraphMethodException")
        node = path.partition("/")[0]
        assert error["message"].startswith(f"Unsupported {method.lower()} request. Object with ID '{node}' does not")
    error = (await partner.phone("POST", "migrate")).json()["error"]
    assert (error["code"], error["message"]) == (2500, "Unknown path components: /migrate")


async def test_encoded_slash_in_id_reaches_no_edge() -> None:
    partner = Partner.of("on_cloud")
    url = f"http://sandbox/v25.0/{partner.row['phone_number_id']}%2Fderegister"
    response = await partner.client.post(url, headers={"Authorization": f"Bearer {partner.manifest['token']}"})
    assert (error_code_of(response), partner.number.side, partner.number.deregisters) == (100, "cloud", 0)
    encoded_id = "".join(f"%{ord(digit):x}" for digit in partner.row["phone_number_id"])
    response = await partner.client.get(f"http://sandbox/v25.0/{encoded_id}", headers=response.request.headers)
    assert response.json()["id"] == partner.row["phone_number_id"]


async def test_expired_revoked_and_limited_tokens() -> None:
    partner = Partner.of()
    token = partner.sandbox.world.tokens[partner.manifest["token"]]
    token.expires_at = partner.clock.time.replace(hour=21)
    assert (await partner.phone("GET")).status_code == 200
    token.wabas = frozenset()
    assert error_code_of(await partner.waba("GET", "phone_numbers")) == 200
    assert error_code_of(await partner.phone("GET")) == 100
    token.wabas, token.scopes = None, ("whatsapp_business_management",)
    assert error_code_of(await partner.register()) == 200
    partner.clock.advance(hours=1)
    response = await partner.phone("GET")
    assert (response.status_code, error_code_of(response), response.json()["error"]["error_subcode"]) == (401, 190, 463)
    token.expires_at, token.revoked = None, True
    assert (await partner.phone("GET")).json()["error"]["error_subcode"] == 460
    assert error_code_of(await partner.client.get(f"/v25.0/{partner.row['phone_number_id']}")) == 200


async def test_appsecret_proof_is_checked_if_sent() -> None:
    partner = Partner.of()
    manifest = partner.manifest
    proof = hmac.new(manifest["app_secret"].encode(), manifest["token"].encode(), hashlib.sha256).hexdigest()
    assert (await partner.phone("GET", params={"appsecret_proof": proof})).status_code == 200
    assert error_code_of(await partner.phone("GET", params={"appsecret_proof": "0" * 64})) == 100


async def test_debug_token_lists_scopes() -> None:
    partner = Partner.of()
    app_token = f"{partner.manifest['app_id']}|{partner.manifest['app_secret']}"
    params = {"input_token": partner.manifest["token"], "access_token": app_token}
    data = (await partner.client.get("/v25.0/debug_token", params=params)).json()["data"]
    assert (data["is_valid"], data["app_id"], data["expires_at"]) == (True, partner.manifest["app_id"], 0)
    assert [scope["scope"] for scope in data["granular_scopes"]] == data["scopes"]
    params["input_token"] = "other"
    data = (await partner.client.get("/v25.0/debug_token", params=params)).json()["data"]
    assert not data["is_valid"]


async def test_subscription_without_override_removes_override() -> None:
    partner = Partner.of()
    assert (await partner.waba("GET", "subscribed_apps")).json() == {"data": []}
    override = {"override_callback_uri": "https://hooks.example/wa", "verify_token": "t"}
    assert error_code_of(await partner.waba("POST", "subscribed_apps", json=override)) == 100
    await partner.waba("POST", "subscribed_apps")
    await partner.waba("POST", "subscribed_apps", json=override)
    [row] = (await partner.waba("GET", "subscribed_apps")).json()["data"]
    assert row["override_callback_uri"] == "https://hooks.example/wa"
    assert row["whatsapp_business_api_data"]["id"] == partner.manifest["app_id"]
    await partner.waba("POST", "subscribed_apps")
    [row] = (await partner.waba("GET", "subscribed_apps")).json()["data"]
    assert "override_callback_uri" not in row
    await partner.waba("DELETE", "subscribed_apps")
    assert (await partner.waba("GET", "subscribed_apps")).json() == {"data": []}


async def test_storage_is_set_only_before_registration() -> None:
    partner = Partner.of()
    settings = {"storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}}
    assert (await partner.phone("POST", "settings", json=settings)).status_code == 200
    storage = (await partner.phone("GET", "settings")).json()["storage_configuration"]
    assert storage == settings["storage_configuration"]
    await partner.register(backup=await partner.backup())
    assert error_code_of(await partner.phone("POST", "settings", json=settings)) == 100
    await partner.phone("POST", "deregister")
    assert (await partner.phone("GET", "settings")).json()["storage_configuration"] == {"status": "DEFAULT"}
    partner = Partner.of(storage_while_on_premises="refused")
    assert error_code_of(await partner.phone("POST", "settings", json=settings)) == 100


async def test_messages_are_sent_only_from_cloud() -> None:
    partner = Partner.of()
    assert error_code_of(await partner.phone("POST", "messages", json=TEMPLATE)) == 133010
    await partner.register(backup=await partner.backup())
    body = (await partner.phone("POST", "messages", json=TEMPLATE)).json()
    assert body["messages"][0]["id"].startswith("wamid.")
    assert body["contacts"] == [{"input": "+4915100000000", "wa_id": "4915100000000"}]


async def test_message_sent_twice_counts_as_double_effect() -> None:
    partner = Partner.of("on_cloud")
    for _ in range(2):
        await partner.phone("POST", "messages", json=TEMPLATE | {"biz_opaque_callback_data": "smoke-1"})
    assert partner.number.double_effects == 1


@pytest.mark.parametrize(
    ("change", "error_code"),
    [
        ({"messaging_product": "sms"}, 100),
        ({"type": "smoke"}, 131051),
        ({"to": ""}, 131008),
        ({"to": "12"}, 131009),
        ({"text": None}, 131008),
        ({"text": {"body": "x" * 4097}}, 100),
        ({"text": {"body": ["x"]}}, 100),
        ({"to": ["+4915100000000"]}, 131009),
        ({"to": {"number": "+4915100000000"}}, 131009),
        ({"type": "image", "image": {}}, 131008),
        ({"type": "document", "document": {"filename": "a.pdf"}}, 131008),
        ({"type": "contacts", "contacts": "somebody"}, 131008),
        ({"type": "location", "location": {}}, 131008),
        ({"type": "template", "template": {"name": "none", "language": {"code": "en"}}}, 132001),
    ],
)
async def test_invalid_message_is_refused(change: dict[str, object], error_code: int) -> None:
    assert error_code_of(await Partner.of("on_cloud").phone("POST", "messages", json=TEXT | change)) == error_code


@pytest.mark.parametrize(
    "content",
    [
        {"type": "image", "image": {"link": "https://a.example/x.jpg"}},
        {"type": "audio", "audio": {"id": "1"}},
        {"type": "contacts", "contacts": [{"name": {"formatted_name": "A"}}]},
        {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": ""}},
        {"to": 4915100000000},
    ],
)
async def test_every_message_type_is_accepted(content: dict[str, object]) -> None:
    assert (await Partner.of("on_cloud").phone("POST", "messages", json=TEXT | content)).status_code == 200


async def test_text_outside_window_can_be_refused_synchronously() -> None:
    partner = Partner.of("on_cloud", text_outside_window="sync")
    assert error_code_of(await partner.phone("POST", "messages", json=TEXT)) == 131047
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": TEXT["to"]})
    assert (await partner.phone("POST", "messages", json=TEXT)).status_code == 200
    partner.clock.advance(hours=24)
    assert error_code_of(await partner.phone("POST", "messages", json=TEXT)) == 131047


async def test_profile_is_written_and_read() -> None:
    partner = Partner.of("on_cloud")
    profile = {"messaging_product": "whatsapp", "about": "Open", "websites": ["https://a.example"]}
    assert (await partner.phone("POST", "whatsapp_business_profile", json=profile)).status_code == 200
    [row] = (await partner.phone("GET", "whatsapp_business_profile?fields=about,websites")).json()["data"]
    assert row == profile
    for invalid in (
        {"about": "x" * 140},
        {"websites": ["a.example"]},
        {"vertical": "SPACE"},
        {"websites": ["x"] * 3},
        {"websites": [LONG_SITE]},
    ):
        body = {"messaging_product": "whatsapp"} | invalid
        assert error_code_of(await partner.phone("POST", "whatsapp_business_profile", json=body)) == 100


async def test_health_status_by_entity() -> None:
    partner = Partner.of("healthy", "on_cloud", "payment_problem")
    [health] = await partner.read_fields("health_status")
    assert health["entities"][0]["can_send_message"] == "BLOCKED"
    partner.selected = 1
    [health] = await partner.read_fields("health_status")
    assert health["can_send_message"] == "AVAILABLE"
    assert [entity["entity_type"] for entity in health["entities"]] == ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]
    partner.selected = 2
    await partner.register(backup=await partner.backup())
    [health] = await partner.read_fields("health_status")
    assert health["entities"][1]["errors"][0]["error_code"] == 141006


async def test_template_health_status() -> None:
    partner = Partner.of("payment_problem")
    [template, *_] = partner.sandbox.world.wabas[partner.row["waba_id"]].templates
    shown = (await partner.graph("GET", template.id, params={"fields": "health_status,name"})).json()
    statuses = {entity["entity_type"]: entity["can_send_message"] for entity in shown["health_status"]["entities"]}
    assert statuses == {"MESSAGE_TEMPLATE": "AVAILABLE", "WABA": "BLOCKED", "BUSINESS": "AVAILABLE", "APP": "AVAILABLE"}
    template.status = "PAUSED"
    [entity, *_] = (await partner.graph("GET", template.id, params={"fields": "health_status"})).json()[
        "health_status"
    ]["entities"]
    assert entity["can_send_message"] == "BLOCKED"
    assert (await partner.graph("GET", template.id)).json()["status"] == "PAUSED"
    assert error_code_of(await partner.graph("GET", template.id, params={"fields": "bogus"})) == 100
    partner.sandbox.world.tokens[partner.manifest["token"]].wabas = frozenset()
    assert error_code_of(await partner.graph("GET", template.id)) == 100


async def test_every_error_can_have_status_400() -> None:
    partner = Partner.of(http_status="all_400")
    partner.sandbox.world.tokens[partner.manifest["token"]].scopes = ()
    response = await partner.phone("GET")
    assert (response.status_code, error_code_of(response)) == (400, 200)


async def test_number_can_have_own_callback_url() -> None:
    partner = Partner.of()
    body = {"webhook_configuration": {"override_callback_uri": "https://one.example/wa", "verify_token": "t"}}
    assert error_code_of(await partner.phone("POST", json=body)) == 100, "its app must be subscribed first"
    await partner.waba("POST", "subscribed_apps")
    await partner.phone("POST", json=body)
    [configuration] = await partner.read_fields("webhook_configuration")
    assert configuration["phone_number"] == "https://one.example/wa"
    assert partner.sandbox.mutations(partner.e164) == ("set_webhook", "set_webhook")


async def test_storage_retention_is_checked() -> None:
    partner = Partner.of()

    async def set_storage(**settings: object) -> int | None:
        return error_code_of(await partner.phone("POST", "settings", json={"storage_configuration": settings}))

    for minutes in ("60", 0, True, None, 10**6):
        assert await set_storage(status="NO_STORAGE_ENABLED", retention_minutes=minutes) == 100
    assert await set_storage(status="NO_STORAGE_ENABLED", retention_minutes=60) is None
    storage = (await partner.phone("GET", "settings")).json()["storage_configuration"]
    assert storage == {"status": "NO_STORAGE_ENABLED", "retention_minutes": 60}
    assert await set_storage(status="NO_STORAGE_DISABLED") is None
    assert (await partner.phone("GET", "settings")).json()["storage_configuration"] == {"status": "DEFAULT"}
