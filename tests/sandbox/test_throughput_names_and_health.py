"""How fast a number may send, coexistence with the Business app, display names, pictures, health by entity."""

from typing import Any

import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from sandbox.world import health
from tests.sandbox.partner import Clock, Far, code_of


def to(consumer: int) -> dict[str, Any]:
    template = {"name": "smoke_test", "language": {"code": "en"}}
    return {"messaging_product": "whatsapp", "to": f"49151{consumer:08d}", "type": "template", "template": template}


async def send(far: Far, consumer: int = 1) -> int | None:
    return code_of(await far.phone("POST", "messages", json=to(consumer)))


# -- https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (pair rate)


async def test_a_burst_to_one_consumer_is_borrowed_from_the_future() -> None:
    far = Far.of("on_cloud")
    assert [await send(far) for _ in range(46)] == [None] * 45 + [131056]
    far.clock.pass_(seconds=5)
    assert await send(far) == 131056
    far.clock.pass_(seconds=1)
    assert [await send(far), await send(far)] == [None, 131056]
    assert await send(far, 2) is None, "the pair rate is of a pair"
    far.clock.pass_(minutes=10)
    assert [await send(far) for _ in range(46)] == [None] * 45 + [131056]


async def test_one_message_every_six_seconds_is_always_taken() -> None:
    far = Far.of("on_cloud")
    for _ in range(120):
        assert await send(far) is None
        far.clock.pass_(seconds=6)


COEXISTENCE = "{kind: on_cloud, on_business_app: true}"


@pytest.mark.parametrize(("row", "most"), [("{kind: on_cloud}", 80), (COEXISTENCE, 20)])
async def test_a_number_has_a_throughput(row: str, most: int) -> None:
    far = Far.told(row)
    assert [await send(far, at) for at in range(most + 2)] == [None] * most + [130429, 130429]
    far.clock.pass_(seconds=1)
    assert await send(far, 999) is None


async def test_what_comes_in_counts_to_the_throughput_and_is_taken_all_the_same() -> None:
    far = Far.told(COEXISTENCE)
    await far.waba("POST", "subscribed_apps")
    for at in range(15):
        told = await far.oracle("POST", "inbound", json={"e164": far.e164, "from": f"49151{at:08d}"})
        assert told == {"delivered_to": "cloud"}
    assert [await send(far, at) for at in range(6)] == [None] * 5 + [130429]
    assert (await far.oracle("POST", "inbound", json={"e164": far.e164}))["delivered_to"] == "cloud"
    far.clock.pass_(seconds=1)
    assert await send(far) is None


async def test_high_throughput_and_no_limits_at_all() -> None:
    far = Far.of("on_cloud")
    far.number.throughput = "HIGH"
    assert {await send(far, at) for at in range(200)} == {None}
    far = Far.of("on_cloud", message_limits="off")
    assert {await send(far) for _ in range(200)} == {None}


# -- coexistence


async def test_a_coexistence_number_is_on_cloud_and_leaves_it_by_no_api() -> None:
    far = Far.told(COEXISTENCE)
    assert await far.shows("platform_type", "status", "is_on_biz_app") == ["CLOUD_API", "CONNECTED", True]
    assert code_of(await far.register()) == 100
    assert code_of(await far.phone("POST", "deregister")) == 100
    assert far.number.side == "cloud"


# -- https://developers.facebook.com/documentation/business-messaging/whatsapp/display-names


async def review(far: Far, what: str) -> Any:
    return await far.oracle("POST", "manager", json={"do": what, "e164": far.e164})


async def test_an_approved_name_takes_effect_with_a_register_within_fourteen_days() -> None:
    far = Far.of("on_cloud")
    assert (await far.phone("POST", json={"new_display_name": "Other Name"})).status_code == 200
    assert await far.shows("new_display_name", "new_name_status") == ["Other Name", "PENDING_REVIEW"]
    await far.register()
    assert await far.shows("verified_name") == [far.row["name"]]
    await review(far, "approve_name")
    far.clock.pass_(days=13)
    await far.register()
    assert await far.shows("verified_name", "new_name_status") == ["Other Name", "NONE"]
    assert far.number.double_effects == 1, "the first one changed nothing; the second one had its reason"


