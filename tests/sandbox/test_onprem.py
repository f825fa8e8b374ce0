"""The On-Premises client: users, health, settings, backup, restore, registration, and hosts that do not answer."""

from typing import Any

import httpx
import pytest

from sandbox.world.number import certificate
from sandbox.world.world import WorldKind
from tests.sandbox.partner import Clock, Partner, error_code_of

HELLO = {"to": "4915112345678", "type": "text", "text": {"body": "Hello"}}
ACCOUNT = {"method": "sms", "cert": "Y2VydA=="}


def account_body(partner: Partner, **changes: str) -> dict[str, str]:
    cert = certificate(partner.number)
    return ACCOUNT | {"cc": partner.e164[1:3], "phone_number": partner.e164[3:], "cert": cert} | changes


async def test_first_login_requires_new_password() -> None:
    partner = Partner.of("first_login")
    assert error_code_of(await partner.login("secret")) == 1024
    assert error_code_of(await partner.login("secret", json={"new_password": "weak"})) == 1009
    assert (await partner.login("secret", json={"new_password": "Str0ng!enough"})).status_code == 200
    assert error_code_of(await partner.login("secret")) == 1005
    assert (await partner.login("Str0ng!enough")).json()["users"][0]["expires_after"].endswith("+00:00")


async def test_token_ends_after_seven_days_and_at_logout() -> None:
    partner = Partner.of()
    assert await partner.gateway_status() == "connected"
    partner.clock.advance(days=7)
    response = await partner.onprem("GET", "health")
    assert (response.status_code, error_code_of(response)) == (401, 1005)
    partner.tokens.clear()
    assert await partner.gateway_status() == "connected"
    await partner.onprem("POST", "users/logout")
    assert (await partner.onprem("GET", "health")).status_code == 401


async def test_protected_calls_need_admin() -> None:
    partner = Partner.of()
    created = await partner.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})
    assert (created.status_code, created.json()["users"]) == (201, [{"username": "clerk"}])
    assert (
        error_code_of(await partner.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"}))
        == 1014
    )
    assert (await partner.onprem("GET", "users/clerk")).json()["users"][0]["ROLES"] == "ROLE_USER"
    login = await partner.client.post(f"{partner.row['onprem_url']}/v1/users/login", auth=("clerk", "Cl3rk!pass"))
    partner.tokens[partner.e164] = login.json()["users"][0]["token"]
    assert await partner.gateway_status() == "connected"
    for method, path in (("POST", "settings/backup"), ("GET", "settings/application"), ("POST", "account")):
        response = await partner.onprem(method, path, json={})
        assert (response.status_code, error_code_of(response)) == (403, 1005)


async def test_api_key_reads_only_health_metrics_and_stats() -> None:
    partner = Partner.of()
    client = partner.sandbox.world.instances[partner.row["instance"]]
    client.api_key = "k" * 20
    headers = {"Authorization": f"Apikey {client.api_key}"}
    urls = {name: f"{partner.row['onprem_url']}/v1/{name}" for name in ("health", "metrics", "stats/app", "support")}
    statuses = {name: (await partner.client.get(url, headers=headers)).status_code for name, url in urls.items()}
    assert statuses == {"health": 200, "metrics": 200, "stats/app": 200, "support": 401}
    metrics = await partner.client.get(f"{partner.row['onprem_url']}/metrics", headers=headers)
    assert metrics.status_code == 200


@pytest.mark.parametrize("authorization", ["Basic", "Basic %%%", "Bearer", "", "Bearer nonsense"])
async def test_bad_credentials_are_401_and_1005(authorization: str) -> None:
    partner = Partner.of()
    for path in ("users/login", "health"):
        method = "POST" if path.endswith("login") else "GET"
        url = f"{partner.row['onprem_url']}/v1/{path}"
        response = await partner.client.request(
            method, url, headers={"Authorization": authorization} if authorization else {}
        )
        assert (response.status_code, error_code_of(response)) == (401, 1005)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "account"),
        ("POST", "account/migrate"),
        ("POST", "account/deregister"),
        ("GET", "nothing/here/at/all"),
    ],
)
async def test_no_deregister_call_exists(method: str, path: str) -> None:
    partner = Partner.of()
    assert (await partner.onprem(method, path)).status_code == 404
    assert partner.number.side == "on_premises"


async def test_support_shows_number_and_expiry() -> None:
    partner = Partner.of()
    support = (await partner.onprem("GET", "support")).json()["support"]
    assert (support["debug_info"], support["socket_conn"]) == (partner.e164[1:], "UP")
    assert support["expire_timestamp"] == "2026-02-28 20:00:00+00:00"


