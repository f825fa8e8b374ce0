"""What each call of the Graph client sends, and how it reads the response."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.graph_models import Backup
from migration.clients.http import HttpClient
from migration.clock import SystemClock
from migration.errors import OutcomeUnknown, Rejected, Transient
from tests.unit.clients.graph_stub import APP_SECRET, BASE, LATER, NUMBER, TOKEN, WABA, always, error_body, graph_api

PIN = SecretStr("123456")
BACKUP = Backup(data=SecretStr("the-backup"), password=SecretStr("its-password"))


class RecordingGraph:
    """Answers `success`, or `body`, to every request, and keeps the requests."""

    def __init__(self, body: Any = None) -> None:
        self.requests: list[httpx.Request] = []
        self._body = {"success": True} if body is None else body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json=self._body)

    @property
    def only_request(self) -> tuple[str, str, Any]:
        """Method, path and JSON body of the one request."""
        (request,) = self.requests
        return request.method, request.url.path.removeprefix("/v25.0"), json.loads(request.content or b"null")


WRITES: dict[str, tuple[Callable[[GraphApi], Awaitable[Any]], str, dict[str, Any]]] = {
    "register": (
        lambda c: c.register(NUMBER, PIN, None, send_by=LATER),
        f"/{NUMBER}/register",
        {"messaging_product": "whatsapp", "pin": "123456"},
    ),
    "register with a backup": (
        lambda c: c.register(NUMBER, PIN, BACKUP, send_by=LATER),
        f"/{NUMBER}/register",
        {
            "messaging_product": "whatsapp",
            "pin": "123456",
            "backup": {"data": "the-backup", "password": "its-password"},
        },
    ),
    "deregister": (lambda c: c.deregister(NUMBER, send_by=LATER), f"/{NUMBER}/deregister", {}),
    "request_code": (
        lambda c: c.request_code(NUMBER, "SMS", "en", send_by=LATER),
        f"/{NUMBER}/request_code",
        {"code_method": "SMS", "language": "en"},
    ),
    "verify_code": (
        lambda c: c.verify_code(NUMBER, SecretStr("987654"), send_by=LATER),
        f"/{NUMBER}/verify_code",
        {"code": "987654"},
    ),
    "set_pin": (lambda c: c.set_pin(NUMBER, PIN, send_by=LATER), f"/{NUMBER}", {"pin": "123456"}),
    "subscribe": (lambda c: c.subscribe(WABA, send_by=LATER), f"/{WABA}/subscribed_apps", {}),
    "set_storage": (
        lambda c: c.set_storage(NUMBER, "BR", send_by=LATER),
        f"/{NUMBER}/settings",
        {"storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}},
    ),
    "set_profile": (
        lambda c: c.set_profile(NUMBER, {"about": "Hello"}, send_by=LATER),
        f"/{NUMBER}/whatsapp_business_profile",
        {"messaging_product": "whatsapp", "about": "Hello"},
    ),
}


@pytest.mark.parametrize("call", WRITES)
async def test_a_write_is_one_post(call: str) -> None:
    write, path, body = WRITES[call]
    graph = RecordingGraph()
    await write(graph_api(graph))
    assert graph.only_request == ("POST", path, body)
    assert graph.requests[0].headers["authorization"] == f"Bearer {TOKEN.get_secret_value()}"


@pytest.mark.parametrize("answered", [{"messages": [{"id": "wamid.1"}]}, {"id": "wamid.1"}], ids=["long", "short"])
async def test_a_template_is_sent_once_and_gives_its_message_id(answered: Any) -> None:
    graph = RecordingGraph(answered)
    assert (
        await graph_api(graph).send_template(NUMBER, "+15550109999", "hello", "en", "c-1", send_by=LATER) == "wamid.1"
    )
    _, path, body = graph.only_request
    assert path == f"/{NUMBER}/messages"
    assert (body["to"], body["biz_opaque_callback_data"]) == ("+15550109999", "c-1")
    assert body["template"] == {"name": "hello", "language": {"code": "en"}}


@pytest.mark.parametrize("body", [{}, {"success": True}, {"messages": []}, {"messages": [{}]}, {"messages": "text"}])
async def test_a_message_response_without_an_id_leaves_the_outcome_unknown(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        await graph_api(RecordingGraph(body)).send_template(NUMBER, "+15550109999", "hello", "en", "c-1", send_by=LATER)


# -- appsecret_proof


async def test_every_call_carries_the_proof_of_the_app_secret() -> None:
    expected = hmac.new(b"an-app-secret", TOKEN.get_secret_value().encode(), hashlib.sha256).hexdigest()
    graph = RecordingGraph()
    client = graph_api(graph, secret=APP_SECRET)
    await client.set_pin(NUMBER, PIN, send_by=LATER)
    await client.subscribed_apps(WABA)
    await client.register(NUMBER, PIN, None, send_by=LATER)
    assert [request.url.params.get("appsecret_proof") for request in graph.requests] == [expected] * 3


async def test_without_an_app_secret_there_is_no_proof() -> None:
    graph = RecordingGraph()
    await graph_api(graph).set_pin(NUMBER, PIN, send_by=LATER)
    assert "appsecret_proof" not in graph.requests[0].url.params


# -- paging


def pages(count: int, *, last_has_cursors: bool = True) -> Callable[[httpx.Request], httpx.Response]:
    """Pages of one phone number each; `next` points to another host."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "graph.test", "`next` was followed"
        index = int(request.url.params.get("after", "0"))
        body: dict[str, Any] = {"data": [{"id": str(index)}]}
        if index + 1 < count:
            body["paging"] = {
                "cursors": {"after": str(index + 1)},
                "next": "https://elsewhere.test/steal?access_token=x",
            }
        elif last_has_cursors:
            body["paging"] = {"cursors": {"after": str(index + 1), "before": str(index)}}
        return httpx.Response(200, json=body)

    return answer


