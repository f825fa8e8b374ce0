"""What an On-Premises client refuses, and its responses in older versions and with several nodes."""

import json
from typing import Any

import httpx
import pytest

from sandbox.onprem.nodes import NODES
from sandbox.world.number import certificate
from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Clock, Partner, error_code_of, recording_receiver

HELLO = {"to": "4915112345678", "type": "text", "text": {"body": "Hello"}}
TEMPLATE = {"namespace": "n", "name": "smoke_test", "language": {"policy": "deterministic", "code": "en"}}


@pytest.mark.parametrize(
    ("settings", "error_code"),
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
async def test_invalid_settings_are_refused_and_change_nothing(settings: Any, error_code: int) -> None:
    partner = Partner.of()
    before = (await partner.onprem("GET", "settings/application")).json()
    assert error_code_of(await partner.onprem("PATCH", "settings/application", json=settings)) == error_code
    assert (await partner.onprem("GET", "settings/application")).json() == before
    assert (await partner.onprem("POST", "messages", json=HELLO)).status_code == 201


@pytest.mark.parametrize("url", ["https://hooks.partner.net/wa", "http://127.0.0.1:9/x", "http://localhost/x", ""])
async def test_webhook_url_is_https_or_local(url: str) -> None:
    partner = Partner.of()
    settings = {"webhooks": {"url": url, "max_concurrent_requests": 24}, "callback_backoff_delay_ms": "5000"}
    assert (await partner.onprem("PATCH", "settings/application", json=settings)).json() is None
    saved = (await partner.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert (saved["webhooks"]["url"], saved["callback_backoff_delay_ms"]) == (url, 5000)


@pytest.mark.parametrize("password", ["", "aaaaaaaa", "Sh0rt!", "NoDigits!!", 12345678, None])
async def test_weak_passwords_are_refused(password: Any) -> None:
    partner = Partner.of()
    response = await partner.onprem("POST", "users", json={"username": "clerk", "password": password})
    assert error_code_of(response) == 1009
    await partner.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})
    assert error_code_of(await partner.onprem("PUT", "users/clerk", json={"password": password})) == 1009
    url = f"{partner.row['onprem_url']}/v1/users/login"
    assert (await partner.client.post(url, auth=("clerk", "Cl3rk!pass"))).status_code == 200


