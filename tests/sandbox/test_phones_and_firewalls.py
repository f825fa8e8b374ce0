"""Phones that get no code, firewalls, garbage collection of a client, and the formats of errors."""

import httpx
import pytest

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import CODE_REQUEST, Partner, error_code_of


async def received_codes(partner: Partner, method: str) -> int:
    await partner.phone("POST", "request_code", json=CODE_REQUEST | {"code_method": method})
    return len(partner.sandbox.sms(partner.e164))


async def test_voice_menu_receives_only_ivr_codes() -> None:
    partner = Partner.from_row("{kind: no_backup, voice_answered_by: ivr}")
    assert [await received_codes(partner, method) for method in ("VOICE", "IVR", "SMS")] == [0, 1, 2]


async def test_codes_can_be_duplicated_or_misdelivered() -> None:
    partner = Partner.from_row("{kind: no_backup, code_copies: 2}")
    assert await received_codes(partner, "SMS") == 2
    first, second = partner.sandbox.sms(partner.e164)
    assert first == second
    assert (await partner.phone("POST", "verify_code", json={"code": first})).status_code == 200
    assert error_code_of(await partner.phone("POST", "verify_code", json={"code": second})) == 136025
    assert await received_codes(Partner.from_row("{kind: no_backup, wrong_number: true}"), "SMS") == 0


async def test_firewalled_client_times_out_and_still_serves() -> None:
    partner = Partner.from_row("{kind: healthy, firewall: true}")
    with pytest.raises(httpx.ConnectTimeout):
        await partner.login()
    assert (partner.number.side, partner.number.instance) == ("on_premises", "connected")
    assert await partner.oracle("POST", "inbound", json={"e164": partner.e164}) == {"delivered_to": "on_premises"}
    await partner.act_on_client("firewall_down")
    assert await partner.gateway_status() == "connected"
    await partner.act_on_client("firewall_up")
    with pytest.raises(httpx.ConnectTimeout):
        await partner.gateway_status()


@pytest.mark.parametrize("service", ["message", "media"])
async def test_garbage_collection_callback_has_only_services(service: str) -> None:
    partner = Partner.of()
    await partner.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    response = await partner.onprem("PUT", f"services/{service}/gc")
    assert response.json()["services"] == {service: {"gc": {"status": "processing"}}}
    bodies: list[bytes] = []

    def receive(delivery: Delivery) -> int:
        bodies.append(delivery.body)
        return 200

    partner.sandbox.deliver(receive)
    assert bodies[0].startswith(b'{"services":[{"')


async def test_error_formats_vary_and_keep_error_code() -> None:
    partner = Partner.of("on_cloud", noise="on")
    errors = [(await partner.phone("POST", "register", json={"pin": "1"})).json()["error"] for _ in range(8)]
    assert {error["code"] for error in errors} == {100}
    assert {type(error.get("error_data")) for error in errors} == {str, dict}
    assert {"fbtrace_id" in error for error in errors} == {True, False}
    titles = {error.get("error_user_title") for error in errors}
    assert None in titles
    assert len(titles) > 1
