"""What each call of the Graph client asks for, and how it reads what comes back."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.graph_models import Backup
from migration.errors import OutcomeUnknown, Transient
from tests.unit.clients.graph_stub import APP_SECRET, BASE, LATER, NUMBER, TOKEN, WABA, cloud, saying

PIN = SecretStr("123456")
BACKUP = Backup(data=SecretStr("the-backup"), password=SecretStr("its-password"))


class Far:
    """Answers `success` to everything and keeps what was asked."""

    def __init__(self, body: Any = None) -> None:
        self.asked: list[httpx.Request] = []
        self._body = {"success": True} if body is None else body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, json=self._body)

    @property
    def one(self) -> tuple[str, str, Any]:
        (request,) = self.asked
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
async def test_a_write_is_one_post_with_this_body(call: str) -> None:
    write, path, body = WRITES[call]
    far = Far()
    await write(cloud(far))
    assert far.one == ("POST", path, body)
    assert far.asked[0].headers["authorization"] == f"Bearer {TOKEN.get_secret_value()}"


async def test_a_template_is_sent_once_and_its_id_kept() -> None:
    far = Far({"messages": [{"id": "wamid.1"}]})
    assert await cloud(far).send_template(NUMBER, "+15550109999", "hello", "en", "c-1", send_by=LATER) == "wamid.1"
    _, path, body = far.one
    assert path == f"/{NUMBER}/messages"
    assert (body["to"], body["biz_opaque_callback_data"]) == ("15550109999", "c-1")
    assert body["template"] == {"name": "hello", "language": {"code": "en"}}


@pytest.mark.parametrize("body", [{}, {"success": True}, {"messages": []}, {"messages": [{}]}, {"messages": "text"}])
async def test_a_message_without_an_id_may_have_been_sent(body: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        await cloud(Far(body)).send_template(NUMBER, "+15550109999", "hello", "en", "c-1", send_by=LATER)


# -- appsecret_proof


async def test_every_call_carries_the_proof_of_the_app_secret() -> None:
    expected = hmac.new(b"an-app-secret", TOKEN.get_secret_value().encode(), hashlib.sha256).hexdigest()
    far = Far()
    client = cloud(far, secret=APP_SECRET)
    await client.set_pin(NUMBER, PIN, send_by=LATER)
    await client.subscribed_apps(WABA)
    await client.register(NUMBER, PIN, None, send_by=LATER)
    assert [request.url.params.get("appsecret_proof") for request in far.asked] == [expected] * 3


async def test_without_an_app_secret_there_is_no_proof() -> None:
    far = Far()
    await cloud(far).set_pin(NUMBER, PIN, send_by=LATER)
    assert "appsecret_proof" not in far.asked[0].url.params


# -- paging


def pages(count: int, *, last_has_cursors: bool = True) -> Callable[[httpx.Request], httpx.Response]:
    """`phone_numbers` in pages of one; `next` points to another host."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "graph.test", "`next` was followed"
        at = int(request.url.params.get("after", "0"))
        body: dict[str, Any] = {"data": [{"id": str(at)}]}
        if at + 1 < count:
            body["paging"] = {
                "cursors": {"after": str(at + 1)},
                "next": "https://elsewhere.test/steal?access_token=x",
            }
        elif last_has_cursors:
            body["paging"] = {"cursors": {"after": str(at + 1), "before": str(at)}}
        return httpx.Response(200, json=body)

    return answer


@pytest.mark.parametrize("last_has_cursors", [True, False])
async def test_pages_are_read_to_the_last_by_cursor_and_next_is_not_followed(last_has_cursors: bool) -> None:
    found = await cloud(pages(4, last_has_cursors=last_has_cursors)).numbers(WABA)
    assert [number.id for number in found] == ["0", "1", "2", "3"]


# -- reading


async def test_unknown_fields_and_words_are_no_error() -> None:
    body = {"id": NUMBER, "status": "SOMETHING_NEW", "platform_type": "X", "a_field_of_tomorrow": {"a": 1}}
    number = await cloud(saying(200, body)).number(NUMBER)
    assert (number.status, number.platform_type, number.registered) == ("SOMETHING_NEW", "X", False)


@pytest.mark.parametrize("told", [1756713600, "1756713600", "2025-09-01T08:00:00+0000"])
async def test_an_onboarding_time_comes_in_seconds_and_as_text(told: Any) -> None:
    number = await cloud(saying(200, {"id": NUMBER, "last_onboarded_time": told})).number(NUMBER)
    assert number.last_onboarded_time is not None
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
async def test_registered_needs_both_words(platform: str, status: str, registered: bool) -> None:
    body = {"id": NUMBER, "platform_type": platform, "status": status}
    assert (await cloud(saying(200, body)).number(NUMBER)).registered is registered


@pytest.mark.parametrize(
    "row",
    [
        {"whatsapp_business_api_data": {"id": "77", "name": "Fleet"}, "override_callback_uri": "https://partner.test"},
        {"id": "77", "name": "Fleet", "override_callback_uri": "https://partner.test"},
    ],
)
async def test_a_subscription_is_seen_in_either_form(row: dict[str, Any]) -> None:
    (app,) = await cloud(saying(200, {"data": [row]})).subscribed_apps(WABA)
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
    health = await cloud(saying(200, body)).health(NUMBER)
    assert (health.messaging, health.why) == ("BLOCKED", "BUSINESS: no payment method")


async def test_an_id_cannot_lead_to_another_path() -> None:
    far = Far({"id": "x"})
    await cloud(far).number("1/../2?a=b")
    assert far.asked[0].url.raw_path.startswith(b"/v25.0/1%2F..%2F2%3Fa%3Db?")


async def test_storage_and_profile_are_read() -> None:
    storage = {"storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}}
    assert (await cloud(saying(200, storage)).settings(NUMBER)).region == "BR"
    assert (await cloud(saying(200, {})).settings(NUMBER)).status == "DEFAULT"
    assert (await cloud(saying(200, {"data": [{"about": "Hi"}]})).profile(NUMBER)).as_facts() == {"about": "Hi"}
    assert (await cloud(saying(200, {"data": []})).profile(NUMBER)).as_facts() == {}


# -- a connection of its own


class Fresh:
    """Counts the clients that were made for one call, and whether they were closed."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        self.made: list[httpx.AsyncClient] = []

    def __call__(self) -> httpx.AsyncClient:
        self.made.append(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))
        return self.made[-1]


async def test_only_register_and_deregister_open_a_connection_of_their_own() -> None:
    far, shared = Far(), Far()
    fresh = Fresh(far)
    client = GraphApi(httpx.AsyncClient(transport=httpx.MockTransport(shared)), fresh, BASE, TOKEN)
    for name, (write, _, _) in WRITES.items():
        before = len(fresh.made), len(shared.asked)
        await write(client)
        own = name.startswith(("register", "deregister"))
        assert (len(fresh.made), len(shared.asked)) == (before[0] + own, before[1] + (not own)), name
    assert len(far.asked) == 3
    assert all(made.is_closed for made in fresh.made)


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": NUMBER, "last_onboarded_time": "yesterday"}])
async def test_a_number_that_cannot_be_read_is_asked_for_again(body: Any) -> None:
    with pytest.raises(Transient):
        await cloud(saying(200, body)).number(NUMBER)
