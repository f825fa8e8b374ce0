"""Other calls of an On-Premises client: certificates, media providers, rights, tokens, statistics."""

from typing import Any

import pytest

from tests.sandbox.partner import Clock, Partner, error_code_of, recording_receiver


async def test_restore_on_clean_node_restores_settings() -> None:
    """A backup includes the application settings, and so the address of webhooks."""
    partner = Partner.of(world="open")
    settings: dict[str, Any] = {
        "webhooks": {"url": "https://old.partner.net/hook"},
        "media": {"auto_download": ["image"]},
    }
    await partner.onprem("PATCH", "settings/application", json=settings)
    backup = await partner.backup()
    await partner.act_on_client("wipe")
    partner.tokens.clear()
    assert "url" not in (await _settings(partner))["webhooks"]
    assert (await partner.onprem("POST", "settings/restore", json=backup)).status_code == 200
    restored = await _settings(partner)
    assert (restored["webhooks"]["url"], restored["media"]) == (settings["webhooks"]["url"], settings["media"])


async def _settings(partner: Partner) -> dict[str, Any]:
    settings: dict[str, Any] = (await partner.onprem("GET", "settings/application")).json()["settings"]["application"]
    return settings


async def test_certificates_and_media_providers_are_stored() -> None:
    partner = Partner.of()
    pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    for name, path in (("external", "certificates/external"), ("webhooks", "certificates/webhooks/ca")):
        assert (await partner.onprem("GET", f"certificates/{name}/ca")).status_code == 404
        assert error_code_of(await partner.onprem("POST", path, content=b"none")) == 1009
        assert (await partner.onprem("POST", path, content=pem)).json() is None
        assert (await partner.onprem("GET", f"certificates/{name}/ca")).content == pem
    assert (await partner.onprem("DELETE", "certificates/webhooks/ca")).status_code == 200
    assert (await partner.onprem("GET", "certificates/webhooks/ca")).status_code == 404
    providers_path = "settings/application/media/providers"
    provider = {"name": "ours", "type": "www", "config": {"bearer": "x"}}
    assert error_code_of(await partner.onprem("POST", providers_path, json=provider)) == 1009
    assert error_code_of(await partner.onprem("POST", providers_path, json=[provider | {"config": {}}])) == 1009
    assert (await partner.onprem("POST", providers_path, json=[provider])).status_code == 200
    providers = (await partner.onprem("GET", providers_path)).json()["settings"]["application"]["media"]["providers"]
    assert providers == [provider]
    assert (await partner.onprem("DELETE", f"{providers_path}/ours")).status_code == 200
    assert (await partner.onprem("DELETE", f"{providers_path}/ours")).status_code == 404


@pytest.mark.parametrize("raw", [b"[1]", b'"x"', b"7", b"\xff\xfe{", b"{", b"pin=1", b"[" * 9_000])
async def test_body_that_is_not_a_json_object_is_1009_and_no_body_is_empty(raw: bytes) -> None:
    partner = Partner.of()
    paths = ("settings/backup", "settings/restore", "messages", "contacts", "settings/business/profile", "users")
    for path in (*paths, "account", "account/verify", "account/shards", "settings/account/two-step"):
        assert error_code_of(await partner.onprem("POST", path, content=raw)) == 1009, path
        for empty_body in (b"", b" ", b"null"):
            response = await partner.onprem("POST", path, content=empty_body)
            assert error_code_of(response) in (1008, 1009, 1000, None), path
    assert (await partner.onprem("PATCH", "settings/application", content=b"")).status_code == 200


async def test_calls_open_to_users_who_are_not_admin() -> None:
    """Only registration, two-step, backup, settings, certificates and users need an admin."""
    partner = Partner.of()
    for name in ("clerk", "other"):
        await partner.onprem("POST", "users", json={"username": name, "password": "Cl3rk!pass"})
    login = await partner.client.post(f"{partner.row['onprem_url']}/v1/users/login", auth=("clerk", "Cl3rk!pass"))
    partner.tokens[partner.e164] = login.json()["users"][0]["token"]
    assert (await partner.onprem("PUT", "services/message/gc")).status_code == 200
    body = {"password": "N3w!password"}
    statuses = {
        name: (await partner.onprem("PUT", f"users/{name}", json=body)).status_code for name in ("clerk", "other")
    }
    assert statuses == {"clerk": 200, "other": 403}
    assert (await partner.onprem("DELETE", "users/clerk")).status_code == 403


async def test_head_is_answered_as_get() -> None:
    partner = Partner.of()
    assert (await partner.onprem("HEAD", "health")).status_code == 200
    assert (await partner.onprem("HEAD", "nothing")).status_code == 404
    assert [call.write for call in partner.sandbox.world.calls if call.method == "HEAD"] == [False, False]


async def test_token_expires_after_exactly_seven_days() -> None:
    clock = Clock()
    partner = Partner.of(clock=clock)
    await partner.onprem("GET", "health")
    clock.advance(days=7, seconds=-1)
    assert (await partner.onprem("GET", "health")).status_code == 200
    clock.advance(seconds=1)
    assert (await partner.onprem("GET", "health")).status_code == 401


async def test_client_counts_calls_and_webhook_results() -> None:
    partner = Partner.of()
    await partner.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    await partner.onprem("GET", "media/none")
    await partner.onprem("GET", "nothing/at/all")
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    for status in (500, 200):
        partner.sandbox.deliver(recording_receiver([], status))
        partner.clock.advance(seconds=4)
    stats = (await partner.onprem("GET", "stats/app")).json()["stats"]["app"]
    rows = [(row["labels"]["type"], row["labels"]["result"]) for row in stats["callback_requests"]["data"]]
    assert rows == [("inbound_message", "error"), ("inbound_message", "ok")]
    metrics = (await partner.onprem("GET", "metrics")).json()["metrics"]
    calls = [
        (row["labels"]["method"], row["labels"]["result"]) for row in metrics["api_requests_duration_ms_sum"]["data"]
    ]
    assert calls == [
        ("GET_v1_media_id", "error"),
        ("GET_v1_stats_app", "ok"),
        ("GET_v1_unknown", "error"),
        ("PATCH_v1_settings_application", "ok"),
        ("POST_v1_users_login", "ok"),
    ]
    assert metrics["web_requests"]["data"] == [{"value": 5}]
    await partner.act_on_client("start")
    partner.clock.advance(seconds=90)
    assert (await partner.onprem("GET", "metrics")).json()["metrics"]["web_uptime"]["data"] == [{"value": 90}]


async def test_stopped_client_sends_and_counts_no_webhook() -> None:
    partner = Partner.of()
    await partner.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    await partner.act_on_client("stop")
    assert partner.sandbox.deliver(recording_receiver([])) == 0
    await partner.act_on_client("start")
    assert (await partner.onprem("GET", "stats/app")).json()["stats"]["app"]["callback_requests"]["data"] == []
