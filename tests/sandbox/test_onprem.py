"""The On-Premises client: users, health, settings, backup, restore, registration, and its ways of not answering."""

from typing import Any

import httpx
import pytest

from sandbox.world.number import certificate
from sandbox.world.world import WorldKind
from tests.sandbox.partner import Clock, Far, code_of

HELLO = {"to": "4915112345678", "type": "text", "text": {"body": "Hello"}}
ACCOUNT = {"method": "sms", "cert": "Y2VydA=="}


def account(far: Far, **more: str) -> dict[str, str]:
    cert = certificate(far.number)
    return ACCOUNT | {"cc": far.e164[1:3], "phone_number": far.e164[3:], "cert": cert} | more


async def test_a_shipped_password_has_to_be_changed_at_first_login() -> None:
    far = Far.of("first_login")
    assert code_of(await far.login("secret")) == 1024
    assert code_of(await far.login("secret", json={"new_password": "weak"})) == 1009
    assert (await far.login("secret", json={"new_password": "Str0ng!enough"})).status_code == 200
    assert code_of(await far.login("secret")) == 1005
    assert (await far.login("Str0ng!enough")).json()["users"][0]["expires_after"].endswith("+00:00")


async def test_a_token_lives_seven_days_and_dies_at_logout() -> None:
    far = Far.of()
    assert await far.health() == "connected"
    far.clock.pass_(days=7)
    answer = await far.onprem("GET", "health")
    assert (answer.status_code, code_of(answer)) == (401, 1005)
    far.tokens.clear()
    assert await far.health() == "connected"
    await far.onprem("POST", "users/logout")
    assert (await far.onprem("GET", "health")).status_code == 401


async def test_only_an_admin_may_touch_what_matters() -> None:
    far = Far.of()
    made = await far.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})
    assert (made.status_code, made.json()["users"]) == (201, [{"username": "clerk"}])
    assert code_of(await far.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})) == 1014
    assert (await far.onprem("GET", "users/clerk")).json()["users"][0]["ROLES"] == "ROLE_USER"
    login = await far.client.post(f"{far.row['onprem_url']}/v1/users/login", auth=("clerk", "Cl3rk!pass"))
    far.tokens[far.e164] = login.json()["users"][0]["token"]
    assert await far.health() == "connected"
    for method, path in (("POST", "settings/backup"), ("GET", "settings/application"), ("POST", "account")):
        answer = await far.onprem(method, path, json={})
        assert (answer.status_code, code_of(answer)) == (403, 1005)


async def test_an_apikey_opens_only_health_metrics_and_stats() -> None:
    far = Far.of()
    client = far.sandbox.world.instances[far.row["instance"]]
    client.api_key = "k" * 20
    headers = {"Authorization": f"Apikey {client.api_key}"}
    urls = {name: f"{far.row['onprem_url']}/v1/{name}" for name in ("health", "metrics", "stats/app", "support")}
    got = {name: (await far.client.get(url, headers=headers)).status_code for name, url in urls.items()}
    assert got == {"health": 200, "metrics": 200, "stats/app": 200, "support": 401}
    plain = await far.client.get(f"{far.row['onprem_url']}/metrics", headers=headers)
    assert plain.status_code == 200


@pytest.mark.parametrize("told", ["Basic", "Basic %%%", "Bearer", "", "Bearer nonsense"])
async def test_bad_credentials_are_401_and_1005(told: str) -> None:
    far = Far.of()
    for path in ("users/login", "health"):
        method = "POST" if path.endswith("login") else "GET"
        url = f"{far.row['onprem_url']}/v1/{path}"
        answer = await far.client.request(method, url, headers={"Authorization": told} if told else {})
        assert (answer.status_code, code_of(answer)) == (401, 1005)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "account"),
        ("POST", "account/migrate"),
        ("POST", "account/deregister"),
        ("GET", "nothing/here/at/all"),
    ],
)
async def test_there_is_no_deregister_call(method: str, path: str) -> None:
    far = Far.of()
    assert (await far.onprem(method, path)).status_code == 404
    assert far.number.side == "on_premises"


async def test_support_tells_number_and_expiry() -> None:
    far = Far.of()
    told = (await far.onprem("GET", "support")).json()["support"]
    assert (told["debug_info"], told["socket_conn"]) == (far.e164[1:], "UP")
    assert told["expire_timestamp"] == "2026-02-28 20:00:00+00:00"


async def test_of_several_nodes_not_every_one_is_connected() -> None:
    far = Far.of("high_availability", "multiconnect")
    nodes = (await far.onprem("GET", "health")).json()["health"].values()
    assert sorted(node["gateway_status"] for node in nodes) == ["connected", *["disconnected"] * 3]
    far.at = 1
    nodes = (await far.onprem("GET", "health")).json()["health"].values()
    assert {node["gateway_status"] for node in nodes} == {"connected"}
    shards = [node["shards"] for node in (await far.onprem("GET", "support")).json()["support"].values()]
    assert shards == [[[-1, -1]], [[0, 0]], [[1, 1]]]


