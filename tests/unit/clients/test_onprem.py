"""The On-Premises client: logins, renewals, refusals and odd successes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.onprem import Session
from migration.errors import CredentialsRefused, MigrationError, OutcomeUnknown, Rejected, Throttled, Transient
from tests.unit.clients.webapp_stub import LATER, PASSWORD, Webapp, answering, onprem, refusal

PIN = SecretStr("123456")
HEALTH = "/v1/health"
TWO_STEP = "/v1/settings/account/two-step"
BACKUP = "/v1/settings/backup"
OK: dict[str, Any] = {}
NOT_ACCEPTED = httpx.Response(401, json={"errors": [{"code": 1005, "title": "Access denied", "details": "token"}]})


# -- the login


async def test_one_login_serves_many_calls() -> None:
    session = Session()
    webapp = Webapp({HEALTH: [OK]})
    for _ in range(3):
        await onprem(webapp, session).health()
    assert webapp.asked == ["POST /v1/users/login", *["GET /v1/health"] * 3]


async def test_a_worn_token_is_renewed_once_and_the_call_said_again() -> None:
    client, webapp = answering(TWO_STEP, NOT_ACCEPTED, OK)
    await client.set_two_step(PIN, send_by=LATER)
    assert webapp.tokens == ["token-1", "token-2"]
    assert webapp.asked.count("POST /v1/users/login") == 2


async def test_a_token_that_is_never_accepted_is_a_refusal_and_no_loop() -> None:
    client, webapp = answering(TWO_STEP, NOT_ACCEPTED)
    with pytest.raises(Rejected):
        await client.set_two_step(PIN, send_by=LATER)
    assert webapp.tokens == ["token-1", "token-2"]


async def test_a_token_past_its_days_is_renewed_before_it_is_used() -> None:
    session = Session(SecretStr("old"), datetime.now(UTC) - timedelta(seconds=1))
    webapp = Webapp({HEALTH: [OK]})
    await onprem(webapp, session).health()
    assert webapp.tokens == ["token-1"]


async def test_calls_at_once_log_in_once() -> None:
    session = Session()
    webapp = Webapp({HEALTH: [OK]})
    client = onprem(webapp, session)
    await asyncio.gather(*(client.health() for _ in range(5)))
    assert webapp.asked.count("POST /v1/users/login") == 1


async def test_the_default_password_is_named_as_what_it_is() -> None:
    told = {"errors": [{"code": 1024, "title": "Password change required", "details": "change it"}]}
    webapp = Webapp({HEALTH: [OK]}, logins=[(400, told)])
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
async def test_a_login_without_a_token_is_tried_later(status: int, body: Any) -> None:
    with pytest.raises(Transient):
        await onprem(Webapp({HEALTH: [OK]}, logins=[(status, body)])).login()


async def test_a_login_is_proved_anew_each_time() -> None:
    session = Session()
    webapp = Webapp({HEALTH: [OK]})
    client = onprem(webapp, session)
    await client.login()
    webapp.logins = [(401, None)]
    with pytest.raises(CredentialsRefused):
        await client.login()


# -- refusals

CODES: dict[int, type[MigrationError]] = {
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


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_the_body_is_read_before_the_status(code: int, status: int) -> None:
    client, _ = answering(TWO_STEP, refusal(code, status=status))
    with pytest.raises(MigrationError) as raised:
        await client.set_two_step(PIN, send_by=LATER)
    assert type(raised.value) is CODES[code]


async def test_a_bare_error_object_is_a_refusal_too() -> None:
    client, _ = answering(TWO_STEP, httpx.Response(400, json={"code": 1008, "title": "Required parameter"}))
    with pytest.raises(Rejected) as raised:
        await client.set_two_step(PIN, send_by=LATER)
    assert raised.value.error_code == 1008


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_gateways_page_leaves_a_write_unknown_and_a_read_for_later(status: int) -> None:
    page = httpx.Response(status, text="<html>Bad Gateway</html>")
    with pytest.raises(OutcomeUnknown):
        await answering(TWO_STEP, page)[0].set_two_step(PIN, send_by=LATER)
    with pytest.raises(Transient):
        await answering(HEALTH, page)[0].health()
    with pytest.raises(Transient):
        await answering(BACKUP, page)[0].backup(SecretStr("p"))


async def test_somebody_elses_page_with_status_200_is_no_success() -> None:
    page = httpx.Response(200, text="<html>Please log in to the network</html>")
    with pytest.raises(OutcomeUnknown):
        await answering(TWO_STEP, page)[0].set_two_step(PIN, send_by=LATER)
    with pytest.raises(Transient):
        await answering(BACKUP, page)[0].backup(SecretStr("p"))


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"meta": {"version": "2.57"}}'])
async def test_almost_any_body_comes_with_a_success(body: bytes) -> None:
    client, _ = answering(TWO_STEP, httpx.Response(200, content=body))
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
async def test_silence_after_a_write(exc: type[httpx.TransportError], expected: type[MigrationError]) -> None:
    client, _ = answering(TWO_STEP, exc)
    with pytest.raises(expected) as raised:
        await client.set_two_step(PIN, send_by=LATER)
    assert not getattr(raised.value, "left", False)


# -- calls


async def test_a_backup_is_the_text_that_came() -> None:
    client, webapp = answering(BACKUP, {"settings": {"data": "the-backup"}})
    data = await client.backup(SecretStr("password"))
    assert data.get_secret_value() == "the-backup"
    assert "the-backup" not in repr(data)
    assert webapp.asked[-1] == "POST /v1/settings/backup"


@pytest.mark.parametrize("body", [{}, {"settings": None}, {"settings": {"data": ""}}, {"settings": {"data": 7}}])
async def test_an_empty_backup_is_no_backup_and_asked_for_again(body: Any) -> None:
    with pytest.raises(Transient, match="came back empty"):
        await answering(BACKUP, body)[0].backup(SecretStr("password"))


@pytest.mark.parametrize(("status", "registered"), [(201, True), (202, False), (200, False)])
async def test_an_account_is_registered_or_waits_for_its_code(status: int, registered: bool) -> None:
    client, _ = answering("/v1/account", httpx.Response(status, json={"account": [{"vname": "x"}]}))
    assert await client.account("1", "5550104321", "SMS", "cert", PIN, send_by=LATER) is registered


async def test_a_closed_registration_says_so() -> None:
    client, _ = answering("/v1/account", refusal(1005, "biz_link_on_prem_reg_blocked", 403))
    with pytest.raises(Rejected) as raised:
        await client.account("1", "5550104321", "SMS", "cert", PIN, send_by=LATER)
    assert (raised.value.error_code, raised.value.details) == (1005, "biz_link_on_prem_reg_blocked")


async def test_a_profile_comes_in_clouds_words() -> None:
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


@pytest.mark.parametrize("vertical", ["Space Travel", None, ""])
async def test_a_vertical_that_cloud_lacks_is_left_out(vertical: Any) -> None:
    webapp = Webapp(
        {
            "/v1/settings/business/profile": [{"settings": {"business": {"profile": {"vertical": vertical}}}}],
            "/v1/settings/profile/about": [{}],
        }
    )
    assert (await onprem(webapp).profile()).as_facts() == {}


@pytest.mark.parametrize(
    ("stats", "queued"),
    [
        ({"stats": {"app": {"callback_queue_size": {"data": [{"value": 3}, {"value": "4"}]}}}}, 7),
        ({"stats": {"app": {}}}, 0),
        ({}, 0),
    ],
)
async def test_waiting_callbacks_are_summed_over_nodes(stats: Any, queued: int) -> None:
    assert await answering("/v1/stats/app", stats)[0].callback_queue() == queued