@pytest.mark.parametrize("last_has_cursors", [True, False])
async def test_pages_are_read_to_the_last_by_cursor_without_following_next(last_has_cursors: bool) -> None:
    numbers = await graph_api(pages(4, last_has_cursors=last_has_cursors)).numbers(WABA)
    assert [number.id for number in numbers] == ["0", "1", "2", "3"]


# -- reading


async def test_unknown_fields_and_values_are_no_error() -> None:
    body = {"id": NUMBER, "status": "SOMETHING_NEW", "platform_type": "X", "a_field_of_tomorrow": {"a": 1}}
    number = await graph_api(always(200, body)).number(NUMBER)
    assert (number.status, number.platform_type, number.registered) == ("SOMETHING_NEW", "X", False)


@pytest.mark.parametrize("value", [1756713600, "1756713600", "2025-09-01T08:00:00+0000"])
async def test_an_onboarding_time_is_read_from_seconds_and_text(value: Any) -> None:
    number = await graph_api(always(200, {"id": NUMBER, "last_onboarded_time": value})).number(NUMBER)
    assert isinstance(number.last_onboarded_time, datetime)
    assert number.last_onboarded_time.timestamp() == 1756713600


@pytest.mark.parametrize(
    ("platform", "status", "registered"),
    [
        ("CLOUD_API", "CONNECTED", True),
        ("CLOUD_API", "PENDING", False),
        ("ON_PREMISE", "CONNECTED", False),
        ("NOT_APPLICABLE", "CONNECTED", False),
    ],
)
async def test_registered_needs_platform_and_status(platform: str, status: str, registered: bool) -> None:
    body = {"id": NUMBER, "platform_type": platform, "status": status}
    assert (await graph_api(always(200, body)).number(NUMBER)).registered is registered


@pytest.mark.parametrize(
    "row",
    [
        {"whatsapp_business_api_data": {"id": "77", "name": "Fleet"}, "override_callback_uri": "https://partner.test"},
        {"id": "77", "name": "Fleet", "override_callback_uri": "https://partner.test"},
    ],
)
async def test_a_subscription_is_read_in_both_formats(row: dict[str, Any]) -> None:
    (app,) = await graph_api(always(200, {"data": [row]})).subscribed_apps(WABA)
    assert (app.app_id, app.override_callback_uri) == ("77", "https://partner.test")


