"""Reading on Graph: `fields` at every depth, paging, sorting, filtering, and the cost of a page."""

import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain
from types import FrameType
from typing import Any

import pytest

from sandbox.wire import Request
from tests.sandbox.partner import Partner, error_code_of

MANY = ["on_cloud"] * 10


async def read_pages(partner: Partner, url: str) -> list[list[str]]:
    """The ids of each page, following the `next` links."""
    ids_by_page, headers = [], {"Authorization": f"Bearer {partner.manifest['token']}"}
    while url:
        page = (await partner.client.get(url, headers=headers)).json()
        page = page.get("phone_numbers", page)
        ids_by_page.append([row["id"] for row in page["data"]])
        url = page.get("paging", {}).get("next")
    return ids_by_page


# -- fields: https://developers.facebook.com/docs/graph-api/guides/field-expansion


@pytest.mark.parametrize(
    ("node", "fields"),
    [
        ("phone", "throughput{bogus}"),
        ("phone", "status{bogus}"),
        ("phone", "health_status{entities{bogus}}"),
        ("phone", "whatsapp_business_profile{about,bogus}"),
        ("waba", "owner_business_info{bogus}"),
        ("waba", "phone_numbers{id,bogus}"),
        ("waba", "phone_numbers{throughput{bogus}}"),
        ("waba", "message_templates{bogus}"),
        ("waba", "subscribed_apps{whatsapp_business_api_data{bogus}}"),
        ("waba/message_templates", "bogus"),
        ("waba/subscribed_apps", "bogus"),
        ("waba/assigned_users", "bogus"),
        ("waba/phone_numbers", "health_status{bogus}"),
        ("phone/whatsapp_business_profile", "about,bogus"),
    ],
)
async def test_unknown_field_at_any_depth_is_an_error(node: str, fields: str) -> None:
    partner = Partner.of("on_cloud")
    await partner.waba("POST", "subscribed_apps")
    kind, _, edge = node.partition("/")
    call = partner.phone if kind == "phone" else partner.waba
    response = await call("GET", edge, params={"fields": fields})
    assert (response.status_code, error_code_of(response)) == (400, 100)
    assert "(bogus)" in response.json()["error"]["message"]


async def test_fields_of_empty_lists_are_checked() -> None:
    partner = Partner.of("on_cloud", "payment_problem")
    fields = "health_status{entities{errors{%s}}}"
    assert error_code_of(await partner.phone("GET", params={"fields": fields % "bogus"})) == 100, (
        "the list is empty: the number has no errors"
    )
    partner.selected = 1
    entities = (await partner.phone("GET", params={"fields": fields % "error_code"})).json()["health_status"][
        "entities"
    ]
    assert {"errors": [{"error_code": 141006}]} in entities


@pytest.mark.parametrize("fields", ["throughput{level", "throughput}", "a.limit(", "a.limit", "a" + "{a" * 5000])
async def test_malformed_fields_are_an_error(fields: str) -> None:
    assert error_code_of(await Partner.of().phone("GET", params={"fields": fields})) in (100, 2500)


async def test_nested_fields_are_selected() -> None:
    partner = Partner.of("on_cloud")
    body = (await partner.waba("GET", params={"fields": "phone_numbers{health_status{entities{entity_type}}}"})).json()
    [row] = body["phone_numbers"]["data"]
    kinds = [{"entity_type": entity_type} for entity_type in ("PHONE_NUMBER", "WABA", "BUSINESS", "APP")]
    assert row == {"id": partner.row["phone_number_id"], "health_status": {"entities": kinds}}
    await partner.waba("POST", "subscribed_apps")
    [row] = (await partner.waba("GET", "subscribed_apps?fields=whatsapp_business_api_data{name}")).json()["data"]
    assert row == {"whatsapp_business_api_data": {"name": "Fleet"}}
    [row] = (await partner.waba("GET", "message_templates?fields=name&language=en_US")).json()["data"]
    assert set(row) == {"name", "id"}


