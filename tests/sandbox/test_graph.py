"""Graph on the wire: parameters, fields, paging, errors, tokens, versions, subscriptions, settings, messages."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tests.sandbox.partner import Clock, Far, code_of

TEXT = {"messaging_product": "whatsapp", "to": "+4915100000000", "type": "text", "text": {"body": "hello"}}
LONG_SITE = "https://a.example/" + "x" * 240
TEMPLATE = {
    "messaging_product": "whatsapp",
    "to": "+4915100000000",
    "type": "template",
    "template": {"name": "smoke_test", "language": {"code": "en"}},
}


@pytest.mark.parametrize("how", ["params", "data", "json"])
async def test_parameters_come_by_query_form_and_json_alike(how: str) -> None:
    far = Far.of("on_cloud")
    assert (
        await far.graph("POST", far.row["phone_number_id"], **cast(dict[str, Any], {how: {"pin": "012345"}}))
    ).status_code == 200
    assert far.number.pin == "012345"


@pytest.mark.parametrize("how", ["data", "params", "files"])
async def test_what_is_inside_a_parameter_comes_piece_by_piece_too(how: str) -> None:
    far = Far.of("on_cloud")
    template = {"type": "template", "template[name]": "smoke_test", "template[language][code]": "en"}
    sent = {"messaging_product": "whatsapp", "to": "+4915100000000"} | template
    told: Any = {name: (None, value) for name, value in sent.items()} if how == "files" else sent
    assert (await far.phone("POST", "messages", **{how: told})).status_code == 200
    profile = {"messaging_product": "whatsapp", "websites[0]": "https://a.example", "websites[1]": "https://b.example"}
    await far.phone("POST", "whatsapp_business_profile", data=profile)
    assert far.number.profile["websites"] == ["https://a.example", "https://b.example"]
    for odd in ("text[", "text[]", "text[a]b", "text]", "text[a][b", "text[x]" + "[y]" * 5_000):
        assert code_of(await far.phone("POST", "messages", data=sent | {"type": "text", odd: "x"})) == 131008


async def test_one_call_on_a_number_changes_all_that_it_names() -> None:
    far = Far.of("on_cloud")
    await far.waba("POST", "subscribed_apps")
    override = {"override_callback_uri": "https://one.example/wa", "verify_token": "t"}
    told = {"pin": "012345", "new_display_name": "Other Name", "webhook_configuration": override}
    assert (await far.phone("POST", json=told)).status_code == 200
    assert (far.number.pin, far.number.new_name) == ("012345", "Other Name")
    assert (await far.shows("webhook_configuration"))[0]["phone_number"] == "https://one.example/wa"
    odd: list[Any] = ["x", [], {}, {"verify_token": "t"}, override | {"verify_token": ""}]
    for bad in (*odd, override | {"override_callback_uri": "https://["}):
        assert code_of(await far.phone("POST", json={"webhook_configuration": bad})) == 100
    assert (await far.shows("webhook_configuration"))[0]["phone_number"] == "https://one.example/wa", (
        "it is still there"
    )


async def test_a_truth_value_is_what_it_says_however_it_comes() -> None:
    far = Far.of("on_cloud")
    for said, taken in (("true", True), ("false", False), (True, True), (False, False), ("1", True)):
        identity = {"user_identity_change": {"enable_identity_key_check": said}}
        assert (await far.phone("POST", "settings", json=identity)).status_code == 200
        assert far.number.identity_check is taken
    assert code_of(await far.phone("POST", "settings", json={"user_identity_change": {}})) == 100


async def test_a_multipart_form_is_taken_too() -> None:
    far = Far.of("on_cloud")
    assert (await far.phone("POST", files={"pin": (None, "012345")})).status_code == 200
    assert far.number.pin == "012345"


@pytest.mark.parametrize("path", ["/v25.0/{id}", "/v19.0/{id}/", "/{id}", "/{id}/?fields=id"])
async def test_any_version_or_none_and_a_trailing_slash(path: str) -> None:
    far = Far.of()
    url = path.format(id=far.row["phone_number_id"])
    answer = await far.client.get(url, params={"access_token": far.manifest["token"]})
    assert answer.json()["id"] == far.row["phone_number_id"]


async def test_an_expired_version_is_served_by_the_oldest_living_one() -> None:
    far = Far.of(clock=Clock(datetime(2026, 11, 23, tzinfo=UTC)))
    served = {}
    for asked in ("v20.0", "v21.0", "v25.0", "v99.0"):
        headers = {"Authorization": f"Bearer {far.manifest['token']}"}
        answer = await far.client.get(f"/{asked}/{far.row['phone_number_id']}", headers=headers)
        served[asked] = answer.headers["facebook-api-version"]
    assert served == {"v20.0": "v21.0", "v21.0": "v21.0", "v25.0": "v25.0", "v99.0": "v26.0"}


async def test_every_reply_tells_usage() -> None:
    far = Far.of()
    for answer in (await far.phone("GET"), await far.graph("GET", "404404")):
        assert {"x-app-usage", "x-business-use-case-usage", "x-fb-trace-id"} <= set(answer.headers)


async def test_a_field_that_does_not_exist_fails_the_whole_call() -> None:
    far = Far.of()
    answer = await far.phone("GET", params={"fields": "id,shoe_size"})
    assert (answer.status_code, code_of(answer)) == (400, 100)
    assert "shoe_size" in answer.json()["error"]["message"]


async def test_fields_nest() -> None:
    far = Far.of("on_cloud")
    told = (await far.phone("GET", params={"fields": "whatsapp_business_profile{about},status"})).json()
    assert told["whatsapp_business_profile"] == {"about": "Write to us"}
    told = (await far.waba("GET", params={"fields": "name,phone_numbers{status}"})).json()
    assert told["phone_numbers"]["data"] == [{"status": "CONNECTED", "id": far.row["phone_number_id"]}]


async def test_pages_have_opaque_cursors_and_the_last_has_no_next() -> None:
    far = Far.of(*["healthy"] * 10)
    seen, url = [], f"/v25.0/{far.row['waba_id']}/phone_numbers?limit=4&fields=id"
    while url:
        page = (await far.client.get(url, headers={"Authorization": f"Bearer {far.manifest['token']}"})).json()
        seen.append([row["id"] for row in page["data"]])
        url = page["paging"].get("next")
    assert [len(page) for page in seen] == [4, 4, 2]
    assert len({one for page in seen for one in page}) == 10
    assert code_of(await far.waba("GET", "phone_numbers?after=nonsense")) == 100
    assert code_of(await far.waba("GET", "phone_numbers?limit=many")) == 100


async def test_an_unknown_object_is_100_33() -> None:
    far = Far.of()
    for path in ("1234567890123456", "1234567890123456/register", "nonsense"):
        method = "GET" if "/" not in path else "POST"
        error = (await far.graph(method, path)).json()["error"]
        assert (error["code"], error["error_subcode"], error["type"]) == (100, 33, "GraphMethodException")
        node = path.partition("/")[0]
        assert error["message"].startswith(f"Unsupported {method.lower()} request. Object with ID '{node}' does not")
    error = (await far.phone("POST", "migrate")).json()["error"]
    assert (error["code"], error["message"]) == (2500, "Unknown path components: /migrate")


async def test_a_slash_in_an_id_is_no_way_to_an_edge() -> None:
    far = Far.of("on_cloud")
    url = f"http://sandbox/v25.0/{far.row['phone_number_id']}%2Fderegister"
    answer = await far.client.post(url, headers={"Authorization": f"Bearer {far.manifest['token']}"})
    assert (code_of(answer), far.number.side, far.number.deregisters) == (100, "cloud", 0)
    digits = "".join(f"%{ord(one):x}" for one in far.row["phone_number_id"])
    answer = await far.client.get(f"http://sandbox/v25.0/{digits}", headers=answer.request.headers)
    assert answer.json()["id"] == far.row["phone_number_id"]


async def test_tokens_expire_are_revoked_and_lack_things() -> None:
    far = Far.of()
    token = far.sandbox.world.tokens[far.manifest["token"]]
    token.expires_at = far.clock.at.replace(hour=21)
    assert (await far.phone("GET")).status_code == 200
    token.wabas = frozenset()
    assert code_of(await far.waba("GET", "phone_numbers")) == 200
    assert code_of(await far.phone("GET")) == 100
    token.wabas, token.scopes = None, ("whatsapp_business_management",)
    assert code_of(await far.register()) == 200
    far.clock.pass_(hours=1)
    answer = await far.phone("GET")
    assert (answer.status_code, code_of(answer), answer.json()["error"]["error_subcode"]) == (401, 190, 463)
    token.expires_at, token.revoked = None, True
    assert (await far.phone("GET")).json()["error"]["error_subcode"] == 460
    assert code_of(await far.client.get(f"/v25.0/{far.row['phone_number_id']}")) == 200


async def test_a_proof_is_checked_where_it_is_sent() -> None:
    far = Far.of()
    told = far.manifest
    good = hmac.new(told["app_secret"].encode(), told["token"].encode(), hashlib.sha256).hexdigest()
    assert (await far.phone("GET", params={"appsecret_proof": good})).status_code == 200
    assert code_of(await far.phone("GET", params={"appsecret_proof": "0" * 64})) == 100


async def test_debug_token_tells_what_a_token_may() -> None:
    far = Far.of()
    app_token = f"{far.manifest['app_id']}|{far.manifest['app_secret']}"
    params = {"input_token": far.manifest["token"], "access_token": app_token}
    data = (await far.client.get("/v25.0/debug_token", params=params)).json()["data"]
    assert (data["is_valid"], data["app_id"], data["expires_at"]) == (True, far.manifest["app_id"], 0)
    assert [one["scope"] for one in data["granular_scopes"]] == data["scopes"]
    params["input_token"] = "other"
    data = (await far.client.get("/v25.0/debug_token", params=params)).json()["data"]
    assert not data["is_valid"]


async def test_a_bare_subscription_removes_an_override() -> None:
    far = Far.of()
    assert (await far.waba("GET", "subscribed_apps")).json() == {"data": []}
    override = {"override_callback_uri": "https://hooks.example/wa", "verify_token": "t"}
    assert code_of(await far.waba("POST", "subscribed_apps", json=override)) == 100
    await far.waba("POST", "subscribed_apps")
    await far.waba("POST", "subscribed_apps", json=override)
    [row] = (await far.waba("GET", "subscribed_apps")).json()["data"]
    assert row["override_callback_uri"] == "https://hooks.example/wa"
    assert row["whatsapp_business_api_data"]["id"] == far.manifest["app_id"]
    await far.waba("POST", "subscribed_apps")
    [row] = (await far.waba("GET", "subscribed_apps")).json()["data"]
    assert "override_callback_uri" not in row
    await far.waba("DELETE", "subscribed_apps")
    assert (await far.waba("GET", "subscribed_apps")).json() == {"data": []}


async def test_storage_is_set_only_before_registration() -> None:
    far = Far.of()
    wanted = {"storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}}
    assert (await far.phone("POST", "settings", json=wanted)).status_code == 200
    told = (await far.phone("GET", "settings")).json()["storage_configuration"]
    assert told == wanted["storage_configuration"]
    await far.register(backup=await far.backup())
    assert code_of(await far.phone("POST", "settings", json=wanted)) == 100
    await far.phone("POST", "deregister")
    assert (await far.phone("GET", "settings")).json()["storage_configuration"] == {"status": "DEFAULT"}
    far = Far.of(storage_while_on_premises="refused")
    assert code_of(await far.phone("POST", "settings", json=wanted)) == 100


async def test_messages_go_out_only_from_cloud() -> None:
    far = Far.of()
    assert code_of(await far.phone("POST", "messages", json=TEMPLATE)) == 133010
    await far.register(backup=await far.backup())
    answer = (await far.phone("POST", "messages", json=TEMPLATE)).json()
    assert answer["messages"][0]["id"].startswith("wamid.")
    assert answer["contacts"] == [{"input": "+4915100000000", "wa_id": "4915100000000"}]


async def test_a_message_sent_twice_is_seen() -> None:
    far = Far.of("on_cloud")
    for _ in range(2):
        await far.phone("POST", "messages", json=TEMPLATE | {"biz_opaque_callback_data": "smoke-1"})
    assert far.number.double_effects == 1


@pytest.mark.parametrize(
    ("change", "code"),
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
async def test_a_message_that_cannot_be_sent_says_why(change: dict[str, object], code: int) -> None:
    assert code_of(await Far.of("on_cloud").phone("POST", "messages", json=TEXT | change)) == code


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
async def test_a_message_of_any_type_is_taken(content: dict[str, object]) -> None:
    assert (await Far.of("on_cloud").phone("POST", "messages", json=TEXT | content)).status_code == 200


async def test_outside_the_window_text_may_be_refused_at_once() -> None:
    far = Far.of("on_cloud", text_outside_window="sync")
    assert code_of(await far.phone("POST", "messages", json=TEXT)) == 131047
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": TEXT["to"]})
    assert (await far.phone("POST", "messages", json=TEXT)).status_code == 200
    far.clock.pass_(hours=24)
    assert code_of(await far.phone("POST", "messages", json=TEXT)) == 131047


async def test_the_profile_is_read_and_written() -> None:
    far = Far.of("on_cloud")
    told = {"messaging_product": "whatsapp", "about": "Open", "websites": ["https://a.example"]}
    assert (await far.phone("POST", "whatsapp_business_profile", json=told)).status_code == 200
    [row] = (await far.phone("GET", "whatsapp_business_profile?fields=about,websites")).json()["data"]
    assert row == told
    for bad in (
        {"about": "x" * 140},
        {"websites": ["a.example"]},
        {"vertical": "SPACE"},
        {"websites": ["x"] * 3},
        {"websites": [LONG_SITE]},
    ):
        body = {"messaging_product": "whatsapp"} | bad
        assert code_of(await far.phone("POST", "whatsapp_business_profile", json=body)) == 100


async def test_health_is_told_by_entity() -> None:
    far = Far.of("healthy", "on_cloud", "payment_problem")
    [health] = await far.shows("health_status")
    assert health["entities"][0]["can_send_message"] == "BLOCKED"
    far.at = 1
    [health] = await far.shows("health_status")
    assert health["can_send_message"] == "AVAILABLE"
    assert [one["entity_type"] for one in health["entities"]] == ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]
    far.at = 2
    await far.register(backup=await far.backup())
    [health] = await far.shows("health_status")
    assert health["entities"][1]["errors"][0]["error_code"] == 141006


async def test_a_template_tells_its_own_health() -> None:
    far = Far.of("payment_problem")
    [template, *_] = far.sandbox.world.wabas[far.row["waba_id"]].templates
    shown = (await far.graph("GET", template.id, params={"fields": "health_status,name"})).json()
    kinds = {one["entity_type"]: one["can_send_message"] for one in shown["health_status"]["entities"]}
    assert kinds == {"MESSAGE_TEMPLATE": "AVAILABLE", "WABA": "BLOCKED", "BUSINESS": "AVAILABLE", "APP": "AVAILABLE"}
    template.status = "PAUSED"
    [entity, *_] = (await far.graph("GET", template.id, params={"fields": "health_status"})).json()["health_status"][
        "entities"
    ]
    assert entity["can_send_message"] == "BLOCKED"
    assert (await far.graph("GET", template.id)).json()["status"] == "PAUSED"
    assert code_of(await far.graph("GET", template.id, params={"fields": "bogus"})) == 100
    far.sandbox.world.tokens[far.manifest["token"]].wabas = frozenset()
    assert code_of(await far.graph("GET", template.id)) == 100


async def test_errors_may_all_be_400() -> None:
    far = Far.of(http_status="all_400")
    far.sandbox.world.tokens[far.manifest["token"]].scopes = ()
    answer = await far.phone("GET")
    assert (answer.status_code, code_of(answer)) == (400, 200)


async def test_a_number_can_have_a_callback_of_its_own() -> None:
    far = Far.of()
    told = {"webhook_configuration": {"override_callback_uri": "https://one.example/wa", "verify_token": "t"}}
    assert code_of(await far.phone("POST", json=told)) == 100, "its app has to be subscribed first"
    await far.waba("POST", "subscribed_apps")
    await far.phone("POST", json=told)
    [shown] = await far.shows("webhook_configuration")
    assert shown["phone_number"] == "https://one.example/wa"
    assert far.sandbox.mutations(far.e164) == ("set_webhook", "set_webhook")


async def test_nothing_is_stored_for_longer_than_it_is_said() -> None:
    far = Far.of()

    async def store(**told: object) -> int | None:
        return code_of(await far.phone("POST", "settings", json={"storage_configuration": told}))

    for bad in ("60", 0, True, None, 10**6):
        assert await store(status="NO_STORAGE_ENABLED", retention_minutes=bad) == 100
    assert await store(status="NO_STORAGE_ENABLED", retention_minutes=60) is None
    told = (await far.phone("GET", "settings")).json()["storage_configuration"]
    assert told == {"status": "NO_STORAGE_ENABLED", "retention_minutes": 60}
    assert await store(status="NO_STORAGE_DISABLED") is None
    assert (await far.phone("GET", "settings")).json()["storage_configuration"] == {"status": "DEFAULT"}