async def test_after_fourteen_days_the_name_is_reviewed_again() -> None:
    far = Far.of("on_cloud")
    await far.phone("POST", json={"new_display_name": "Other Name"})
    await review(far, "approve_name")
    far.clock.pass_(days=14)
    await far.register()
    assert await far.shows("verified_name", "new_name_status") == [far.row["name"], "EXPIRED"]


async def test_a_declined_name_limits_and_ten_changes_are_enough() -> None:
    far = Far.of("on_cloud", "official")
    assert "no name is in review" in (await review(far, "approve_name"))["error"]
    await far.phone("POST", json={"new_display_name": "Other Name"})
    await review(far, "decline_name")
    [health] = await far.shows("health_status")
    assert health["can_send_message"] == "LIMITED"
    assert health["entities"][0]["additional_info"]
    for at in range(9):
        assert (await far.phone("POST", json={"new_display_name": f"Name {at}"})).status_code == 200
    assert code_of(await far.phone("POST", json={"new_display_name": "One too many"})) == 100
    far.at = 1
    assert code_of(await far.phone("POST", json={"new_display_name": "Other Name"})) == 100


# -- https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status


@pytest.mark.parametrize(
    ("row", "overall", "entity", "code", "messages"),
    [
        ("{kind: payment_problem}", "BLOCKED", "WABA", 141006, "BLOCKED"),
        ("{kind: on_cloud, health_problem: 138024}", "BLOCKED", "PHONE_NUMBER", 138024, "AVAILABLE"),
    ],
)
async def test_health_says_which_entity_is_to_blame(
    row: str, overall: str, entity: str, code: int, messages: str
) -> None:
    far = Far.told(row)
    [health] = await far.shows("health_status")
    assert [one["entity_type"] for one in health["entities"]] == ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]
    assert health["can_send_message"] == overall
    found = next(one for one in health["entities"] if one["entity_type"] == entity)
    assert code in [error["error_code"] for error in found["errors"]]
    assert found["can_send_message"] == messages


async def blamed(far: Far, node: str) -> dict[str, list[int]]:
    """Entity to codes, as one node's health tells."""
    told = (await far.graph("GET", node, params={"fields": "health_status"})).json()["health_status"]["entities"]
    return {one["entity_type"]: [bad["error_code"] for bad in one["errors"]] for one in told if "errors" in one}


async def each_sends(far: Far, *places: int) -> list[int | None]:
    found = []
    for far.at in places:
        found.append(await send(far, far.at))
    return found


async def test_a_payment_problem_is_the_whole_accounts_and_can_be_solved() -> None:
    clock = Clock()
    told = "businesses: [{name: a, numbers_per_waba: 3}]\nnumbers: [{kind: on_cloud, count: 2}, {kind: healthy}, "
    far = Far(Sandbox.from_scenario(read(told + "{kind: on_cloud}]"), now=clock.now), clock)
    first, second, onprem, elsewhere = (row["phone_number_id"] for row in far.manifest["numbers"])
    waba = far.row["waba_id"]
    await far.oracle("POST", "manager", json={"do": "payment_problem", "e164": far.e164})
    for node in (first, second, waba):
        assert await blamed(far, node) == {"WABA": [141006]}
    assert (await blamed(far, onprem))["WABA"] == [141006]
    assert await blamed(far, elsewhere) == {}
    assert await each_sends(far, 0, 1, 2, 3) == [131042, 131042, 133010, None]
    far.at = 1
    await far.oracle("POST", "manager", json={"do": "payment_solved", "e164": far.e164})
    assert [await blamed(far, node) for node in (first, second, waba)] == [{}] * 3
    assert await send(far) is None


