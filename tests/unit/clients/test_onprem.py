"""The On-Premises client: logins, token renewals, refusals and unusual successes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.onprem_login import LoginSession
from migration.clients.onprem_parsing import CallbackQueue
from migration.errors import CredentialsRefused, MigrationError, OutcomeUnknown, Rejected, Throttled, Transient
from state.enums import Party
from tests.unit.clients.webapp_stub import LATER, PASSWORD, Webapp, client_with_responses, error_response, onprem

PIN = SecretStr("123456")
HEALTH = "/v1/health"
TWO_STEP = "/v1/settings/account/two-step"
BACKUP = "/v1/settings/backup"
OK: dict[str, Any] = {}
NOT_ACCEPTED = httpx.Response(401, json={"errors": [{"code": 1005, "title": "Access denied", "details": "token"}]})


# -- the login


async def test_one_login_serves_many_calls() -> None:
    session = LoginSession()
    webapp = Webapp({HEALTH: [OK]})
    for _ in range(3):
        await onprem(webapp, session).health()
    assert webapp.requests == ["POST /v1/users/login", *["GET /v1/health"] * 3]


async def test_a_refused_token_is_renewed_once_and_the_call_repeated() -> None:
    client, webapp = client_with_responses(TWO_STEP, NOT_ACCEPTED, OK)
    await client.set_two_step(PIN, send_by=LATER)
    assert webapp.tokens == ["token-1", "token-2"]
    assert webapp.requests.count("POST /v1/users/login") == 2


async def test_a_second_refused_token_is_a_rejection() -> None:
    client, webapp = client_with_responses(TWO_STEP, NOT_ACCEPTED)
    with pytest.raises(Rejected):
        await client.set_two_step(PIN, send_by=LATER)
    assert webapp.tokens == ["token-1", "token-2"]


async def test_an_expired_token_is_renewed_before_a_call() -> None:
    session = LoginSession(SecretStr("old"), datetime.now(UTC) - timedelta(seconds=1))
    webapp = Webapp({HEALTH: [OK]})
    await onprem(webapp, session).health()
    assert webapp.tokens == ["token-1"]


async def test_simultaneous_calls_log_in_once() -> None:
    session = LoginSession()
    webapp = Webapp({HEALTH: [OK]})
    client = onprem(webapp, session)
    await asyncio.gather(*(client.health() for _ in range(5)))
    assert webapp.requests.count("POST /v1/users/login") == 1


async def test_the_default_password_is_named_in_the_error() -> None:
    body = {"errors": [{"code": 1024, "title": "Password change required", "details": "change it"}]}
    webapp = Webapp({HEALTH: [OK]}, logins=[(400, body)])
    with pytest.raises(CredentialsRefused) as raised:
        await onprem(webapp).health()
    assert (raised.value.refused_by, raised.value.error_code) == ("onprem", 1024)
    assert "default password" in str(raised.value)
    assert PASSWORD.get_secret_value() not in repr(raised.value)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [None, {"errors": [{"code": 1005, "title": "Access denied"}]}])
async def test_a_wrong_password_is_credentials_refused(status: int, body: Any) -> None:
    with pytest.raises(CredentialsRefused) as raised:
        await onprem(Webapp({HEALTH: [OK]}, logins=[(status, body)])).login()
    assert raised.value.refused_by == "onprem"
    assert "client-1" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (502, None), (200, {"users": []}), (200, {}), (200, None), (200, {"users": "text"}), (200, [1])],
)
async def test_a_login_response_without_a_token_is_transient(status: int, body: Any) -> None:
    with pytest.raises(Transient):
        await onprem(Webapp({HEALTH: [OK]}, logins=[(status, body)])).login()


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_the_page_of_a_proxy_says_nothing_about_password_or_token(status: int) -> None:
    page = httpx.Response(status, text="<html>Sign in to the proxy</html>")
    with pytest.raises(Transient):
        await onprem(lambda _: page).login()
    client, _ = client_with_responses("/v1/health", page)
    with pytest.raises(Transient):
        await client.health()
    client, _ = client_with_responses("/v1/settings/account/two-step", page)
    with pytest.raises(OutcomeUnknown):
        await client.set_two_step(SecretStr("112233"), send_by=LATER)


@pytest.mark.parametrize("body", [None, {}, {"errors": [{"code": 1005, "title": "Access denied"}]}])
async def test_a_token_that_is_refused_as_soon_as_it_is_given_is_a_matter_of_the_login(body: Any) -> None:
    client, webapp = client_with_responses("/v1/health", httpx.Response(401, json=body))
    with pytest.raises(CredentialsRefused) as raised:
        await client.health()
    assert (raised.value.refused_by, webapp.requests.count("GET /v1/health")) == ("onprem", 2)
    assert "gives user admin a token and does not take it" in str(raised.value)


async def test_login_asks_the_instance_each_time() -> None:
    session = LoginSession()
    webapp = Webapp({HEALTH: [OK]})
    client = onprem(webapp, session)
    await client.login()
    webapp.logins = [(401, None)]
    with pytest.raises(CredentialsRefused):
        await client.login()


# -- refusals

ERROR_CODES: dict[int, type[MigrationError]] = {
    1011: Transient,
    1014: Transient,
    1017: Transient,
    1018: Transient,
    1023: Transient,
    429: Throttled,
    1015: Throttled,
    1016: Throttled,
    1005: Rejected,
    1006: Rejected,
    1008: Rejected,
    1009: Rejected,
}


@pytest.mark.parametrize("error_code", ERROR_CODES)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_an_error_code_means_the_same_with_every_http_status_on_premises(error_code: int, status: int) -> None:
    client, _ = client_with_responses(TWO_STEP, error_response(error_code, status=status))
    with pytest.raises(MigrationError) as raised:
        await client.set_two_step(PIN, send_by=LATER)
    assert type(raised.value) is ERROR_CODES[error_code]


async def test_an_error_object_without_a_list_is_a_rejection() -> None:
    client, _ = client_with_responses(TWO_STEP, httpx.Response(400, json={"code": 1008, "title": "Required parameter"}))
    with pytest.raises(Rejected) as raised:
        await client.set_two_step(PIN, send_by=LATER)
    assert raised.value.error_code == 1008


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_gateway_page_leaves_a_write_unknown_and_makes_a_read_transient(status: int) -> None:
    page = httpx.Response(status, text="<html>Bad Gateway</html>")
    with pytest.raises(OutcomeUnknown):
        await client_with_responses(TWO_STEP, page)[0].set_two_step(PIN, send_by=LATER)
    with pytest.raises(Transient) as health:
        await client_with_responses(HEALTH, page)[0].health()
    with pytest.raises(Transient) as backup:
        await client_with_responses(BACKUP, page)[0].backup(SecretStr("p"))
    assert (health.value.whose_move, backup.value.whose_move) == (Party.OPERATOR, Party.OPERATOR)


async def test_a_foreign_page_with_status_200_is_no_success() -> None:
    page = httpx.Response(200, text="<html>Please log in to the network</html>")
    with pytest.raises(OutcomeUnknown):
        await client_with_responses(TWO_STEP, page)[0].set_two_step(PIN, send_by=LATER)
    with pytest.raises(Transient):
        await client_with_responses(BACKUP, page)[0].backup(SecretStr("p"))


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"meta": {"version": "2.57"}}'])
async def test_a_success_may_have_an_empty_body(body: bytes) -> None:
    client, _ = client_with_responses(TWO_STEP, httpx.Response(200, content=body))
    await client.set_two_step(PIN, send_by=LATER)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (httpx.ConnectError, Transient),
        (httpx.ConnectTimeout, Transient),
        (httpx.ReadTimeout, OutcomeUnknown),
        (httpx.ReadError, OutcomeUnknown),
        (httpx.RemoteProtocolError, OutcomeUnknown),
    ],
)
async def test_a_write_without_a_response_is_unknown_unless_it_never_connected(
    exc: type[httpx.TransportError], expected: type[MigrationError]
) -> None:
    client, _ = client_with_responses(TWO_STEP, exc)
    with pytest.raises(expected) as raised:
        await client.set_two_step(PIN, send_by=LATER)
    assert not getattr(raised.value, "left", False)


# -- calls


async def test_a_backup_is_returned_as_it_came() -> None:
    client, webapp = client_with_responses(BACKUP, {"settings": {"data": "the-backup"}})
    data = await client.backup(SecretStr("password"))
    assert data.get_secret_value() == "the-backup"
    assert "the-backup" not in repr(data)
    assert webapp.requests[-1] == "POST /v1/settings/backup"


@pytest.mark.parametrize("body", [{}, {"settings": None}, {"settings": {"data": ""}}, {"settings": {"data": 7}}])
async def test_an_empty_backup_is_a_transient_error(body: Any) -> None:
    with pytest.raises(Transient, match="came back empty"):
        await client_with_responses(BACKUP, body)[0].backup(SecretStr("password"))


@pytest.mark.parametrize(("status", "registered"), [(201, True), (202, False), (200, False)])
async def test_an_account_is_registered_with_status_201_only(status: int, registered: bool) -> None:
    client, _ = client_with_responses("/v1/account", httpx.Response(status, json={"account": [{"vname": "x"}]}))
    assert await client.request_code("1", "5550104321", "SMS", "cert", PIN, send_by=LATER) is registered


async def test_a_blocked_registration_is_a_rejection() -> None:
    client, _ = client_with_responses("/v1/account", error_response(1005, "biz_link_on_prem_reg_blocked", 403))
    with pytest.raises(Rejected) as raised:
        await client.request_code("1", "5550104321", "SMS", "cert", PIN, send_by=LATER)
    assert (raised.value.error_code, raised.value.details) == (1005, "biz_link_on_prem_reg_blocked")


async def test_a_profile_is_translated_for_cloud() -> None:
    webapp = Webapp(
        {
            "/v1/settings/business/profile": [
                {"settings": {"business": {"profile": {"vertical": "Retail", "websites": ["https://a.test"]}}}}
            ],
            "/v1/settings/profile/about": [{"settings": {"profile": {"about": {"text": "Hi"}}}}],
        }
    )
    facts = (await onprem(webapp).profile()).as_facts()
    assert facts == {"vertical": "RETAIL", "websites": ["https://a.test"], "about": "Hi"}


@pytest.mark.parametrize(
    ("stats", "queued"),
    [
        ({"stats": {"app": {"callback_queue_size": {"data": [{"value": 3}, {"value": "4"}]}}}}, 7),
        ({"stats": {"app": {"callback_queue_size": {"data": [{"value": "0.0"}, {"value": 0.0}]}}}}, 0),
        ({"stats": {"app": {"callback_queue_size": {"data": [{"value": 0}, {"value": None}]}}}}, None),
        ({"stats": {"app": {"callback_queue_size": {"data": []}}}}, None),
        ({"stats": {"app": {}}}, None),
        ({}, None),
    ],
)
async def test_waiting_callbacks_are_summed_over_nodes(stats: Any, queued: int | None) -> None:
    assert (await client_with_responses("/v1/stats/app", stats)[0].callback_queue()).queued == queued


async def test_callbacks_that_were_posted_are_summed_over_kinds_and_nodes() -> None:
    rows = [{"value": 2, "labels": {"type": "status_change"}}, {"value": 5, "labels": {"type": "inbound_message"}}]
    stats = {"callback_queue_size": {"data": [{"value": 0}, {"value": 0}]}, "callback_requests": {"data": rows}}
    client, _ = client_with_responses("/v1/stats/app", {"stats": {"app": stats}})
    assert await client.callback_queue() == CallbackQueue(queued=0, posted=7, nodes=2)
