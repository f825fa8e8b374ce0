"""Lists of Graph: they end, they advance, and one odd row hides no other."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from migration.clients.graph_listing import MOST_PAGES
from migration.errors import Transient
from tests.unit.clients.graph_stub import NUMBER, WABA, always, graph_api


class Pages:
    def __init__(self, page: Callable[[int], Any]) -> None:
        self.requests: list[httpx.Request] = []
        self._page = page

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, content=json.dumps(self._page(len(self.requests))))


def page(after: Any, *rows: Any) -> Any:
    return {"data": list(rows), "paging": {"next": "https://elsewhere.test/steal", "cursors": {"after": after}}}


@pytest.mark.parametrize("read", ["numbers", "subscribed_apps"])
async def test_an_endless_list_is_cut(read: str) -> None:
    pages = Pages(lambda count: page(str(count), {"id": str(count)}))
    with pytest.raises(Transient, match="does not end"):
        await getattr(graph_api(pages), read)(WABA)
    assert len(pages.requests) == MOST_PAGES
    assert {request.url.host for request in pages.requests} == {"graph.test"}


@pytest.mark.parametrize("cursors", [["a"], ["a", "b"], ["a", "b", "c"]])
async def test_a_list_that_comes_back_to_a_page_ends(cursors: list[str]) -> None:
    pages = Pages(lambda count: page(cursors[count % len(cursors)], {"id": "1"}))
    with pytest.raises(Transient, match="does not advance"):
        await graph_api(pages).numbers(WABA)
    assert len(pages.requests) == len(cursors) + 1


@pytest.mark.parametrize("cursor", [None, "", 7, ["a"], {}, True, "x" * 5000])
async def test_a_list_that_hides_its_next_page_is_not_taken_for_whole(cursor: Any) -> None:
    with pytest.raises(Transient, match="does not say where"):
        await graph_api(always(200, page(cursor, {"id": "1"}))).numbers(WABA)


@pytest.mark.parametrize(
    "paging", [None, [], "text", 7, {}, {"cursors": None}, {"next": None}, {"cursors": {"after": "a"}}]
)
async def test_without_a_next_page_the_list_is_whole(paging: Any) -> None:
    (number,) = await graph_api(always(200, {"data": [{"id": "1"}], "paging": paging})).numbers(WABA)
    assert number.id == "1"


@pytest.mark.parametrize("rows", [{}, "text", 7, True])
async def test_a_list_that_is_none_is_unreadable(rows: Any) -> None:
    for read in (
        graph_api(always(200, {"data": rows})).numbers,
        graph_api(always(200, {"data": rows})).subscribed_apps,
    ):
        with pytest.raises(Transient, match="cannot be read"):
            await read(WABA)


async def test_no_list_is_an_empty_one() -> None:
    assert await graph_api(always(200, {"data": None})).numbers(WABA) == ()
    assert await graph_api(always(200, {})).subscribed_apps(WABA) == ()


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, {"id": None}, {"id": []}, {"id": True}])
async def test_an_odd_row_hides_no_other(odd: Any) -> None:
    numbers = await graph_api(always(200, {"data": [odd, {"id": "1"}, odd]})).numbers(WABA)
    assert [number.id for number in numbers] == ["1"]
    apps = await graph_api(always(200, {"data": [odd, {"id": "1"}]})).subscribed_apps(WABA)
    assert [app.app_id for app in apps] == ["", "1"], "an app that cannot be read may be any app"


FIELDS = {
    "display_phone_number": "",
    "status": "UNKNOWN",
    "platform_type": "UNKNOWN",
    "code_verification_status": None,
    "quality_rating": None,
    "new_name_status": None,
    "is_on_biz_app": "unreadable",
    "is_pin_enabled": None,
    "last_onboarded_time": "unreadable",
}


@pytest.mark.parametrize("odd", [[], {}, ["CONNECTED"], {"a": 1}, 0.5, "1e999"], ids=str)
@pytest.mark.parametrize("field", FIELDS)
async def test_an_odd_field_is_unknown_and_the_number_is_readable(field: str, odd: Any) -> None:
    if isinstance(odd, str) and field not in ("is_on_biz_app", "is_pin_enabled", "last_onboarded_time"):
        return  # text is text
    number = await graph_api(always(200, {"id": NUMBER, "verified_name": "Acme", field: odd})).number(NUMBER)
    assert number.verified_name == "Acme"
    assert getattr(number, field) == FIELDS[field]
    assert not number.registered


@pytest.mark.parametrize("field", FIELDS)
async def test_null_is_an_absent_field(field: str) -> None:
    absent = await graph_api(always(200, {"id": NUMBER})).number(NUMBER)
    assert await graph_api(always(200, {"id": NUMBER, field: None})).number(NUMBER) == absent


async def test_a_number_as_id_is_text() -> None:
    assert (await graph_api(always(200, {"id": 106540352242922})).number(NUMBER)).id == "106540352242922"


@pytest.mark.parametrize("odd", [None, [], "text", 7, {"entities": "x"}, {"entities": [None, 7, {"errors": 5}]}])
async def test_health_that_cannot_be_read_is_not_available(odd: Any) -> None:
    health = await graph_api(always(200, {"health_status": odd})).health(NUMBER)
    assert health.messaging == "UNKNOWN"


@pytest.mark.parametrize(
    ("body", "expires_at"),
    [
        ('{"data": {"expires_at": 1e999}}', None),
        ('{"data": {"expires_at": NaN}}', None),
        ('{"data": {"expires_at": %s}}' % ("9" * 5000), None),
        ('{"data": {"expires_at": [1]}}', None),
        ('{"data": {"expires_at": -1}}', None),
        ('{"data": {"expires_at": true}}', None),
        ('{"data": {"expires_at": "٣"}}', None),
        ('{"data": {"expires_at": 253402300800}}', None),
        ('{"data": {"expires_at": null}}', 0),
        ('{"data": {"expires_at": 0}}', 0),
        ('{"data": {"expires_at": "0"}}', 0),
        ('{"data": {"expires_at": "1767225600"}}', 1767225600),
        ('{"data": null}', 0),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_when_a_token_ends_is_known_or_unknown(body: str, expires_at: int | None) -> None:
    assert (await graph_api(always(200, body)).debug_token()).expires_at == expires_at
