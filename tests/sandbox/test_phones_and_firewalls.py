"""The world between: phones that hear no code, firewalls, services of a client, and errors in all their variety."""

import httpx
import pytest

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import CODE, Far, code_of


async def codes(far: Far, method: str) -> int:
    await far.phone("POST", "request_code", json=CODE | {"code_method": method})
    return len(far.sandbox.sms(far.e164))


async def test_a_machine_that_answers_calls_hears_only_a_code_that_is_made_for_it() -> None:
    far = Far.told("{kind: no_backup, voice_answered_by: ivr}")
    assert [await codes(far, method) for method in ("VOICE", "IVR", "SMS")] == [0, 1, 2]


async def test_codes_can_come_twice_or_to_somebody_else() -> None:
    far = Far.told("{kind: no_backup, code_copies: 2}")
    assert await codes(far, "SMS") == 2
    first, second = far.sandbox.sms(far.e164)
    assert first == second
    assert (await far.phone("POST", "verify_code", json={"code": first})).status_code == 200
    assert code_of(await far.phone("POST", "verify_code", json={"code": second})) == 136025
    assert await codes(Far.told("{kind: no_backup, wrong_number: true}"), "SMS") == 0


async def test_behind_a_firewall_a_client_is_silent_and_serves() -> None:
    far = Far.told("{kind: healthy, firewall: true}")
    with pytest.raises(httpx.ConnectTimeout):
        await far.login()
    assert (far.number.side, far.number.instance) == ("on_premises", "connected")
    assert await far.oracle("POST", "inbound", json={"e164": far.e164}) == {"delivered_to": "on_premises"}
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "firewall_down"})
    assert await far.health() == "connected"
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": "firewall_up"})
    with pytest.raises(httpx.ConnectTimeout):
        await far.health()


@pytest.mark.parametrize("what", ["message", "media"])
async def test_garbage_is_collected_and_told_with_services_alone(what: str) -> None:
    far = Far.of()
    await far.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    answer = await far.onprem("PUT", f"services/{what}/gc")
    assert answer.json()["services"] == {what: {"gc": {"status": "processing"}}}
    bodies: list[bytes] = []

    def take(delivery: Delivery) -> int:
        bodies.append(delivery.body)
        return 200

    far.sandbox.deliver(take)
    assert bodies[0].startswith(b'{"services":[{"')


async def test_errors_come_in_all_their_variety_and_keep_their_code() -> None:
    far = Far.of("on_cloud", noise="on")
    errors = [(await far.phone("POST", "register", json={"pin": "1"})).json()["error"] for _ in range(8)]
    assert {error["code"] for error in errors} == {100}
    assert {type(error.get("error_data")) for error in errors} == {str, dict}
    assert {"fbtrace_id" in error for error in errors} == {True, False}
    titles = {error.get("error_user_title") for error in errors}
    assert None in titles
    assert len(titles) > 1