async def test_edge_read_as_field_pages_like_edge() -> None:
    partner = Partner.of(*MANY)
    waba = partner.row["waba_id"]
    partner.sandbox.world.numbers[partner.manifest["numbers"][3]["e164"]].deleted = True
    for index, row in enumerate(partner.manifest["numbers"]):
        partner.sandbox.world.numbers[row["e164"]].onboarded_at = partner.clock.time.replace(day=1 + (index * 7) % 10)
    by_edge = await read_pages(partner, f"/v25.0/{waba}/phone_numbers?fields=id&limit=4")
    assert [len(page) for page in by_edge] == [4, 4, 1]
    assert await read_pages(partner, f"/v25.0/{waba}?fields=phone_numbers.limit(4){{id}}") == by_edge
    body = (await partner.waba("GET", params={"fields": "phone_numbers.limit(100){id}"})).json()["phone_numbers"]
    assert [row["id"] for row in body["data"]] == list(chain.from_iterable(by_edge))
    assert "next" not in body["paging"]
    after = body["paging"]["cursors"]["before"]
    body = (await partner.waba("GET", params={"fields": f"phone_numbers.limit(2).after({after}){{id}}"})).json()
    assert [row["id"] for row in body["phone_numbers"]["data"]] == list(chain.from_iterable(by_edge))[1:3]


# -- pages


async def test_paging_backward_matches_forward() -> None:
    partner = Partner.of(*MANY)
    url = f"{partner.row['waba_id']}/phone_numbers"
    first = (await partner.graph("GET", url, params={"limit": 4, "fields": "id"})).json()
    second = (await partner.graph("GET", url, params={"limit": 4, "after": first["paging"]["cursors"]["after"]})).json()
    assert "previous" not in first["paging"]
    back = (await partner.client.get(second["paging"]["previous"])).json()
    assert [row["id"] for row in back["data"]] == [row["id"] for row in first["data"]]
    deleted = partner.sandbox.world.by_id[first["data"][-1]["id"]]
    deleted.deleted = True  # its cursor still gives the position
    after = {"limit": 4, "fields": "id", "after": first["paging"]["cursors"]["after"]}
    again = (await partner.graph("GET", url, params=after)).json()
    assert [row["id"] for row in again["data"]] == [row["id"] for row in second["data"]]


@pytest.mark.parametrize("cursor", ["", "x", "QVFI", "ü", "9" * 5000, "UVZGSXg"])
async def test_invalid_cursor_is_refused(cursor: str) -> None:
    assert error_code_of(await Partner.of().waba("GET", "phone_numbers", params={"after": cursor})) == 100


async def test_limit_of_zero_and_limit_above_count() -> None:
    partner = Partner.of(*MANY)
    assert (await partner.waba("GET", "phone_numbers", params={"limit": 0})).json() == {"data": []}
    for limit in ("101", "9" * 18):
        body = (await partner.waba("GET", "phone_numbers", params={"limit": limit})).json()
        assert (len(body["data"]), "next" in body["paging"]) == (10, False)


async def test_cursor_of_another_list_is_refused() -> None:
    partner = Partner.of(*MANY, "on_cloud")
    cursor = (await partner.waba("GET", "phone_numbers?limit=2")).json()["paging"]["cursors"]["after"]
    assert error_code_of(await partner.waba("GET", "message_templates", params={"after": cursor})) == 100
    partner.selected = 10
    assert error_code_of(await partner.waba("GET", "phone_numbers", params={"after": cursor})) == 100


@pytest.mark.parametrize("limit", ["", "-1", "many", "9" * 5000, "٣"])
async def test_invalid_limit_is_refused(limit: str) -> None:
    assert error_code_of(await Partner.of().waba("GET", "phone_numbers", params={"limit": limit})) == 100


async def test_page_cost_does_not_depend_on_account_size() -> None:
    costs = []
    for count in (1_000, 4_000):
        partner = _partner_with_numbers(count)
        waba = partner.row["waba_id"]
        first = partner.sandbox.handle(_get(partner, f"/{waba}/phone_numbers?limit=100&fields=id"))
        after = json.loads(first.body)["paging"]["cursors"]["after"]
        request = _get(partner, f"/{waba}/phone_numbers?limit=100&fields=id&after={after}")
        costs.append(_count_calls(partial(partner.sandbox.handle, request)))
    assert costs[1] < 1.2 * costs[0]