async def test_health_names_the_worst_entity() -> None:
    body = {
        "health_status": {
            "can_send_message": "LIMITED",
            "entities": [
                {"entity_type": "PHONE_NUMBER", "can_send_message": "AVAILABLE"},
                {
                    "entity_type": "BUSINESS",
                    "can_send_message": "BLOCKED",
                    "errors": [{"error_description": "no payment method"}],
                },
            ],
        }
    }
    health = await graph_api(always(200, body)).health(NUMBER)
    assert (health.messaging, health.why) == ("BLOCKED", "BUSINESS: no payment method")


async def test_an_id_cannot_lead_to_another_path() -> None:
    graph = RecordingGraph({"id": "x"})
    await graph_api(graph).number("1/../2?a=b")
    assert graph.requests[0].url.raw_path.startswith(b"/v25.0/1%2F..%2F2%3Fa%3Db?")


async def test_storage_and_profile_are_read() -> None:
    storage = {"storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}}
    assert (await graph_api(always(200, storage)).settings(NUMBER)).region == "BR"
    assert (await graph_api(always(200, {})).settings(NUMBER)).status == "DEFAULT"
    assert (await graph_api(always(200, {"data": [{"about": "Hi"}]})).profile(NUMBER)).as_facts() == {"about": "Hi"}
    assert (await graph_api(always(200, {"data": []})).profile(NUMBER)).as_facts() == {}


# -- a new connection


class ClosingTransport(httpx.MockTransport):
    is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True


class ClientFactory:
    """Keeps the clients that were made for one call, to see how many there are and whether they were closed."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        self.clients: list[ClosingTransport] = []

    def __call__(self) -> HttpClient:
        self.clients.append(ClosingTransport(self._answer))
        return HttpClient(self.clients[-1], SystemClock())


async def test_only_register_and_deregister_use_a_new_connection() -> None:
    own_graph, shared_graph = RecordingGraph(), RecordingGraph()
    fresh = ClientFactory(own_graph)
    client = GraphApi(HttpClient(httpx.MockTransport(shared_graph), SystemClock()), fresh, BASE, TOKEN)
    for name, (write, _, _) in WRITES.items():
        before = len(fresh.clients), len(shared_graph.requests)
        await write(client)
        uses_own = name.startswith(("register", "deregister"))
        assert (len(fresh.clients), len(shared_graph.requests)) == (before[0] + uses_own, before[1] + (not uses_own)), (
            name
        )
    assert len(own_graph.requests) == 3
    assert all(client.is_closed for client in fresh.clients)


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": [NUMBER]}, {"id": {}}])
async def test_an_unreadable_number_is_a_transient_error(body: Any) -> None:
    with pytest.raises(Transient):
        await graph_api(always(200, body)).number(NUMBER)


@pytest.mark.parametrize("unknown", ["is_on_biz_app", "last_onboarded_time"])
async def test_a_field_that_graph_does_not_know_refuses_no_reading(unknown: str) -> None:
    def refuses(request: httpx.Request) -> httpx.Response:
        fields = request.url.params["fields"].split(",")
        if unknown in fields:
            body = error_body(100, message=f"(#100) Tried accessing nonexisting field ({unknown}) on node type (X)")
            return httpx.Response(400, json=body)
        row = {"id": NUMBER, "platform_type": "CLOUD_API", "status": "CONNECTED"}
        return httpx.Response(200, json=row if request.url.path.endswith(NUMBER) else {"data": [row]})

    assert (await graph_api(refuses).number(NUMBER)).registered
    assert [number.id for number in await graph_api(refuses).numbers(WABA)] == [NUMBER]


async def test_a_reading_that_is_refused_for_another_field_is_refused() -> None:
    body = error_body(100, message="(#100) Tried accessing nonexisting field (something_else)")
    with pytest.raises(Rejected):
        await graph_api(always(400, body)).number(NUMBER)