async def test_settings_are_merged_and_reset() -> None:
    far = Far.of()
    answer = await far.onprem("PATCH", "settings/application", json={"media": {"auto_download": ["image"]}})
    assert answer.json() is None
    told = (await far.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert (told["media"], told["callback_persist"], told["wa_id"]) == (
        {"auto_download": ["image"]},
        True,
        far.e164[1:],
    )
    await far.onprem("DELETE", "settings/application")
    told = (await far.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert len(told["media"]["auto_download"]) == 3


async def test_the_profile_reads_back_and_travels_in_the_backup() -> None:
    far = Far.of()
    await far.onprem("POST", "settings/business/profile", json={"email": "new@example.com"})
    await far.onprem("PATCH", "settings/profile/about", json={"text": "Back at nine"})
    told = (await far.onprem("GET", "settings/business/profile")).json()
    assert told["settings"]["business"]["profile"]["email"] == "new@example.com"
    link = (await far.onprem("GET", "settings/profile/photo?format=link")).json()
    assert link["settings"]["profile"]["photo"]["link"].startswith("https://")
    assert (await far.onprem("GET", "settings/profile/photo")).content.startswith(b"\xff\xd8")
    await far.register(backup=await far.backup())
    fields = "about,email,profile_picture_url"
    [row] = (await far.phone("GET", f"whatsapp_business_profile?fields={fields}")).json()["data"]
    assert (row["about"], row["email"]) == ("Back at nine", "new@example.com")
    assert row["profile_picture_url"]


async def test_a_backup_is_opaque_and_different_each_time() -> None:
    far = Far.of()
    first, second = await far.backup(), await far.backup()
    assert first["data"] != second["data"]
    assert far.e164[1:] not in first["data"]
    assert "words" not in first["data"]
    assert code_of(await far.onprem("POST", "settings/backup", json={})) == 1008


async def test_a_backup_needs_a_client_that_is_registered_and_running() -> None:
    far = Far.of("no_backup", "healthy", "healthy")
    words = {"password": "words"}
    assert code_of(await far.onprem("POST", "settings/backup", json=words)) == 1014
    far.at = 1
    await far.register(backup=await far.backup())
    assert code_of(await far.onprem("POST", "settings/backup", json=words)) == 1014
    far.at = 2
    await far.onprem("GET", "health")
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "coreapp_down"})
    answer = await far.onprem("POST", "settings/backup", json=words)
    assert "wacore" in answer.json()["errors"][0]["details"]
    assert (far.number.instance, far.number.side) == ("coreapp_down", "neither")


async def test_a_stopped_or_lost_host_refuses_connections() -> None:
    far = Far.of("healthy", "host_gone")
    assert far.sandbox.stop_instance(far.row["instance"])
    for at in (0, 1):
        far.at = at
        with pytest.raises(httpx.ConnectError):
            await far.login()
    last = far.sandbox.world.calls[-1]
    assert (last.call, last.status, last.effect, last.answered) == ("onprem.login", 0, False, False)
    far.at = 0
    assert far.sandbox.start_instance(far.row["instance"])
    assert await far.health() == "connected"
    far.at = 1
    assert not far.sandbox.start_instance(far.row["instance"])


async def test_a_stop_command_may_fail() -> None:
    far = Far.of("stop_fails")
    assert not far.sandbox.stop_instance(far.row["instance"])
    assert far.number.side == "on_premises"
    assert far.sandbox.mutations(far.e164) == ("command.stop",)


async def test_a_moved_client_does_not_come_back_when_it_is_started() -> None:
    far = Far.of(health_after_move="connection_refused")
    await far.register(backup=await far.backup())
    with pytest.raises(httpx.ConnectError):
        await far.health()
    far.sandbox.start_instance(far.row["instance"])
    assert await far.health() == "disconnected"
    assert far.number.side == "cloud"


async def test_a_build_that_expires_goes_dark_at_that_moment() -> None:
    far = Far.of()
    ends = far.sandbox.world.instances[far.row["instance"]].expires_at
    far.clock.pass_(days=200)
    assert (far.number.instance, far.number.dark_since) == ("expired", ends)
    assert await far.shows("status", "platform_type") == ["DISCONNECTED", "ON_PREMISE"]