async def test_only_owning_nodes_are_connected() -> None:
    partner = Partner.of("high_availability", "multiconnect")
    nodes = (await partner.onprem("GET", "health")).json()["health"].values()
    assert sorted(node["gateway_status"] for node in nodes) == ["connected", *["disconnected"] * 3]
    partner.selected = 1
    nodes = (await partner.onprem("GET", "health")).json()["health"].values()
    assert {node["gateway_status"] for node in nodes} == {"connected"}
    shards = [node["shards"] for node in (await partner.onprem("GET", "support")).json()["support"].values()]
    assert shards == [[[-1, -1]], [[0, 0]], [[1, 1]]]


async def test_settings_are_merged_and_reset() -> None:
    partner = Partner.of()
    response = await partner.onprem("PATCH", "settings/application", json={"media": {"auto_download": ["image"]}})
    assert response.json() is None
    settings = (await partner.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert (settings["media"], settings["callback_persist"], settings["wa_id"]) == (
        {"auto_download": ["image"]},
        True,
        partner.e164[1:],
    )
    await partner.onprem("DELETE", "settings/application")
    settings = (await partner.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert len(settings["media"]["auto_download"]) == 3


async def test_profile_is_read_back_and_included_in_backup() -> None:
    partner = Partner.of()
    await partner.onprem("POST", "settings/business/profile", json={"email": "new@example.com"})
    await partner.onprem("PATCH", "settings/profile/about", json={"text": "Back at nine"})
    profile = (await partner.onprem("GET", "settings/business/profile")).json()
    assert profile["settings"]["business"]["profile"]["email"] == "new@example.com"
    link = (await partner.onprem("GET", "settings/profile/photo?format=link")).json()
    assert link["settings"]["profile"]["photo"]["link"].startswith("https://")
    assert (await partner.onprem("GET", "settings/profile/photo")).content.startswith(b"\xff\xd8")
    await partner.register(backup=await partner.backup())
    fields = "about,email,profile_picture_url"
    [row] = (await partner.phone("GET", f"whatsapp_business_profile?fields={fields}")).json()["data"]
    assert (row["about"], row["email"]) == ("Back at nine", "new@example.com")
    assert row["profile_picture_url"]


async def test_backup_is_opaque_and_different_each_time() -> None:
    partner = Partner.of()
    first, second = await partner.backup(), await partner.backup()
    assert first["data"] != second["data"]
    assert partner.e164[1:] not in first["data"]
    assert "words" not in first["data"]
    assert error_code_of(await partner.onprem("POST", "settings/backup", json={})) == 1008


async def test_backup_needs_registered_and_running_client() -> None:
    partner = Partner.of("no_backup", "healthy", "healthy")
    body = {"password": "words"}
    assert error_code_of(await partner.onprem("POST", "settings/backup", json=body)) == 1014
    partner.selected = 1
    await partner.register(backup=await partner.backup())
    assert error_code_of(await partner.onprem("POST", "settings/backup", json=body)) == 1014
    partner.selected = 2
    await partner.onprem("GET", "health")
    await partner.act_on_client("coreapp_down")
    response = await partner.onprem("POST", "settings/backup", json=body)
    assert "wacore" in response.json()["errors"][0]["details"]
    assert (partner.number.instance, partner.number.side) == ("coreapp_down", "neither")


async def test_stopped_or_lost_host_refuses_connections() -> None:
    partner = Partner.of("healthy", "host_gone")
    assert partner.sandbox.stop_instance(partner.row["instance"])
    for index in (0, 1):
        partner.selected = index
        with pytest.raises(httpx.ConnectError):
            await partner.login()
    last = partner.sandbox.world.calls[-1]
    assert (last.call, last.status, last.effect, last.answered) == ("onprem.login", 0, False, False)
    partner.selected = 0
    assert partner.sandbox.start_instance(partner.row["instance"])
    assert await partner.gateway_status() == "connected"
    partner.selected = 1
    assert not partner.sandbox.start_instance(partner.row["instance"])


async def test_stop_command_can_fail() -> None:
    partner = Partner.of("stop_fails")
    assert not partner.sandbox.stop_instance(partner.row["instance"])
    assert partner.number.side == "on_premises"
    assert partner.sandbox.mutations(partner.e164) == ("command.stop",)


async def test_restarted_client_of_moved_number_stays_disconnected() -> None:
    partner = Partner.of(health_after_move="connection_refused")
    await partner.register(backup=await partner.backup())
    with pytest.raises(httpx.ConnectError):
        await partner.gateway_status()
    partner.sandbox.start_instance(partner.row["instance"])
    assert await partner.gateway_status() == "disconnected"
    assert partner.number.side == "cloud"


async def test_number_is_dark_from_client_expiry() -> None:
    partner = Partner.of()
    expires_at = partner.sandbox.world.instances[partner.row["instance"]].expires_at
    partner.clock.advance(days=200)
    assert (partner.number.instance, partner.number.dark_since) == ("expired", expires_at)
    assert await partner.read_fields("status", "platform_type") == ["DISCONNECTED", "ON_PREMISE"]


@pytest.mark.parametrize(
    ("local", "login", "health"),
    [("serves_local", 200, 200), ("coreapp_1014", 200, 500), ("refuses_all", None, None)],
)
async def test_calls_that_expired_client_answers(local: str, login: int | None, health: int | None) -> None:
    clock = Clock(Clock().time.replace(year=2026))
    switches: dict[str, Any] = {"expired_client": local, "platform_when_expired": "NOT_APPLICABLE"}
    partner = Partner.of("expired", world="after-sunset", clock=clock, **switches)
    assert await partner.read_fields("platform_type") == ["NOT_APPLICABLE"]
    if login is None:
        with pytest.raises(httpx.ConnectError):
            await partner.login()
        return
    assert (await partner.login()).status_code == login
    assert (await partner.onprem("GET", "health")).status_code == health
    assert error_code_of(await partner.onprem("POST", "settings/backup", json={"password": "x"})) == 1014


@pytest.mark.parametrize("status", [403, 401, 400])
async def test_onprem_registration_is_blocked(status: int) -> None:
    partner = Partner.of(account_block_status=status)
    response = await partner.onprem("POST", "account", json=account_body(partner))
    assert (response.status_code, error_code_of(response)) == (status, 1005)
    assert "biz_link_on_prem_reg_blocked" in response.text


async def test_open_world_allows_onprem_registration() -> None:
    partner = Partner.of(world="open")
    assert (await partner.onprem("POST", "account", json=account_body(partner))).status_code == 201
    await partner.register(backup=await partner.backup())
    await partner.phone("POST", "deregister")
    partner.clock.advance(seconds=30)
    assert error_code_of(await partner.onprem("POST", "account", json=account_body(partner, pin="999"))) == 1005
    response = await partner.onprem("POST", "account", json=account_body(partner, pin=partner.row["pin"]))
    assert (response.status_code, response.json()["account"]) == (202, [{"vname": partner.row["name"]}])
    assert error_code_of(await partner.onprem("POST", "account/verify", json={"code": "x"})) == 1009
    code = partner.sandbox.sms(partner.e164)[-1]
    assert (await partner.onprem("POST", "account/verify", json={"code": code})).status_code == 201
    assert await partner.gateway_status() == "connected"
    assert partner.number.outage_s == 30


@pytest.mark.parametrize(
    ("rule", "world", "side"),
    [
        ("open_world", "open", "on_premises"),
        ("never", "open", "neither"),
        ("open_world", "closing", "neither"),
        ("always", "closing", "on_premises"),
    ],
)
async def test_restore_on_clean_node_registers_by_switch(rule: str, world: WorldKind, side: str) -> None:
    partner = Partner.of(world=world, restore_registers=rule)
    backup = await partner.backup()
    await partner.register(backup=backup)
    await partner.phone("POST", "deregister")
    await partner.act_on_client("wipe")
    partner.tokens.clear()
    assert await partner.gateway_status() == "unregistered"
    assert error_code_of(await partner.onprem("POST", "settings/restore", json=backup | {"password": "x"})) == 1009
    assert (await partner.onprem("POST", "settings/restore", json=backup)).status_code == 200
    assert partner.number.side == side


async def test_restore_over_running_app_stops_it_until_restart() -> None:
    partner = Partner.of(world="open")
    await partner.onprem("POST", "settings/restore", json=await partner.backup())
    assert partner.sandbox.world.describe(partner.number)["side"] == "neither"
    partner.sandbox.start_instance(partner.row["instance"])
    assert partner.sandbox.world.describe(partner.number)["side"] == "on_premises"


async def test_callbacks_drain_or_are_stuck() -> None:
    partner = Partner.of("healthy", "callbacks_stuck")
    for _ in range(12):
        response = await partner.onprem("POST", "messages", json=HELLO)
        assert response.status_code == 201
    assert await partner.callback_queue_size() == 12
    partner.clock.advance(seconds=1)
    assert await partner.callback_queue_size() == 7
    partner.clock.advance(seconds=5)
    assert await partner.callback_queue_size() == 0
    partner.selected = 1
    before = await partner.callback_queue_size()
    partner.clock.advance(hours=1)
    assert await partner.callback_queue_size() == before > 0


async def test_full_callback_queue_refuses_messages() -> None:
    partner = Partner.of("callbacks_stuck")
    partner.sandbox.world.instances[partner.row["instance"]].callbacks.size = 100_000
    assert error_code_of(await partner.onprem("POST", "messages", json=HELLO)) == 1016


async def test_media_contacts_and_stats_answer() -> None:
    partner = Partner.of(meta_version="v")
    uploaded = (await partner.onprem("POST", "media", content=b"picture")).json()
    assert uploaded["meta"]["version"].startswith("v")
    assert len((await partner.onprem("GET", f"media/{uploaded['media'][0]['id']}")).content) == 7
    contacts = (await partner.onprem("POST", "contacts", json={"contacts": ["+49 151 1"]})).json()["contacts"]
    assert contacts == [{"input": "+49 151 1", "status": "valid", "wa_id": "491511"}]
    assert (await partner.onprem("GET", "stats/db")).status_code == 200
