"""What an On-Premises client refuses, in which words, and what its answers look like in other ages and topologies."""

import json
from typing import Any

import httpx
import pytest

from sandbox.onprem.nodes import NODES
from sandbox.world.number import certificate
from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Clock, Far, code_of, taking

HELLO = {"to": "4915112345678", "type": "text", "text": {"body": "Hello"}}
TEMPLATE = {"namespace": "n", "name": "smoke_test", "language": {"policy": "deterministic", "code": "en"}}


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"webhooks": [1]}, 1009),
        ({"webhooks": {"url": "http://evil.example.com/hook"}}, 1009),
        ({"webhooks": {"url": "https://["}}, 1009),
        ({"webhooks": {"max_concurrent_requests": 7}}, 1009),
        ({"webhooks": {"message": {"read": "yes"}}}, 1009),
        ({"callback_backoff_delay_ms": "soon"}, 1009),
        ({"media": {"auto_download": ["films"]}}, 1009),
        ({"callback_persist": 1}, 1009),
        ({"colour": "red"}, 1010),
        ([1], 1009),
    ],
)
async def test_settings_take_only_what_they_know(told: Any, code: int) -> None:
    far = Far.of()
    before = (await far.onprem("GET", "settings/application")).json()
    assert code_of(await far.onprem("PATCH", "settings/application", json=told)) == code
    assert (await far.onprem("GET", "settings/application")).json() == before
    assert (await far.onprem("POST", "messages", json=HELLO)).status_code == 201


@pytest.mark.parametrize("url", ["https://hooks.partner.net/wa", "http://127.0.0.1:9/x", "http://localhost/x", ""])
async def test_a_webhook_is_https_or_on_this_machine(url: str) -> None:
    far = Far.of()
    told = {"webhooks": {"url": url, "max_concurrent_requests": 24}, "callback_backoff_delay_ms": "5000"}
    assert (await far.onprem("PATCH", "settings/application", json=told)).json() is None
    shown = (await far.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert (shown["webhooks"]["url"], shown["callback_backoff_delay_ms"]) == (url, 5000)


@pytest.mark.parametrize("password", ["", "aaaaaaaa", "Sh0rt!", "NoDigits!!", 12345678, None])
async def test_users_are_made_and_changed_with_strong_passwords_only(password: Any) -> None:
    far = Far.of()
    made = await far.onprem("POST", "users", json={"username": "clerk", "password": password})
    assert code_of(made) == 1009
    await far.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})
    assert code_of(await far.onprem("PUT", "users/clerk", json={"password": password})) == 1009
    url = f"{far.row['onprem_url']}/v1/users/login"
    assert (await far.client.post(url, auth=("clerk", "Cl3rk!pass"))).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": None}, 1008),
        ({"to": "nobody"}, 1009),
        ({"to": 4915112345678}, 1009),
        ({"type": "nosuch"}, 1009),
        ({"type": ["text"]}, 1009),
        ({"text": None}, 1008),
        ({"text": "Hello"}, 1008),
        ({"text": {"body": ""}}, 1008),
        ({"text": {"body": "x" * 4097}}, 1001),
        ({"recipient_type": "crowd"}, 1002),
        ({"type": "image"}, 1008),
        ({"type": "template", "template": {"name": "smoke_test"}}, 1008),
        ({"type": "template", "template": TEMPLATE | {"name": "unknown"}}, 2001),
    ],
)
async def test_a_message_is_taken_only_whole(change: dict[str, Any], code: int) -> None:
    far = Far.of()
    assert code_of(await far.onprem("POST", "messages", json=HELLO | change)) == code
    assert code_of(await far.onprem("POST", "messages", json=HELLO | {"to": far.e164[1:]})) == 1021


async def statuses(far: Far) -> list[tuple[str, int | None]]:
    await far.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    heard: list[Delivery] = []
    await far.onprem("POST", "messages", json=HELLO)
    await far.onprem("POST", "messages", json={"to": HELLO["to"], "type": "template", "template": TEMPLATE})
    far.clock.pass_(minutes=1)
    far.sandbox.deliver(taking(heard))
    rows = [json.loads(one.body)["statuses"][0] for one in heard]
    return [(row["status"], row["errors"][0]["code"] if "errors" in row else None) for row in rows]


async def test_text_outside_the_window_fails_later_with_470_and_all_of_it_with_402_for_payment() -> None:
    assert await statuses(Far.of()) == [("failed", 470), ("delivered", None), ("read", None)]
    far = Far.of()
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": f"+{HELLO['to']}"})
    assert await statuses(far) == [("delivered", None), ("delivered", None), ("read", None), ("read", None)]
    assert await statuses(Far.of("payment_problem")) == [("failed", 402), ("failed", 402)]