async def test_a_fleet_has_accounts_apart_for_numbers_that_nobody_pays_for() -> None:
    far = Far.of("on_cloud", "payment_problem", "on_cloud", "payment_problem")
    wabas = [row["waba_id"] for row in far.manifest["numbers"]]
    assert (wabas[0], wabas[1]) == (wabas[2], wabas[3])
    assert wabas[0] != wabas[1]
    assert await each_sends(far, 0, 1, 2) == [None, 133010, None]


async def test_a_business_that_is_not_verified_is_shown_by_each_of_its_accounts() -> None:
    far = Far.told("{kind: on_cloud, count: 11, health_problem: 141010}")
    assert len({row["waba_id"] for row in far.manifest["numbers"]}) == 2
    for row in (far.manifest["numbers"][0], far.manifest["numbers"][10]):
        assert await blamed(far, row["phone_number_id"]) == {"BUSINESS": [141010]}
        told = (await far.graph("GET", row["waba_id"], params={"fields": "business_verification_status"})).json()
        assert told["business_verification_status"] == "not_verified"
    assert await far.shows("whatsapp_business_manager_messaging_limit") == ["TIER_250"]


async def test_a_lock_of_one_sender_is_its_own_and_one_of_the_account_everybodys() -> None:
    far = Far.of("healthy", "healthy")
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "lock"})
    assert await blamed(far, far.row["phone_number_id"]) == {"PHONE_NUMBER": [133010, 131031]}
    far.at = 1
    assert await blamed(far, far.row["phone_number_id"]) == {"PHONE_NUMBER": [133010]}
    assert far.number.instance == "connected"
    health.put(far.sandbox.world, far.number, 131031)
    for far.at in (0, 1):
        body = {"to": "4915100000000", "type": "text", "text": {"body": "x"}}
        assert code_of(await far.onprem("POST", "messages", json=body)) == 1031


# -- https://developers.facebook.com/docs/graph-api/guides/upload


async def test_a_picture_is_uploaded_in_pieces_and_used_by_its_handle() -> None:
    far = Far.of("on_cloud")
    app = far.manifest["app_id"]
    begin = {"file_length": 6, "file_type": "image/jpeg", "file_name": "shop.jpg"}
    session = (await far.graph("POST", f"{app}/uploads", params=begin)).json()["id"]
    oauth = {"Authorization": f"OAuth {far.manifest['token']}"}
    first = await far.client.post(f"/v25.0/{session}", content=b"abcd", headers=oauth | {"file_offset": "0"})
    assert first.json() == {"id": session, "file_offset": 4}
    assert code_of(await far.graph("POST", session, content=b"ab", headers={"file_offset": "0"})) == 100
    assert code_of(await far.graph("POST", session, content=b"abc", headers={"file_offset": "4"})) == 100
    assert (await far.graph("GET", session)).json()["file_offset"] == 4
    handle = (await far.graph("POST", session, content=b"ef", headers={"file_offset": "4"})).json()["h"]
    profile = {"messaging_product": "whatsapp", "profile_picture_handle": handle}
    assert (await far.phone("POST", "whatsapp_business_profile", json=profile)).status_code == 200
    bad = {"messaging_product": "whatsapp", "profile_picture_handle": "4::x", "about": "new"}
    assert code_of(await far.phone("POST", "whatsapp_business_profile", json=bad)) == 100
    assert far.number.profile["about"] != "new"


@pytest.mark.parametrize("begin", [{"file_length": 0}, {"file_type": "text/plain"}, {"file_length": 10**9}])
async def test_an_upload_has_a_type_and_a_length(begin: dict[str, Any]) -> None:
    far = Far.of("on_cloud")
    told = {"file_length": 6, "file_type": "image/jpeg"} | begin
    assert code_of(await far.graph("POST", f"{far.manifest['app_id']}/uploads", params=told)) == 100