@pytest.mark.parametrize(
    ("local", "login", "health"),
    [("serves_local", 200, 200), ("coreapp_1014", 200, 500), ("refuses_all", None, None)],
)
async def test_what_an_expired_client_still_answers(local: str, login: int | None, health: int | None) -> None:
    clock = Clock(Clock().at.replace(year=2026))
    unknown: dict[str, Any] = {"expired_client": local, "platform_when_expired": "NOT_APPLICABLE"}
    far = Far.of("expired", world="after-sunset", clock=clock, **unknown)
    assert await far.shows("platform_type") == ["NOT_APPLICABLE"]
    if login is None:
        with pytest.raises(httpx.ConnectError):
            await far.login()
        return
    assert (await far.login()).status_code == login
    assert (await far.onprem("GET", "health")).status_code == health
    assert code_of(await far.onprem("POST", "settings/backup", json={"password": "x"})) == 1014


@pytest.mark.parametrize("status", [403, 401, 400])
async def test_no_number_registers_on_premises_any_more(status: int) -> None:
    far = Far.of(account_block_status=status)
    answer = await far.onprem("POST", "account", json=account(far))
    assert (answer.status_code, code_of(answer)) == (status, 1005)
    assert "biz_link_on_prem_reg_blocked" in answer.text


async def test_in_the_open_world_a_number_goes_back_on_premises() -> None:
    far = Far.of(world="open")
    assert (await far.onprem("POST", "account", json=account(far))).status_code == 201
    await far.register(backup=await far.backup())
    await far.phone("POST", "deregister")
    far.clock.pass_(seconds=30)
    assert code_of(await far.onprem("POST", "account", json=account(far, pin="999"))) == 1005
    answer = await far.onprem("POST", "account", json=account(far, pin=far.row["pin"]))
    assert (answer.status_code, answer.json()["account"]) == (202, [{"vname": far.row["name"]}])
    assert code_of(await far.onprem("POST", "account/verify", json={"code": "x"})) == 1009
    code = far.sandbox.sms(far.e164)[-1]
    assert (await far.onprem("POST", "account/verify", json={"code": code})).status_code == 201
    assert await far.health() == "connected"
    assert far.number.outage_s == 30


@pytest.mark.parametrize(
    ("rule", "world", "side"),
    [
        ("open_world", "open", "on_premises"),
        ("never", "open", "neither"),
        ("open_world", "closing", "neither"),
        ("always", "closing", "on_premises"),
    ],
)
async def test_a_restore_on_a_clean_node_brings_the_number_back_or_not(rule: str, world: WorldKind, side: str) -> None:
    far = Far.of(world=world, restore_registers=rule)
    backup = await far.backup()
    await far.register(backup=backup)
    await far.phone("POST", "deregister")
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "wipe"})
    far.tokens.clear()
    assert await far.health() == "unregistered"
    assert code_of(await far.onprem("POST", "settings/restore", json=backup | {"password": "x"})) == 1009
    assert (await far.onprem("POST", "settings/restore", json=backup)).status_code == 200
    assert far.number.side == side


async def test_a_restore_over_a_running_app_stops_it_until_a_restart() -> None:
    far = Far.of(world="open")
    await far.onprem("POST", "settings/restore", json=await far.backup())
    assert far.sandbox.world.describe(far.number)["side"] == "neither"
    far.sandbox.start_instance(far.row["instance"])
    assert far.sandbox.world.describe(far.number)["side"] == "on_premises"


async def test_callbacks_drain_or_are_stuck() -> None:
    far = Far.of("healthy", "callbacks_stuck")
    for _ in range(12):
        answer = await far.onprem("POST", "messages", json=HELLO)
        assert answer.status_code == 201
    assert await queued(far) == 12
    far.clock.pass_(seconds=1)
    assert await queued(far) == 7
    far.clock.pass_(seconds=5)
    assert await queued(far) == 0
    far.at = 1
    before = await queued(far)
    far.clock.pass_(hours=1)
    assert await queued(far) == before > 0


async def queued(far: Far) -> int:
    told = (await far.onprem("GET", "stats/app")).json()
    return int(told["stats"]["app"]["callback_queue_size"]["data"][0]["value"])


async def test_an_overloaded_client_takes_no_messages() -> None:
    far = Far.of("callbacks_stuck")
    far.sandbox.world.instances[far.row["instance"]].callbacks.size = 100_000
    assert code_of(await far.onprem("POST", "messages", json=HELLO)) == 1016


async def test_media_contacts_and_the_rest_answer() -> None:
    far = Far.of(meta_version="v")
    made = (await far.onprem("POST", "media", content=b"picture")).json()
    assert made["meta"]["version"].startswith("v")
    assert len((await far.onprem("GET", f"media/{made['media'][0]['id']}")).content) == 7
    contacts = (await far.onprem("POST", "contacts", json={"contacts": ["+49 151 1"]})).json()["contacts"]
    assert contacts == [{"input": "+49 151 1", "status": "valid", "wa_id": "491511"}]
    assert (await far.onprem("GET", "stats/db")).status_code == 200
