"""Verification codes and the two-step PIN."""

import pytest

from tests.sandbox.partner import CODE, Far, code_of


async def test_a_code_verifies_once() -> None:
    far = Far.of("dark")
    await far.phone("POST", "request_code", json=CODE)
    code = far.sandbox.sms(far.e164)[-1]
    assert await far.shows("code_verification_status") == ["NOT_VERIFIED"]
    assert (await far.phone("POST", "verify_code", data={"code": code})).json() == {"success": True}
    assert await far.shows("code_verification_status") == ["VERIFIED"]
    assert code_of(await far.phone("POST", "verify_code", data={"code": code})) == 136025


async def test_a_wrong_code_is_refused_and_a_later_right_one_is_not() -> None:
    far = Far.of("dark")
    await far.phone("POST", "request_code", json=CODE)
    code = far.sandbox.sms(far.e164)[-1]
    other = "111111" if code != "111111" else "222222"
    assert code_of(await far.phone("POST", "verify_code", json={"code": other})) == 136025
    assert (await far.phone("POST", "verify_code", json={"code": code})).status_code == 200


async def test_a_code_dies_after_ten_minutes_and_a_newer_one_replaces_it() -> None:
    far = Far.of("dark")
    await far.phone("POST", "request_code", json=CODE)
    first = far.sandbox.sms(far.e164)[-1]
    far.clock.pass_(minutes=10)
    assert code_of(await far.phone("POST", "verify_code", json={"code": first})) == 136025
    await far.phone("POST", "request_code", json=CODE)
    await far.phone("POST", "request_code", json=CODE)
    _, second, third = far.sandbox.sms(far.e164)
    assert code_of(await far.phone("POST", "verify_code", json={"code": second})) == 136025
    assert (await far.phone("POST", "verify_code", json={"code": third})).status_code == 200


async def test_codes_take_time_and_the_first_may_be_lost() -> None:
    far = Far.of("first_code_lost", code_delay_s=4)
    await far.phone("POST", "request_code", json=CODE)
    far.clock.pass_(seconds=60)
    assert far.sandbox.sms(far.e164) == []
    assert (await far.oracle("GET", "sms", params={"e164": far.e164}))["codes"][0] == {
        "code": None,
        "at": (far.clock.at.replace(minute=0)).isoformat(),
        "method": "SMS",
        "arrived": False,
    }
    await far.phone("POST", "request_code", json=CODE)
    assert far.sandbox.sms(far.e164) == []
    far.clock.pass_(seconds=4)
    assert len(far.sandbox.sms(far.e164)) == 1


async def test_a_landline_hears_its_code() -> None:
    far = Far.of("landline")
    await far.phone("POST", "request_code", json=CODE)
    assert far.sandbox.sms(far.e164) == []
    await far.phone("POST", "request_code", params={"code_method": "VOICE", "language": "en_US"})
    assert len(far.sandbox.sms(far.e164)) == 1
    far = Far.of("landline", sms_to_landline="refused")
    assert code_of(await far.phone("POST", "request_code", json=CODE)) == 136024


async def test_a_code_may_be_refused_until_the_number_is_off_on_premises() -> None:
    far = Far.of("code_refused")
    error = (await far.phone("POST", "request_code", json=CODE)).json()["error"]
    assert (error["code"], error["error_subcode"], error["is_transient"]) == (136024, 2388091, False)
    far.sandbox.stop_instance(far.row["instance"])
    assert (await far.phone("POST", "request_code", json=CODE)).status_code == 200


async def test_too_many_codes_close_the_door_for_a_day() -> None:
    far = Far.of("dark", codes_a_day=3)
    for _ in range(3):
        assert (await far.phone("POST", "request_code", json=CODE)).status_code == 200
    assert (await far.phone("POST", "request_code", json=CODE)).json()["error"]["error_subcode"] == 2388367
    far.clock.pass_(hours=24, seconds=1)
    assert (await far.phone("POST", "request_code", json=CODE)).status_code == 200


async def test_a_number_on_the_business_app_gets_no_code() -> None:
    far = Far.of("business_app")
    assert code_of(await far.phone("POST", "request_code", json=CODE)) == 136024


@pytest.mark.parametrize("body", [{}, {"code_method": "PIGEON", "language": "en"}, {"code_method": "SMS"}])
async def test_a_code_wants_a_method_and_a_language(body: dict[str, str]) -> None:
    assert code_of(await Far.of("dark").phone("POST", "request_code", json=body)) == 100


async def test_the_pin_is_replaced_without_the_old_one() -> None:
    far = Far.of("on_cloud")
    assert (await far.phone("POST", json={"pin": "012345"})).json() == {"success": True}
    assert far.number.pin == "012345"
    assert code_of(await far.phone("POST", json={"pin": "12345"})) == 100
    assert far.sandbox.mutations(far.e164) == ("set_pin", "set_pin")


@pytest.mark.parametrize("kind", ["healthy", "dark"])
async def test_graph_may_refuse_a_pin_for_a_number_that_is_not_on_cloud(kind: str) -> None:
    far = Far.of(kind)
    assert (await far.phone("POST", json={"pin": "135791"})).status_code == 200
    far = Far.of(kind, pin_while_not_on_cloud="refused")
    assert code_of(await far.phone("POST", json={"pin": "135791"})) == 133010


async def test_a_client_that_is_not_connected_cannot_set_the_pin() -> None:
    far = Far.of()
    await far.register(backup=await far.backup())
    answer = await far.onprem("POST", "settings/account/two-step", json={"pin": "975310"})
    assert code_of(answer) == 1014
    assert far.number.pin == far.row["pin"]
    assert code_of(await far.onprem("DELETE", "settings/account/two-step")) == 1014


async def test_the_pin_set_or_turned_off_on_premises_is_the_pin_of_register() -> None:
    far = Far.of("pin_unknown")
    assert far.row["pin"] is None
    await far.onprem("POST", "settings/account/two-step", json={"pin": "975310"})
    assert (await far.register(pin="975310", backup=await far.backup())).status_code == 200
    far = Far.of("pin_unknown")
    await far.onprem("DELETE", "settings/account/two-step")
    assert await far.shows("is_pin_enabled") == [False]
    assert (await far.register(pin="864202", backup=await far.backup())).status_code == 200
    assert far.number.pin == "864202"