async def test_with_a_dead_coreapp_its_nodes_answer_1014_and_the_webapp_s_own_do_not() -> None:
    far = Far.of("coreapp_down")
    for (method, path), node in NODES.items():
        if path.startswith("users/"):
            continue
        answer = await far.onprem(method, path.replace("*", "1"), json={})
        passed_on = node.coreapp or node.name == "health"
        assert (code_of(answer) == 1014) is passed_on, path
    through = {path for (_, path), node in NODES.items() if node.coreapp}
    assert {"account/shards", "settings/business/profile", "settings/profile/about", "media"} < through


async def test_of_a_pair_of_coreapps_one_owns_everything() -> None:
    far = Far.of("high_availability")
    nodes = list((await far.onprem("GET", "support")).json()["support"].values())
    assert [(node["role"], node["socket_conn"], node["shards"]) for node in nodes] == [
        ("primary_master", "DN", []),
        ("secondary_master", "DN", []),
        ("coreapp", "UP", [[-1, -1], [0, 0]]),
        ("coreapp", "DN", []),
    ]
    far = Far.of("multiconnect")
    nodes = list((await far.onprem("GET", "support")).json()["support"].values())
    assert [node["socket_conn"] for node in nodes] == ["UP", "UP", "UP"]
    gc = (await far.onprem("PUT", "services/media/gc")).json()["services"]["media"]["gc"]
    assert [row["status"] for row in gc.values()] == ["processing"] * 2


async def test_the_key_of_the_manifest_opens_health() -> None:
    far = Far.of()
    headers = {"Authorization": f"Apikey {far.row['api_key']}"}
    for path, status in (("health", 200), ("settings/application", 401)):
        assert (await far.client.get(f"{far.row['onprem_url']}/v1/{path}", headers=headers)).status_code == status
    assert 12 <= len(far.row["api_key"]) <= 128


async def test_stats_come_as_prometheus_reads_them() -> None:
    far = Far.of()
    await far.onprem("POST", "messages", json=HELLO)
    told = await far.onprem("GET", "stats/app?format=prometheus")
    assert told.headers["content-type"].startswith("text/plain")
    assert "# TYPE callback_requests counter" in told.text
    assert "\ncallback_queue_size 1\n" in told.text
    kinds = {name: row["type"] for name, row in (await far.onprem("GET", "stats/app")).json()["stats"]["app"].items()}
    counters = ("callback_requests", "callback_requests_duration_ms_count", "endpoint_requests")
    assert kinds == {"callback_queue_size": "gauge"} | dict.fromkeys(counters, "counter")


# -- other ages


async def test_an_older_client_knows_nobody_it_has_not_looked_up() -> None:
    far = Far.told("{kind: healthy, client_version: 2.41.2}")
    assert (await far.onprem("GET", "health")).json()["meta"]["version"] == "2.41.2"
    assert (await far.onprem("POST", "messages", json=HELLO)).status_code == 404
    asked = {"contacts": [f"+{HELLO['to']}", "+4915110000"]}
    rows = (await far.onprem("POST", "contacts", json=asked)).json()["contacts"]
    assert [row["status"] for row in rows] == ["processing", "processing"]
    rows = (await far.onprem("POST", "contacts", json=asked | {"blocking": "wait"})).json()["contacts"]
    assert [(row["status"], row.get("wa_id")) for row in rows] == [("valid", HELLO["to"]), ("invalid", None)]
    assert (await far.onprem("POST", "messages", json=HELLO)).status_code == 201
    assert code_of(await far.onprem("POST", "messages", json=HELLO | {"to": "4915110000"})) == 1006
    known = (await far.onprem("GET", "stats/db")).json()["stats"]["db"]["db_contacts"]["data"]
    assert [row["value"] for row in known] == [1, 1]


@pytest.mark.parametrize(("version", "status"), [("2.41.2", 201), ("2.45.1", 400)])
async def test_a_change_of_shards_needs_a_certificate_from_v2_45_on(version: str, status: int) -> None:
    far = Far.told(f"{{kind: multiconnect, client_version: {version}, registered_days_ago: 2}}")
    told = {"cc": far.e164[1:3], "phone_number": far.e164[3:], "shards": 4, "pin": far.row["pin"]}
    assert (await far.onprem("POST", "account/shards", json=told)).status_code == status
    whole = told | {"cert": certificate(far.number), "shards": 8}
    assert (await far.onprem("POST", "account/shards", json=whole)).status_code == 201
    assert len((await far.onprem("GET", "health")).json()["health"]) == 9


async def test_after_seven_days_a_change_of_shards_costs_the_connection() -> None:
    far = Far.told("{kind: multiconnect, registered_days_ago: 7}")
    told = {"cc": far.e164[1:3], "phone_number": far.e164[3:], "shards": 4, "pin": far.row["pin"]}
    whole = told | {"cert": certificate(far.number)}
    assert (await far.onprem("POST", "account/shards", json=whole)).status_code == 201
    assert far.number.side == "on_premises"
    far.clock.pass_(seconds=1)
    assert (await far.onprem("POST", "account/shards", json=whole)).status_code == 201
    assert (far.number.side, (await far.onprem("POST", "messages", json=HELLO)).status_code) == ("neither", 503)


# -- switches, by what the far side answers


