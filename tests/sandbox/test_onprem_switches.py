"""What an On-Premises client answers under each value of the switches for undocumented behaviour."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sandbox.open_questions import switch_specs
from sandbox.world.number import certificate
from tests.sandbox.partner import Partner, error_code_of

Probe = Callable[..., Awaitable[Any]]
MESSAGE = {"to": "4915112345678", "type": "text", "text": {"body": "Hello"}}


def account_body(partner: Partner, **changes: Any) -> dict[str, Any]:
    body = {"cc": partner.e164[1:3], "phone_number": partner.e164[3:], "method": "sms", "pin": partner.number.pin}
    return body | {"cert": certificate(partner.number)} | changes


async def act_and_log_in_again(partner: Partner, *actions: str) -> None:
    """Have the client's operator do these; the next call logs in anew."""
    await partner.act_on_client(*actions)
    partner.tokens.clear()


async def call_error_code(partner: Partner, path: str, body: Any = None, method: str = "POST") -> int | None:
    return error_code_of(await partner.onprem(method, path, json=body))


async def partner_with_clean_client(**switch_values: Any) -> Partner:
    partner = Partner.of(world="open", **switch_values)
    await act_and_log_in_again(partner, "wipe")
    return partner


async def _outdated_certificate(**switch_values: Any) -> Any:
    """The error code for the certificate of the number's former name."""
    partner = await partner_with_clean_client(**switch_values)
    body = account_body(partner)
    partner.number.name = "Another Name"
    return await call_error_code(partner, "account", body)


async def _garbled_certificate(**switch_values: Any) -> Any:
    partner = await partner_with_clean_client(**switch_values)
    return [
        await call_error_code(partner, "account", account_body(partner, cert=cert))
        for cert in ("x", "Y2VydA==", "grün")
    ]


async def _expired_certificate(**switch_values: Any) -> Any:
    """The error code, and whether the number is banned afterwards: it is, under each code."""
    partner = Partner.of(**switch_values)
    await act_and_log_in_again(partner, "certificate_expires")
    error_code = await call_error_code(partner, "account/shards", account_body(partner, shards=2))
    return error_code, partner.number.banned


async def _logged_off(**switch_values: Any) -> Any:
    response = await (partner := Partner.of(**switch_values)).onprem(
        "POST", "account/shards", json=account_body(partner, shards=2, cert="x")
    )
    assert response.json()["errors"][0]["details"] == "client setup logged off"
    return error_code_of(response)


async def _busy(**switch_values: Any) -> Any:
    partner = Partner.of(client_connect_s=60, **switch_values)
    await act_and_log_in_again(partner, "start")
    response = await partner.onprem("POST", "account/shards", json=account_body(partner, shards=2))
    assert response.status_code == 403  # this status is documented, the error code is not
    return error_code_of(response)


async def _account_while_on_cloud(**switch_values: Any) -> Any:
    partner = Partner.of(world="open", **switch_values)
    assert (await partner.register(backup=await partner.backup())).status_code == 200
    error_code = await call_error_code(partner, "account", account_body(partner))
    if error_code is None:
        body = {"code": partner.sandbox.sms(partner.e164)[-1]}
        assert (await partner.onprem("POST", "account/verify", json=body)).status_code == 201
    return error_code, partner.number.side


async def _account_refused_on_cloud(**switch_values: Any) -> Any:
    return (await _account_while_on_cloud(account_while_on_cloud="refused", **switch_values))[0]


async def _banned(**switch_values: Any) -> Any:
    """The error codes of `messages`, `account` and `account/verify`, all with 403 and not 401."""
    partner = await partner_with_clean_client(**switch_values)
    assert await call_error_code(partner, "account", account_body(partner)) is None
    await partner.act_in_manager("ban")
    calls = (("messages", MESSAGE), ("account", account_body(partner)), ("account/verify", {"code": "1"}))
    responses = [await partner.onprem("POST", path, json=body) for path, body in calls]
    assert {response.status_code for response in responses} == {403}
    return {error_code_of(response) for response in responses}


async def _banned_health(**switch_values: Any) -> Any:
    partner = Partner.of("banned", **switch_values)
    support = (await partner.onprem("GET", "support")).json()["support"]["debug_info"]
    return await partner.gateway_status(), support == partner.e164[1:]


