"""Message limits, coexistence with the Business app, display names, health by entity, uploads of pictures."""

from typing import Any

import pytest

from sandbox.world import health
from tests.sandbox.partner import Partner, error_code_of


def template_to(consumer: int) -> dict[str, Any]:
    template = {"name": "smoke_test", "language": {"code": "en"}}
    return {"messaging_product": "whatsapp", "to": f"49151{consumer:08d}", "type": "template", "template": template}


async def send_error_code(partner: Partner, consumer: int = 1) -> int | None:
    return error_code_of(await partner.phone("POST", "messages", json=template_to(consumer)))


# -- https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (pair rate)


async def test_burst_to_one_consumer_uses_pair_rate_in_advance() -> None:
    partner = Partner.of("on_cloud")
    assert [await send_error_code(partner) for _ in range(46)] == [None] * 45 + [131056]
    partner.clock.advance(seconds=5)
    assert await send_error_code(partner) == 131056
    partner.clock.advance(seconds=1)
    assert [await send_error_code(partner), await send_error_code(partner)] == [None, 131056]
    assert await send_error_code(partner, 2) is None, "the pair rate counts each consumer separately"
    partner.clock.advance(minutes=10)
    assert [await send_error_code(partner) for _ in range(46)] == [None] * 45 + [131056]


async def test_message_every_six_seconds_is_accepted() -> None:
    partner = Partner.of("on_cloud")
    for _ in range(120):
        assert await send_error_code(partner) is None
        partner.clock.advance(seconds=6)


COEXISTENCE = "{kind: on_cloud, on_business_app: true}"


@pytest.mark.parametrize(("row", "limit"), [("{kind: on_cloud}", 80), (COEXISTENCE, 20)])
async def test_number_throughput_limit(row: str, limit: int) -> None:
    partner = Partner.from_row(row)
    assert [await send_error_code(partner, consumer) for consumer in range(limit + 2)] == [None] * limit + [
        130429,
        130429,
    ]
    partner.clock.advance(seconds=1)
    assert await send_error_code(partner, 999) is None


async def test_inbound_counts_to_throughput_and_is_never_refused() -> None:
    partner = Partner.from_row(COEXISTENCE)
    await partner.waba("POST", "subscribed_apps")
    for consumer in range(15):
        reply = await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": f"49151{consumer:08d}"})
        assert reply == {"delivered_to": "cloud"}
    assert [await send_error_code(partner, consumer) for consumer in range(6)] == [None] * 5 + [130429]
    assert (await partner.oracle("POST", "inbound", json={"e164": partner.e164}))["delivered_to"] == "cloud"
    partner.clock.advance(seconds=1)
    assert await send_error_code(partner) is None


async def test_high_throughput_and_limits_off() -> None:
    partner = Partner.of("on_cloud")
    partner.number.throughput = "HIGH"
    assert {await send_error_code(partner, consumer) for consumer in range(200)} == {None}
    partner = Partner.of("on_cloud", message_limits="off")
    assert {await send_error_code(partner) for _ in range(200)} == {None}


# -- coexistence


async def test_coexistence_number_cannot_leave_cloud_by_api() -> None:
    partner = Partner.from_row(COEXISTENCE)
    assert await partner.read_fields("platform_type", "status", "is_on_biz_app") == ["CLOUD_API", "CONNECTED", True]
    assert error_code_of(await partner.register()) == 100
    assert error_code_of(await partner.phone("POST", "deregister")) == 100
    assert partner.number.side == "cloud"


# -- https://developers.facebook.com/documentation/business-messaging/whatsapp/display-names


async def review_name(partner: Partner, action: str) -> Any:
    return await partner.act_in_manager(action)