@pytest.mark.parametrize(("value", "status"), [(403, 403), (401, 401)])
async def test_who_is_no_admin_is_told_so(value: int, status: int) -> None:
    far = Far.of(non_admin_status=value)
    await far.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})
    login = await far.client.post(f"{far.row['onprem_url']}/v1/users/login", auth=("clerk", "Cl3rk!pass"))
    far.tokens[far.e164] = login.json()["users"][0]["token"]
    answer = await far.onprem("POST", "settings/backup", json={"password": "x"})
    assert (answer.status_code, code_of(answer)) == (status, 1005)


@pytest.mark.parametrize(("value", "status"), [("live", 200), ("die", 401)])
async def test_another_login_ends_earlier_tokens_or_not(value: str, status: int) -> None:
    far = Far.of(old_login_tokens=value)
    assert (await far.onprem("GET", "health")).status_code == 200
    await far.login()
    assert (await far.onprem("GET", "health")).status_code == status


@pytest.mark.parametrize("value", [1009, 1014])
async def test_the_code_of_a_restore_that_cannot_be(value: int) -> None:
    far = Far.of(restore_refused_code=value)
    told = {"data": "V0FCSw==", "password": "x"}
    assert code_of(await far.onprem("POST", "settings/restore", json=told)) == value


@pytest.mark.parametrize("value", [1014, 1011])
async def test_the_code_of_a_backup_of_a_client_that_does_not_serve(value: int) -> None:
    far = Far.of(backup_not_running_code=value)
    await far.register(backup=await far.backup())
    assert code_of(await far.onprem("POST", "settings/backup", json={"password": "x"})) == value


@pytest.mark.parametrize("code", [1009, 1005])
@pytest.mark.parametrize("pin", [1005, 1008, 1009])
async def test_the_codes_of_a_wrong_code_and_a_missing_pin(code: int, pin: int) -> None:
    far = Far.of(world="open", onprem_verify_wrong_code=code, onprem_pin_missing_code=pin)
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "wipe"})
    far.tokens.clear()
    told = {"cc": far.e164[1:3], "phone_number": far.e164[3:], "method": "sms", "cert": certificate(far.number)}
    assert code_of(await far.onprem("POST", "account", json=told)) == pin
    assert (await far.onprem("POST", "account", json=told | {"pin": far.row["pin"]})).status_code == 202
    assert code_of(await far.onprem("POST", "account/verify", json={"code": "1"})) == code


@pytest.mark.parametrize(("value", "status"), [("accepted", 200), ("refused", 500)])
async def test_an_expired_client_makes_a_backup_or_not(value: str, status: int) -> None:
    clock = Clock(Clock().at.replace(year=2026))
    far = Far.of("expired", world="after-sunset", clock=clock, expired_backup=value)
    answer = await far.onprem("POST", "settings/backup", json={"password": "x"})
    assert answer.status_code == status


@pytest.mark.parametrize("value", ["DISCONNECTED", "CONNECTED"])
async def test_graph_shows_a_stopped_client_s_number_connected_or_not(value: str) -> None:
    far = Far.of(status_when_stopped=value)
    assert far.sandbox.stop_instance(far.row["instance"])
    assert await far.shows("platform_type", "status") == ["ON_PREMISE", value]
    assert await far.oracle("POST", "inbound", json={"e164": far.e164}) == {"delivered_to": None}


async def test_an_upgrade_is_told_by_health_while_the_rest_waits() -> None:
    far = Far.told("{kind: healthy, client: uninitialized}")
    assert await far.health() == "uninitialized"
    assert code_of(await far.onprem("GET", "support")) == 1011
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "upgraded"})
    assert await far.health() == "connected"


async def test_a_clean_node_takes_the_number_over_by_a_restore_and_the_first_one_is_out() -> None:
    far = Far.told("{kind: healthy, spare_client: true}")
    backup, spare = await far.backup(), far.row["spare"]
    login = await far.client.post(f"{spare['onprem_url']}/v1/users/login", auth=("admin", spare["password"]))
    bearer = {"Authorization": f"Bearer {login.json()['users'][0]['token']}"}

    async def at_spare(method: str, path: str, **how: Any) -> httpx.Response:
        return await far.client.request(method, f"{spare['onprem_url']}/v1/{path}", headers=bearer, **how)

    assert (await at_spare("GET", "health")).json()["health"]["gateway_status"] == "unregistered"
    assert (await at_spare("POST", "settings/restore", json=backup)).status_code == 200
    assert (await at_spare("GET", "health")).json()["health"]["gateway_status"] == "connected"
    assert await far.health() == "disconnected"
    assert code_of(await far.onprem("POST", "messages", json=HELLO)) == 1011
    assert (await at_spare("POST", "messages", json=HELLO)).status_code == 201
    taken = await at_spare("POST", "settings/backup", json={"password": "w"})
    data = {"data": taken.json()["settings"]["data"], "password": "w"}
    assert (await far.register(backup=data)).status_code == 200
    assert (await at_spare("GET", "health")).json()["health"]["gateway_status"] == "disconnected"
