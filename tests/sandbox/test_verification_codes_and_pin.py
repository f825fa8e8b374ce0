"""Verification codes and the two-step PIN."""

import pytest

from tests.sandbox.partner import CODE_REQUEST, Partner, error_code_of


async def test_code_verifies_once() -> None:
    partner = Partner.of("dark")
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    code = partner.sandbox.sms(partner.e164)[-1]
    assert await partner.read_fields("code_verification_status") == ["NOT_VERIFIED"]
    assert (await partner.phone("POST", "verify_code", data={"code": code})).json() == {"success": True}
    assert await partner.read_fields("code_verification_status") == ["VERIFIED"]
    assert error_code_of(await partner.phone("POST", "verify_code", data={"code": code})) == 136025


async def test_wrong_code_is_refused_and_right_code_accepted_later() -> None:
    partner = Partner.of("dark")
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    code = partner.sandbox.sms(partner.e164)[-1]
    wrong_code = "111111" if code != "111111" else "222222"
    assert error_code_of(await partner.phone("POST", "verify_code", json={"code": wrong_code})) == 136025
    assert (await partner.phone("POST", "verify_code", json={"code": code})).status_code == 200


async def test_code_expires_after_ten_minutes_and_newer_code_replaces_it() -> None:
    partner = Partner.of("dark")
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    first = partner.sandbox.sms(partner.e164)[-1]
    partner.clock.advance(minutes=10)
    assert error_code_of(await partner.phone("POST", "verify_code", json={"code": first})) == 136025
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    _, second, third = partner.sandbox.sms(partner.e164)
    assert error_code_of(await partner.phone("POST", "verify_code", json={"code": second})) == 136025
    assert (await partner.phone("POST", "verify_code", json={"code": third})).status_code == 200


async def test_code_can_be_delayed_or_lost() -> None:
    partner = Partner.of("first_code_lost", code_delay_s=4)
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    partner.clock.advance(seconds=60)
    assert partner.sandbox.sms(partner.e164) == []
    assert (await partner.oracle("GET", "sms", params={"e164": partner.e164}))["codes"][0] == {
        "code": None,
        "at": (partner.clock.time.replace(minute=0)).isoformat(),
        "method": "SMS",
        "arrived": False,
    }
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    assert partner.sandbox.sms(partner.e164) == []
    partner.clock.advance(seconds=4)
    assert len(partner.sandbox.sms(partner.e164)) == 1


async def test_landline_gets_code_by_voice() -> None:
    partner = Partner.of("landline")
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    assert partner.sandbox.sms(partner.e164) == []
    await partner.phone("POST", "request_code", params={"code_method": "VOICE", "language": "en_US"})
    assert len(partner.sandbox.sms(partner.e164)) == 1
    partner = Partner.of("landline", sms_to_landline="refused")
    assert error_code_of(await partner.phone("POST", "request_code", json=CODE_REQUEST)) == 136024


async def test_code_can_be_refused_while_on_premises() -> None:
    partner = Partner.of("code_refused")
    error = (await partner.phone("POST", "request_code", json=CODE_REQUEST)).json()["error"]
    assert (error["code"], error["error_subcode"], error["is_transient"]) == (136024, 2388091, False)
    partner.sandbox.stop_instance(partner.row["instance"])
    assert (await partner.phone("POST", "request_code", json=CODE_REQUEST)).status_code == 200


async def test_code_requests_are_limited_per_day() -> None:
    partner = Partner.of("dark", codes_a_day=3)
    for _ in range(3):
        assert (await partner.phone("POST", "request_code", json=CODE_REQUEST)).status_code == 200
    assert (await partner.phone("POST", "request_code", json=CODE_REQUEST)).json()["error"]["error_subcode"] == 2388367
    partner.clock.advance(hours=24, seconds=1)
    assert (await partner.phone("POST", "request_code", json=CODE_REQUEST)).status_code == 200


async def test_business_app_number_gets_no_code() -> None:
    partner = Partner.of("business_app")
    assert error_code_of(await partner.phone("POST", "request_code", json=CODE_REQUEST)) == 136024


@pytest.mark.parametrize("body", [{}, {"code_method": "PIGEON", "language": "en"}, {"code_method": "SMS"}])
async def test_code_request_needs_method_and_language(body: dict[str, str]) -> None:
    assert error_code_of(await Partner.of("dark").phone("POST", "request_code", json=body)) == 100


async def test_pin_is_set_without_old_pin() -> None:
    partner = Partner.of("on_cloud")
    assert (await partner.phone("POST", json={"pin": "012345"})).json() == {"success": True}
    assert partner.number.pin == "012345"
    assert error_code_of(await partner.phone("POST", json={"pin": "12345"})) == 100
    assert partner.sandbox.mutations(partner.e164) == ("set_pin", "set_pin")


@pytest.mark.parametrize("kind", ["healthy", "dark"])
async def test_graph_can_refuse_pin_for_number_not_on_cloud(kind: str) -> None:
    partner = Partner.of(kind)
    assert (await partner.phone("POST", json={"pin": "135791"})).status_code == 200
    partner = Partner.of(kind, pin_while_not_on_cloud="refused")
    assert error_code_of(await partner.phone("POST", json={"pin": "135791"})) == 133010


async def test_disconnected_client_cannot_set_pin() -> None:
    partner = Partner.of()
    await partner.register(backup=await partner.backup())
    response = await partner.onprem("POST", "settings/account/two-step", json={"pin": "975310"})
    assert error_code_of(response) == 1014
    assert partner.number.pin == partner.row["pin"]
    assert error_code_of(await partner.onprem("DELETE", "settings/account/two-step")) == 1014


async def test_register_checks_pin_set_on_premises() -> None:
    partner = Partner.of("pin_unknown")
    assert partner.row["pin"] is None
    await partner.onprem("POST", "settings/account/two-step", json={"pin": "975310"})
    assert (await partner.register(pin="975310", backup=await partner.backup())).status_code == 200
    partner = Partner.of("pin_unknown")
    await partner.onprem("DELETE", "settings/account/two-step")
    assert await partner.read_fields("is_pin_enabled") == [False]
    assert (await partner.register(pin="864202", backup=await partner.backup())).status_code == 200
    assert partner.number.pin == "864202"