async def test_approved_name_takes_effect_by_register_within_14_days() -> None:
    partner = Partner.of("on_cloud")
    assert (await partner.phone("POST", json={"new_display_name": "Other Name"})).status_code == 200
    assert await partner.read_fields("new_display_name", "new_name_status") == ["Other Name", "PENDING_REVIEW"]
    await partner.register()
    assert await partner.read_fields("verified_name") == [partner.row["name"]]
    await review_name(partner, "approve_name")
    partner.clock.advance(days=13)
    await partner.register()
    assert await partner.read_fields("verified_name", "new_name_status") == ["Other Name", "NONE"]
    assert partner.number.double_effects == 1, (
        "only the first `register` changed nothing; the second one applied the name"
    )


async def test_approved_name_expires_after_14_days() -> None:
    partner = Partner.of("on_cloud")
    await partner.phone("POST", json={"new_display_name": "Other Name"})
    await review_name(partner, "approve_name")
    partner.clock.advance(days=14)
    await partner.register()
    assert await partner.read_fields("verified_name", "new_name_status") == [partner.row["name"], "EXPIRED"]


async def test_declined_name_limits_number_and_ten_changes_are_allowed() -> None:
    partner = Partner.of("on_cloud", "official")
    assert "no name is in review" in (await review_name(partner, "approve_name"))["error"]
    await partner.phone("POST", json={"new_display_name": "Other Name"})
    await review_name(partner, "decline_name")
    [health] = await partner.read_fields("health_status")
    assert health["can_send_message"] == "LIMITED"
    assert health["entities"][0]["additional_info"]
    for index in range(9):
        assert (await partner.phone("POST", json={"new_display_name": f"Name {index}"})).status_code == 200
    assert error_code_of(await partner.phone("POST", json={"new_display_name": "One too many"})) == 100
    partner.selected = 1
    assert error_code_of(await partner.phone("POST", json={"new_display_name": "Other Name"})) == 100


# -- https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status


@pytest.mark.parametrize(
    ("row", "overall", "entity", "error_code", "messages"),
    [
        ("{kind: payment_problem}", "BLOCKED", "WABA", 141006, "BLOCKED"),
        ("{kind: on_cloud, health_problem: 138024}", "BLOCKED", "PHONE_NUMBER", 138024, "AVAILABLE"),
    ],
)
async def test_health_names_blocking_entity(
    row: str, overall: str, entity: str, error_code: int, messages: str
) -> None:
    partner = Partner.from_row(row)
    [health] = await partner.read_fields("health_status")
    assert [item["entity_type"] for item in health["entities"]] == ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]
    assert health["can_send_message"] == overall
    blocking = next(item for item in health["entities"] if item["entity_type"] == entity)
    assert error_code in [error["error_code"] for error in blocking["errors"]]
    assert blocking["can_send_message"] == messages


async def entity_errors(partner: Partner, node: str) -> dict[str, list[int]]:
    """The error codes by type of entity, as the health of this node lists them."""
    entities = (await partner.graph("GET", node, params={"fields": "health_status"})).json()["health_status"][
        "entities"
    ]
    return {
        entity["entity_type"]: [error["error_code"] for error in entity["errors"]]
        for entity in entities
        if "errors" in entity
    }


async def send_from_each(partner: Partner, *indexes: int) -> list[int | None]:
    error_codes = []
    for partner.selected in indexes:
        error_codes.append(await send_error_code(partner, partner.selected))
    return error_codes


async def test_payment_problem_blocks_whole_account_until_solved() -> None:
    partner = Partner.from_scenario(
        "businesses: [{name: a, numbers_per_waba: 3}]\n"
        "numbers: [{kind: on_cloud, count: 2}, {kind: healthy}, {kind: on_cloud}]"
    )
    first, second, onprem, elsewhere = (row["phone_number_id"] for row in partner.manifest["numbers"])
    waba = partner.row["waba_id"]
    await partner.act_in_manager("payment_problem")
    for node in (first, second, waba):
        assert await entity_errors(partner, node) == {"WABA": [141006]}
    assert (await entity_errors(partner, onprem))["WABA"] == [141006]
    assert await entity_errors(partner, elsewhere) == {}
    assert await send_from_each(partner, 0, 1, 2, 3) == [131042, 131042, 133010, None]
    partner.selected = 1
    await partner.act_in_manager("payment_solved")
    assert [await entity_errors(partner, node) for node in (first, second, waba)] == [{}] * 3
    assert await send_error_code(partner) is None