def _partner_with_numbers(count: int) -> Partner:
    """One account with `count` numbers."""
    scenario = f"businesses: [{{name: a, numbers_per_waba: 9999}}]\nnumbers: [{{kind: on_cloud, count: {count}}}]"
    return Partner.from_scenario(scenario)


def _get(partner: Partner, target: str) -> Request:
    return Request.of("GET", target, {"authorization": f"Bearer {partner.manifest['token']}"}, b"", "http://sandbox")


def _count_calls(work: Callable[[], Any]) -> int:
    """How many functions are called. Unlike seconds, this is the same on every machine."""
    count = 0

    def count_event(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_event)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


async def test_added_number_is_listed() -> None:
    partner = Partner.of("on_cloud", "on_cloud")
    waba = partner.sandbox.world.wabas[partner.row["waba_id"]]
    added_id = waba.phone_number_ids.pop()
    assert added_id not in (await list_numbers(partner))
    waba.phone_number_ids.append(added_id)
    assert added_id in (await list_numbers(partner))


# -- sorting and filtering


async def list_numbers(partner: Partner, **params: Any) -> list[Any]:
    """Ids; only the error code if the call is refused."""
    response = await partner.waba("GET", "phone_numbers", params={"fields": "id", "limit": 100} | params)
    return [error_code_of(response)] if response.status_code != 200 else [row["id"] for row in response.json()["data"]]


async def partner_with_onboarding_times(**switches: Any) -> tuple[Partner, list[str]]:
    """Three numbers, and their ids in the order of onboarding, newest first."""
    partner = Partner.of("on_cloud", "on_cloud", "on_cloud", **switches)
    for index, row in enumerate(partner.manifest["numbers"]):
        partner.sandbox.world.numbers[row["e164"]].onboarded_at = partner.clock.time.replace(day=(5, 9, 7)[index])
    first, second, third = (row["phone_number_id"] for row in partner.manifest["numbers"])
    return partner, [second, third, first]


@pytest.mark.parametrize("sort", ["['last_onboarded_time_ascending']", "last_onboarded_time.asc"])
async def test_sort_of_numbers(sort: str) -> None:
    partner, newest_first = await partner_with_onboarding_times()
    assert await list_numbers(partner) == newest_first
    assert await list_numbers(partner, sort=sort) == newest_first[::-1]
    assert await list_numbers(partner, sort="creation_time.asc") == [
        row["phone_number_id"] for row in partner.manifest["numbers"]
    ]
    assert await list_numbers(partner, sort="shoe_size.asc") == [100]
    partner, newest_first = await partner_with_onboarding_times(numbers_sort="ignored")
    assert await list_numbers(partner, sort=sort) == newest_first
    partner, _ = await partner_with_onboarding_times(numbers_sort="refused")
    assert await list_numbers(partner, sort=sort) == [100]


async def test_filtering_of_numbers() -> None:
    partner = Partner.of("on_cloud", "official")
    both = [row["phone_number_id"] for row in partner.manifest["numbers"]]

    async def filter_by(field: str, value: Any, operator: str = "EQUAL") -> list[Any]:
        filtering = f'[{{"field":"{field}","operator":"{operator}","value":"{value}"}}]'
        return await list_numbers(partner, filtering=filtering, sort="creation_time.asc")

    assert await filter_by("account_mode", "LIVE") == both
    assert await filter_by("account_mode", "SANDBOX") == []
    assert await filter_by("is_official_business_account", "true") == both[1:]
    assert await filter_by("messaging_limit_tier", "TIER_10K") == both
    assert await filter_by("account_mode", "LIVE", "NOT_EQUAL") == [100]
    assert await filter_by("shoe_size", "44") == [100]
    assert await list_numbers(partner, filtering="[") == [100]
    fields = 'phone_numbers.filtering([{"field":"account_mode","operator":"EQUAL","value":"SANDBOX"}]){id}'
    assert (await partner.waba("GET", params={"fields": fields})).json()["phone_numbers"] == {"data": []}