@pytest.mark.parametrize(
    ("change", "error_code"),
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
async def test_incomplete_message_is_refused(change: dict[str, Any], error_code: int) -> None:
    partner = Partner.of()
    assert error_code_of(await partner.onprem("POST", "messages", json=HELLO | change)) == error_code
    assert error_code_of(await partner.onprem("POST", "messages", json=HELLO | {"to": partner.e164[1:]})) == 1021


async def reported_statuses(partner: Partner) -> list[tuple[str, int | None]]:
    await partner.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    deliveries: list[Delivery] = []
    await partner.onprem("POST", "messages", json=HELLO)
    await partner.onprem("POST", "messages", json={"to": HELLO["to"], "type": "template", "template": TEMPLATE})
    partner.clock.advance(minutes=1)
    partner.sandbox.deliver(recording_receiver(deliveries))
    rows = [json.loads(delivery.body)["statuses"][0] for delivery in deliveries]
    return [(row["status"], row["errors"][0]["code"] if "errors" in row else None) for row in rows]


async def test_text_outside_window_fails_with_470_and_payment_problem_with_402() -> None:
    assert await reported_statuses(Partner.of()) == [("failed", 470), ("delivered", None), ("read", None)]
    partner = Partner.of()
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": f"+{HELLO['to']}"})
    assert await reported_statuses(partner) == [
        ("delivered", None),
        ("delivered", None),
        ("read", None),
        ("read", None),
    ]
    assert await reported_statuses(Partner.of("payment_problem")) == [("failed", 402), ("failed", 402)]


async def test_only_coreapp_nodes_answer_1014_when_coreapp_is_down() -> None:
    partner = Partner.of("coreapp_down")
    for (method, path), node in NODES.items():
        if path.startswith("users/"):
            continue
        response = await partner.onprem(method, path.replace("*", "1"), json={})
        passed_on = node.coreapp or node.name == "health"
        assert (error_code_of(response) == 1014) is passed_on, path
    coreapp_paths = {path for (_, path), node in NODES.items() if node.coreapp}
    assert {"account/shards", "settings/business/profile", "settings/profile/about", "media"} < coreapp_paths


async def test_one_coreapp_of_a_pair_owns_all_shards() -> None:
    partner = Partner.of("high_availability")
    nodes = list((await partner.onprem("GET", "support")).json()["support"].values())
    assert [(node["role"], node["socket_conn"], node["shards"]) for node in nodes] == [
        ("primary_master", "DN", []),
        ("secondary_master", "DN", []),
        ("coreapp", "UP", [[-1, -1], [0, 0]]),
        ("coreapp", "DN", []),
    ]
    partner = Partner.of("multiconnect")
    nodes = list((await partner.onprem("GET", "support")).json()["support"].values())
    assert [node["socket_conn"] for node in nodes] == ["UP", "UP", "UP"]
    collections = (await partner.onprem("PUT", "services/media/gc")).json()["services"]["media"]["gc"]
    assert [row["status"] for row in collections.values()] == ["processing"] * 2


async def test_manifest_api_key_reads_health() -> None:
    partner = Partner.of()
    headers = {"Authorization": f"Apikey {partner.row['api_key']}"}
    for path, status in (("health", 200), ("settings/application", 401)):
        assert (
            await partner.client.get(f"{partner.row['onprem_url']}/v1/{path}", headers=headers)
        ).status_code == status
    assert 12 <= len(partner.row["api_key"]) <= 128


async def test_stats_in_prometheus_format() -> None:
    partner = Partner.of()
    await partner.onprem("POST", "messages", json=HELLO)
    response = await partner.onprem("GET", "stats/app?format=prometheus")
    assert response.headers["content-type"].startswith("text/plain")
    assert "# TYPE callback_requests counter" in response.text
    assert "\ncallback_queue_size 1\n" in response.text
    kinds = {
        name: row["type"] for name, row in (await partner.onprem("GET", "stats/app")).json()["stats"]["app"].items()
    }
    counters = ("callback_requests", "callback_requests_duration_ms_count", "endpoint_requests")
    assert kinds == {"callback_queue_size": "gauge"} | dict.fromkeys(counters, "counter")


# -- older and changed clients


async def test_older_client_requires_contact_lookup() -> None:
    partner = Partner.from_row("{kind: healthy, client_version: 2.41.2}")
    assert (await partner.onprem("GET", "health")).json()["meta"]["version"] == "2.41.2"
    assert (await partner.onprem("POST", "messages", json=HELLO)).status_code == 404
    body = {"contacts": [f"+{HELLO['to']}", "+4915110000"]}
    rows = (await partner.onprem("POST", "contacts", json=body)).json()["contacts"]
    assert [row["status"] for row in rows] == ["processing", "processing"]
    rows = (await partner.onprem("POST", "contacts", json=body | {"blocking": "wait"})).json()["contacts"]
    assert [(row["status"], row.get("wa_id")) for row in rows] == [("valid", HELLO["to"]), ("invalid", None)]
    assert (await partner.onprem("POST", "messages", json=HELLO)).status_code == 201
    assert error_code_of(await partner.onprem("POST", "messages", json=HELLO | {"to": "4915110000"})) == 1006
    counts = (await partner.onprem("GET", "stats/db")).json()["stats"]["db"]["db_contacts"]["data"]
    assert [row["value"] for row in counts] == [1, 1]


@pytest.mark.parametrize(("version", "status"), [("2.41.2", 201), ("2.45.1", 400)])
async def test_shard_change_needs_certificate_since_v2_45(version: str, status: int) -> None:
    partner = Partner.from_row(f"{{kind: multiconnect, client_version: {version}, registered_days_ago: 2}}")
    body = {"cc": partner.e164[1:3], "phone_number": partner.e164[3:], "shards": 4, "pin": partner.row["pin"]}
    assert (await partner.onprem("POST", "account/shards", json=body)).status_code == status
    complete_body = body | {"cert": certificate(partner.number), "shards": 8}
    assert (await partner.onprem("POST", "account/shards", json=complete_body)).status_code == 201
    assert len((await partner.onprem("GET", "health")).json()["health"]) == 9


async def test_shard_change_after_seven_days_disconnects() -> None:
    partner = Partner.from_row("{kind: multiconnect, registered_days_ago: 7}")
    body = {"cc": partner.e164[1:3], "phone_number": partner.e164[3:], "shards": 4, "pin": partner.row["pin"]}
    complete_body = body | {"cert": certificate(partner.number)}
    assert (await partner.onprem("POST", "account/shards", json=complete_body)).status_code == 201
    assert partner.number.side == "on_premises"
    partner.clock.advance(seconds=1)
    assert (await partner.onprem("POST", "account/shards", json=complete_body)).status_code == 201
    assert (partner.number.side, (await partner.onprem("POST", "messages", json=HELLO)).status_code) == ("neither", 503)


# -- responses that a switch decides


@pytest.mark.parametrize(("value", "status"), [(403, 403), (401, 401)])
async def test_status_for_user_who_is_not_admin(value: int, status: int) -> None:
    partner = Partner.of(non_admin_status=value)
    await partner.onprem("POST", "users", json={"username": "clerk", "password": "Cl3rk!pass"})
    login = await partner.client.post(f"{partner.row['onprem_url']}/v1/users/login", auth=("clerk", "Cl3rk!pass"))
    partner.tokens[partner.e164] = login.json()["users"][0]["token"]
    response = await partner.onprem("POST", "settings/backup", json={"password": "x"})
    assert (response.status_code, error_code_of(response)) == (status, 1005)


@pytest.mark.parametrize(("value", "status"), [("live", 200), ("die", 401)])
async def test_login_can_end_earlier_tokens(value: str, status: int) -> None:
    partner = Partner.of(old_login_tokens=value)
    assert (await partner.onprem("GET", "health")).status_code == 200
    await partner.login()
    assert (await partner.onprem("GET", "health")).status_code == status


@pytest.mark.parametrize("value", [1009, 1014])
async def test_error_code_of_refused_restore(value: int) -> None:
    partner = Partner.of(restore_refused_code=value)
    body = {"data": "V0FCSw==", "password": "x"}
    assert error_code_of(await partner.onprem("POST", "settings/restore", json=body)) == value


@pytest.mark.parametrize("value", [1014, 1011])
async def test_error_code_of_backup_while_not_serving(value: int) -> None:
    partner = Partner.of(backup_not_running_code=value)
    await partner.register(backup=await partner.backup())
    assert error_code_of(await partner.onprem("POST", "settings/backup", json={"password": "x"})) == value


@pytest.mark.parametrize("wrong_code_error", [1009, 1005])
@pytest.mark.parametrize("missing_pin_error", [1005, 1008, 1009])
async def test_error_codes_of_wrong_code_and_missing_pin(wrong_code_error: int, missing_pin_error: int) -> None:
    partner = Partner.of(
        world="open", onprem_verify_wrong_code=wrong_code_error, onprem_pin_missing_code=missing_pin_error
    )
    await partner.act_on_client("wipe")
    partner.tokens.clear()
    body = {
        "cc": partner.e164[1:3],
        "phone_number": partner.e164[3:],
        "method": "sms",
        "cert": certificate(partner.number),
    }
    assert error_code_of(await partner.onprem("POST", "account", json=body)) == missing_pin_error
    assert (await partner.onprem("POST", "account", json=body | {"pin": partner.row["pin"]})).status_code == 202
    assert error_code_of(await partner.onprem("POST", "account/verify", json={"code": "1"})) == wrong_code_error


@pytest.mark.parametrize(("value", "status"), [("accepted", 200), ("refused", 500)])
async def test_backup_of_expired_client(value: str, status: int) -> None:
    clock = Clock(Clock().time.replace(year=2026))
    partner = Partner.of("expired", world="after-sunset", clock=clock, expired_backup=value)
    response = await partner.onprem("POST", "settings/backup", json={"password": "x"})
    assert response.status_code == status


@pytest.mark.parametrize("value", ["DISCONNECTED", "CONNECTED"])
async def test_graph_status_of_stopped_client(value: str) -> None:
    partner = Partner.of(status_when_stopped=value)
    assert partner.sandbox.stop_instance(partner.row["instance"])
    assert await partner.read_fields("platform_type", "status") == ["ON_PREMISE", value]
    assert await partner.oracle("POST", "inbound", json={"e164": partner.e164}) == {"delivered_to": None}


async def test_health_shows_upgrade_while_other_calls_wait() -> None:
    partner = Partner.from_row("{kind: healthy, client: uninitialized}")
    assert await partner.gateway_status() == "uninitialized"
    assert error_code_of(await partner.onprem("GET", "support")) == 1011
    await partner.act_on_client("upgraded")
    assert await partner.gateway_status() == "connected"


async def test_restore_on_clean_node_disconnects_first_client() -> None:
    partner = Partner.from_row("{kind: healthy, spare_client: true}")
    backup, spare = await partner.backup(), partner.row["spare"]
    login = await partner.client.post(f"{spare['onprem_url']}/v1/users/login", auth=("admin", spare["password"]))
    bearer = {"Authorization": f"Bearer {login.json()['users'][0]['token']}"}

    async def call_spare(method: str, path: str, **options: Any) -> httpx.Response:
        return await partner.client.request(method, f"{spare['onprem_url']}/v1/{path}", headers=bearer, **options)

    assert (await call_spare("GET", "health")).json()["health"]["gateway_status"] == "unregistered"
    assert (await call_spare("POST", "settings/restore", json=backup)).status_code == 200
    assert (await call_spare("GET", "health")).json()["health"]["gateway_status"] == "connected"
    assert await partner.gateway_status() == "disconnected"
    assert error_code_of(await partner.onprem("POST", "messages", json=HELLO)) == 1011
    assert (await call_spare("POST", "messages", json=HELLO)).status_code == 201
    response = await call_spare("POST", "settings/backup", json={"password": "w"})
    data = {"data": response.json()["settings"]["data"], "password": "w"}
    assert (await partner.register(backup=data)).status_code == 200
    assert (await call_spare("GET", "health")).json()["health"]["gateway_status"] == "disconnected"