async def test_numbers_with_payment_problem_have_own_accounts() -> None:
    partner = Partner.of("on_cloud", "payment_problem", "on_cloud", "payment_problem")
    wabas = [row["waba_id"] for row in partner.manifest["numbers"]]
    assert (wabas[0], wabas[1]) == (wabas[2], wabas[3])
    assert wabas[0] != wabas[1]
    assert await send_from_each(partner, 0, 1, 2) == [None, 133010, None]


async def test_unverified_business_is_shown_by_each_account() -> None:
    partner = Partner.from_row("{kind: on_cloud, count: 11, health_problem: 141010}")
    assert len({row["waba_id"] for row in partner.manifest["numbers"]}) == 2
    for row in (partner.manifest["numbers"][0], partner.manifest["numbers"][10]):
        assert await entity_errors(partner, row["phone_number_id"]) == {"BUSINESS": [141010]}
        account = (await partner.graph("GET", row["waba_id"], params={"fields": "business_verification_status"})).json()
        assert account["business_verification_status"] == "not_verified"
    assert await partner.read_fields("whatsapp_business_manager_messaging_limit") == ["TIER_250"]


async def test_number_lock_and_account_lock() -> None:
    partner = Partner.of("healthy", "healthy")
    await partner.act_on_client("lock")
    assert await entity_errors(partner, partner.row["phone_number_id"]) == {"PHONE_NUMBER": [133010, 131031]}
    partner.selected = 1
    assert await entity_errors(partner, partner.row["phone_number_id"]) == {"PHONE_NUMBER": [133010]}
    assert partner.number.instance == "connected"
    health.add_problem(partner.sandbox.world, partner.number, 131031)
    for partner.selected in (0, 1):
        body = {"to": "4915100000000", "type": "text", "text": {"body": "x"}}
        assert error_code_of(await partner.onprem("POST", "messages", json=body)) == 1031


# -- https://developers.facebook.com/docs/graph-api/guides/upload


async def test_picture_upload_in_pieces() -> None:
    partner = Partner.of("on_cloud")
    app = partner.manifest["app_id"]
    begin = {"file_length": 6, "file_type": "image/jpeg", "file_name": "shop.jpg"}
    session = (await partner.graph("POST", f"{app}/uploads", params=begin)).json()["id"]
    oauth = {"Authorization": f"OAuth {partner.manifest['token']}"}
    first = await partner.client.post(f"/v25.0/{session}", content=b"abcd", headers=oauth | {"file_offset": "0"})
    assert first.json() == {"id": session, "file_offset": 4}
    assert error_code_of(await partner.graph("POST", session, content=b"ab", headers={"file_offset": "0"})) == 100
    assert error_code_of(await partner.graph("POST", session, content=b"abc", headers={"file_offset": "4"})) == 100
    assert (await partner.graph("GET", session)).json()["file_offset"] == 4
    handle = (await partner.graph("POST", session, content=b"ef", headers={"file_offset": "4"})).json()["h"]
    profile = {"messaging_product": "whatsapp", "profile_picture_handle": handle}
    assert (await partner.phone("POST", "whatsapp_business_profile", json=profile)).status_code == 200
    invalid = {"messaging_product": "whatsapp", "profile_picture_handle": "4::x", "about": "new"}
    assert error_code_of(await partner.phone("POST", "whatsapp_business_profile", json=invalid)) == 100
    assert partner.number.profile["about"] != "new"


@pytest.mark.parametrize("begin", [{"file_length": 0}, {"file_type": "text/plain"}, {"file_length": 10**9}])
async def test_upload_needs_type_and_length(begin: dict[str, Any]) -> None:
    partner = Partner.of("on_cloud")
    params = {"file_length": 6, "file_type": "image/jpeg"} | begin
    assert error_code_of(await partner.graph("POST", f"{partner.manifest['app_id']}/uploads", params=params)) == 100