async def _dead_coreapp(**switch_values: Any) -> Any:
    partner = Partner.of("coreapp_down", **switch_values)
    response = await partner.onprem("GET", "health")
    assert await call_error_code(partner, "support", method="GET") == 1014
    return error_code_of(response) or response.json()["health"]["gateway_status"]


async def _expired_calls(**switch_values: Any) -> Any:
    """The error codes of `account`, `account/verify` and a restore."""
    partner = Partner.of(world="open", expired_restore="refused", **switch_values)
    backup = await partner.backup()
    partner.clock.advance(days=200)
    partner.tokens.clear()
    calls = (("account", account_body(partner)), ("account/verify", {"code": "1"}), ("settings/restore", backup))
    return {await call_error_code(partner, path, body) for path, body in calls}


async def _expired_restore(**switch_values: Any) -> Any:
    partner = Partner.of(world="open", **switch_values)
    backup = await partner.backup()
    partner.clock.advance(days=200)
    partner.tokens.clear()
    return await call_error_code(partner, "settings/restore", backup), partner.number.side


async def _not_connected(**switch_values: Any) -> Any:
    partner = Partner.of(**switch_values)
    await act_and_log_in_again(partner, "offline")
    shards, pin = account_body(partner, shards=2), {"pin": "271828"}
    calls = [("POST", "account/shards", shards), ("POST", "settings/account/two-step", pin)]
    calls += [("DELETE", "settings/account/two-step", {})]
    return {await call_error_code(partner, path, body, method) for method, path, body in calls}


async def _verify_without_code(**switch_values: Any) -> Any:
    return await call_error_code(await partner_with_clean_client(**switch_values), "account/verify", {"code": "123456"})


async def _failed_backup(**switch_values: Any) -> Any:
    return await call_error_code(Partner.of("no_backup", **switch_values), "settings/backup", {"password": "w"})


async def _registration_block(**switch_values: Any) -> Any:
    """Status and keys of the response when a client requests the number that it already has."""
    partner = Partner.of(**switch_values)
    response = await partner.onprem("POST", "account", json=account_body(partner))
    return response.status_code, sorted(response.json())


async def _first_login(**switch_values: Any) -> Any:
    response = await Partner.of("first_login", **switch_values).login("secret")
    return response.status_code, error_code_of(response)


async def _logout(**switch_values: Any) -> Any:
    """Whether each of two tokens still reads health after the first one logged out."""
    partner = Partner.of(**switch_values)
    tokens = [(await partner.login()).json()["users"][0]["token"] for _ in range(2)]
    url = partner.row["onprem_url"] + "/v1"
    bearers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    assert (await partner.client.post(f"{url}/users/logout", headers=bearers[0])).status_code == 200
    return [(await partner.client.get(f"{url}/health", headers=bearer)).status_code == 200 for bearer in bearers]


async def _http_statuses(**switch_values: Any) -> Any:
    """The HTTP statuses of 1014, 1016 and 1008. Those of 401, 404 and the registration block are fixed."""
    partner = Partner.of("coreapp_down", "callbacks_stuck", overload_at=1, **switch_values)
    dead = await partner.onprem("GET", "support")
    partner.selected = 1
    switched = [
        dead,
        await partner.onprem("POST", "messages", json=MESSAGE),
        await partner.onprem("POST", "settings/backup"),
    ]
    login = await partner.client.post(f"{partner.row['onprem_url']}/v1/users/login", auth=("admin", "x"))
    fixed = [
        login,
        await partner.onprem("GET", "nothing"),
        await partner.onprem("POST", "account", json=account_body(partner)),
    ]
    assert [response.status_code for response in fixed] == [401, 404, 403]
    return [response.status_code for response in switched]


async def _restore_from_cloud(**switch_values: Any) -> Any:
    partner = Partner.of(world="open", **switch_values)
    backup = await partner.backup()
    await partner.register(backup=backup)
    await act_and_log_in_again(partner, "wipe")
    assert (await partner.onprem("POST", "settings/restore", json=backup)).status_code == 200
    return partner.number.side


