"""Reading on Graph: `fields` at every depth, pages, orders and filters, and that a page costs what is on it."""

import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain
from types import FrameType
from typing import Any

import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from sandbox.wire import Request
from tests.sandbox.partner import Clock, Far, code_of

MANY = ["on_cloud"] * 10


async def pages(far: Far, url: str) -> list[list[str]]:
    """Ids, page by page, by the links that come with each."""
    found, headers = [], {"Authorization": f"Bearer {far.manifest['token']}"}
    while url:
        told = (await far.client.get(url, headers=headers)).json()
        told = told.get("phone_numbers", told)
        found.append([row["id"] for row in told["data"]])
        url = told.get("paging", {}).get("next")
    return found


# -- fields: https://developers.facebook.com/docs/graph-api/guides/field-expansion


@pytest.mark.parametrize(
    ("node", "wanted"),
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
async def test_a_name_that_does_not_exist_is_an_error_at_whatever_depth(node: str, wanted: str) -> None:
    far = Far.of("on_cloud")
    await far.waba("POST", "subscribed_apps")
    kind, _, edge = node.partition("/")
    ask = far.phone if kind == "phone" else far.waba
    answer = await ask("GET", edge, params={"fields": wanted})
    assert (answer.status_code, code_of(answer)) == (400, 100)
    assert "(bogus)" in answer.json()["error"]["message"]


async def test_a_name_is_looked_at_also_where_there_is_nothing_to_look_into() -> None:
    far = Far.of("on_cloud", "payment_problem")
    inside = "health_status{entities{errors{%s}}}"
    assert code_of(await far.phone("GET", params={"fields": inside % "bogus"})) == 100, "nothing is wrong with it"
    far.at = 1
    shown = (await far.phone("GET", params={"fields": inside % "error_code"})).json()["health_status"]["entities"]
    assert {"errors": [{"error_code": 141006}]} in shown


@pytest.mark.parametrize("wanted", ["throughput{level", "throughput}", "a.limit(", "a.limit", "a" + "{a" * 5000])
async def test_fields_that_cannot_be_read_are_an_error(wanted: str) -> None:
    assert code_of(await Far.of().phone("GET", params={"fields": wanted})) in (100, 2500)


async def test_parts_are_cut_out_at_every_depth() -> None:
    far = Far.of("on_cloud")
    told = (await far.waba("GET", params={"fields": "phone_numbers{health_status{entities{entity_type}}}"})).json()
    [row] = told["phone_numbers"]["data"]
    kinds = [{"entity_type": one} for one in ("PHONE_NUMBER", "WABA", "BUSINESS", "APP")]
    assert row == {"id": far.row["phone_number_id"], "health_status": {"entities": kinds}}
    await far.waba("POST", "subscribed_apps")
    [row] = (await far.waba("GET", "subscribed_apps?fields=whatsapp_business_api_data{name}")).json()["data"]
    assert row == {"whatsapp_business_api_data": {"name": "Fleet"}}
    [row] = (await far.waba("GET", "message_templates?fields=name&language=en_US")).json()["data"]
    assert set(row) == {"name", "id"}


async def test_an_edge_read_as_a_field_pages_like_the_edge() -> None:
    far = Far.of(*MANY)
    waba = far.row["waba_id"]
    far.sandbox.world.numbers[far.manifest["numbers"][3]["e164"]].deleted = True
    for at, row in enumerate(far.manifest["numbers"]):
        far.sandbox.world.numbers[row["e164"]].onboarded_at = far.clock.at.replace(day=1 + (at * 7) % 10)
    by_edge = await pages(far, f"/v25.0/{waba}/phone_numbers?fields=id&limit=4")
    assert [len(page) for page in by_edge] == [4, 4, 1]
    assert await pages(far, f"/v25.0/{waba}?fields=phone_numbers.limit(4){{id}}") == by_edge
    told = (await far.waba("GET", params={"fields": "phone_numbers.limit(100){id}"})).json()["phone_numbers"]
    assert [row["id"] for row in told["data"]] == list(chain.from_iterable(by_edge))
    assert "next" not in told["paging"]
    after = told["paging"]["cursors"]["before"]
    told = (await far.waba("GET", params={"fields": f"phone_numbers.limit(2).after({after}){{id}}"})).json()
    assert [row["id"] for row in told["phone_numbers"]["data"]] == list(chain.from_iterable(by_edge))[1:3]


# -- pages


async def test_pages_are_walked_back_as_they_were_walked_forth() -> None:
    far = Far.of(*MANY)
    url = f"{far.row['waba_id']}/phone_numbers"
    first = (await far.graph("GET", url, params={"limit": 4, "fields": "id"})).json()
    second = (await far.graph("GET", url, params={"limit": 4, "after": first["paging"]["cursors"]["after"]})).json()
    assert "previous" not in first["paging"]
    back = (await far.client.get(second["paging"]["previous"])).json()
    assert [row["id"] for row in back["data"]] == [row["id"] for row in first["data"]]
    deleted = far.sandbox.world.by_id[first["data"][-1]["id"]]
    deleted.deleted = True  # its cursor still says where it stood
    after = {"limit": 4, "fields": "id", "after": first["paging"]["cursors"]["after"]}
    again = (await far.graph("GET", url, params=after)).json()
    assert [row["id"] for row in again["data"]] == [row["id"] for row in second["data"]]


@pytest.mark.parametrize("cursor", ["", "x", "QVFI", "ü", "9" * 5000, "UVZGSXg"])
async def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    assert code_of(await Far.of().waba("GET", "phone_numbers", params={"after": cursor})) == 100


async def test_no_rows_and_more_rows_than_there_are_can_be_asked_for() -> None:
    far = Far.of(*MANY)
    assert (await far.waba("GET", "phone_numbers", params={"limit": 0})).json() == {"data": []}
    for limit in ("101", "9" * 18):
        told = (await far.waba("GET", "phone_numbers", params={"limit": limit})).json()
        assert (len(told["data"]), "next" in told["paging"]) == (10, False)


async def test_a_cursor_of_another_list_is_none_of_this_one() -> None:
    far = Far.of(*MANY, "on_cloud")
    cursor = (await far.waba("GET", "phone_numbers?limit=2")).json()["paging"]["cursors"]["after"]
    assert code_of(await far.waba("GET", "message_templates", params={"after": cursor})) == 100
    far.at = 10
    assert code_of(await far.waba("GET", "phone_numbers", params={"after": cursor})) == 100


@pytest.mark.parametrize("limit", ["", "-1", "many", "9" * 5000, "٣"])
async def test_a_limit_is_a_number(limit: str) -> None:
    assert code_of(await Far.of().waba("GET", "phone_numbers", params={"limit": limit})) == 100


async def test_a_page_costs_what_is_on_it_and_not_what_the_account_has() -> None:
    costs = []
    for count in (1_000, 4_000):
        far = _large(count)
        waba = far.row["waba_id"]
        first = far.sandbox.handle(_get(far, f"/{waba}/phone_numbers?limit=100&fields=id"))
        after = json.loads(first.body)["paging"]["cursors"]["after"]
        request = _get(far, f"/{waba}/phone_numbers?limit=100&fields=id&after={after}")
        costs.append(_calls(partial(far.sandbox.handle, request)))
    assert costs[1] < 1.2 * costs[0]


def _large(count: int) -> Far:
    """One account with so many numbers."""
    clock = Clock()
    told = f"businesses: [{{name: a, numbers_per_waba: 9999}}]\nnumbers: [{{kind: on_cloud, count: {count}}}]"
    return Far(Sandbox.from_scenario(read(told), now=clock.now), clock)


def _get(far: Far, target: str) -> Request:
    return Request.of("GET", target, {"authorization": f"Bearer {far.manifest['token']}"}, b"", "http://sandbox")


def _calls(work: Callable[[], Any]) -> int:
    """How many functions are called: the same on every machine, unlike seconds."""
    count = 0

    def note(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


async def test_a_number_that_joins_is_in_the_list() -> None:
    far = Far.of("on_cloud", "on_cloud")
    waba = far.sandbox.world.wabas[far.row["waba_id"]]
    late = waba.phone_number_ids.pop()
    assert late not in (await listed(far))
    waba.phone_number_ids.append(late)
    assert late in (await listed(far))


# -- orders and filters


async def listed(far: Far, **params: Any) -> list[Any]:
    """Ids, or the code of a refusal alone."""
    answer = await far.waba("GET", "phone_numbers", params={"fields": "id", "limit": 100} | params)
    return [code_of(answer)] if answer.status_code != 200 else [row["id"] for row in answer.json()["data"]]


async def onboarded(**switches: Any) -> tuple[Far, list[str]]:
    """Three numbers, and their ids with the newest onboarding first."""
    far = Far.of("on_cloud", "on_cloud", "on_cloud", **switches)
    for at, row in enumerate(far.manifest["numbers"]):
        far.sandbox.world.numbers[row["e164"]].onboarded_at = far.clock.at.replace(day=(5, 9, 7)[at])
    first, second, third = (row["phone_number_id"] for row in far.manifest["numbers"])
    return far, [second, third, first]


@pytest.mark.parametrize("spelled", ["['last_onboarded_time_ascending']", "last_onboarded_time.asc"])
async def test_a_list_is_sorted_as_it_is_asked_or_not(spelled: str) -> None:
    far, newest_first = await onboarded()
    assert await listed(far) == newest_first
    assert await listed(far, sort=spelled) == newest_first[::-1]
    assert await listed(far, sort="creation_time.asc") == [row["phone_number_id"] for row in far.manifest["numbers"]]
    assert await listed(far, sort="shoe_size.asc") == [100]
    far, newest_first = await onboarded(numbers_sort="ignored")
    assert await listed(far, sort=spelled) == newest_first
    far, _ = await onboarded(numbers_sort="refused")
    assert await listed(far, sort=spelled) == [100]


async def test_a_list_is_filtered() -> None:
    far = Far.of("on_cloud", "official")
    both = [row["phone_number_id"] for row in far.manifest["numbers"]]

    async def by(field: str, value: Any, operator: str = "EQUAL") -> list[Any]:
        given = f'[{{"field":"{field}","operator":"{operator}","value":"{value}"}}]'
        return await listed(far, filtering=given, sort="creation_time.asc")

    assert await by("account_mode", "LIVE") == both
    assert await by("account_mode", "SANDBOX") == []
    assert await by("is_official_business_account", "true") == both[1:]
    assert await by("messaging_limit_tier", "TIER_10K") == both
    assert await by("account_mode", "LIVE", "NOT_EQUAL") == [100]
    assert await by("shoe_size", "44") == [100]
    assert await listed(far, filtering="[") == [100]
    wanted = 'phone_numbers.filtering([{"field":"account_mode","operator":"EQUAL","value":"SANDBOX"}]){id}'
    assert (await far.waba("GET", params={"fields": wanted})).json()["phone_numbers"] == {"data": []}