async def _moved_health(**switch_values: Any) -> Any:
    """Health, and whether `support` names the number: while it is on Cloud, and after it was deregistered."""
    partner = Partner.of(**switch_values)
    await partner.register(backup=await partner.backup())
    readings = []
    for _ in range(2):
        support = (await partner.onprem("GET", "support")).json()["support"]["debug_info"]
        readings.append((await partner.gateway_status(), support == partner.e164[1:]))
        await partner.phone("POST", "deregister")
    return readings


BLOCKED, BARE = (403, ["errors", "meta"]), (403, ["code", "details", "title"])
CASES: list[tuple[str, Any, Probe, Any]] = [
    *(("certificate_code", code, _outdated_certificate, code) for code in (432, 430, 1009, 1005)),
    *(("garbled_certificate_code", code, _garbled_certificate, [code] * 3) for code in (433, 430, 1009)),
    *(("expired_certificate_code", code, _expired_certificate, (code, True)) for code in (1005, 1031, 430, 433)),
    *(("logged_off_code", code, _logged_off, code) for code in (1000, 1005, 432)),
    *(("shards_busy_code", code, _busy, code) for code in (1011, 1015)),
    ("account_while_on_cloud", "accepted", _account_while_on_cloud, (None, "on_premises")),
    ("account_while_on_cloud", "refused", _account_while_on_cloud, (1005, "cloud")),
    *(("account_on_cloud_code", code, _account_refused_on_cloud, code) for code in (1005, 1004)),
    *(("banned_client_code", code, _banned, {code}) for code in (1031, 1005)),
    ("health_when_banned", "disconnected", _banned_health, ("disconnected", True)),
    ("health_when_banned", "unregistered", _banned_health, ("unregistered", False)),
    ("health_coreapp_down", "1014", _dead_coreapp, 1014),
    ("health_coreapp_down", "disconnected", _dead_coreapp, "disconnected"),
    *(("expired_call_code", code, _expired_calls, {code}) for code in (1014, 1011)),
    ("expired_restore", "accepted", _expired_restore, (None, "neither")),
    ("expired_restore", "refused", _expired_restore, (1014, "neither")),
    *(("not_connected_code", code, _not_connected, {code}) for code in (1014, 1011)),
    *(("no_code_asked_code", code, _verify_without_code, code) for code in (1000, 1005, 1009)),
    *(("backup_failed_code", code, _failed_backup, code) for code in (1014, 1000, 1023)),
    ("account_block_registered", "blocked", _registration_block, BLOCKED),
    ("account_block_registered", "exists", _registration_block, (201, ["meta"])),
    ("account_block_body", "errors", _registration_block, BLOCKED),
    ("account_block_body", "bare", _registration_block, BARE),
    ("first_login_code", 1024, _first_login, (400, 1024)),
    ("first_login_code", 1005, _first_login, (401, 1005)),
    ("logout_ends", "this", _logout, [False, True]),
    ("logout_ends", "all", _logout, [False, False]),
    ("logout_ends", "none", _logout, [True, True]),
    ("onprem_http_status", "by_code", _http_statuses, [500, 503, 400]),
    ("onprem_http_status", "all_400", _http_statuses, [400, 400, 400]),
    *(("restore_registers", rule, _restore_from_cloud, "cloud") for rule in ("open_world", "always", "never")),
    ("restore_registers", "even_from_cloud", _restore_from_cloud, "on_premises"),
    ("health_after_move", "disconnected", _moved_health, [("disconnected", True)] * 2),
    ("health_after_move", "unregistered", _moved_health, [("unregistered", False)] * 2),
]
# Tested in `test_onprem.py`.
TESTED_ELSEWHERE = {"health_after_move": {"connection_refused"}}


@pytest.mark.parametrize(
    ("name", "value", "probe", "expected"), CASES, ids=lambda value: getattr(value, "__name__", str(value)[:30])
)
async def test_onprem_response_for_each_switch_value(name: str, value: Any, probe: Probe, expected: Any) -> None:
    assert await probe(**{name: value}) == expected


def test_every_value_of_each_switch_is_tested() -> None:
    tested: dict[str, set[str]] = {}
    for name, value, _, _ in CASES:
        tested.setdefault(name, set()).add(str(value))
    untested = {name: set(switch_specs()[name].texts) - values for name, values in tested.items()}
    assert {name: values for name, values in untested.items() if values} == TESTED_ELSEWHERE
