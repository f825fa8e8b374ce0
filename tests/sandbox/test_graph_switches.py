"""What Graph answers under each value of the switches for undocumented behaviour."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox.open_questions import switch_specs
from tests.sandbox.partner import CODE_REQUEST, Clock, Partner, error_code_of
from tests.sandbox.test_register import wrong_pin
from tests.sandbox.webhook_receiver import APP_URL, TEMPLATE, TEXT, Receiver, set_callback_url, subscribed_partner

Probe = Callable[..., Awaitable[Any]]


async def _set_pin(**switch_values: Any) -> Any:
    partner = Partner.of(pin_while_not_on_cloud="refused", **switch_values)
    return error_code_of(await partner.phone("POST", json={"pin": "135790"}))


async def _terms(**switch_values: Any) -> Any:
    return error_code_of(await Partner.of("tos_missing", **switch_values).register())


async def _wrong_code(**switch_values: Any) -> Any:
    partner = Partner.of("dark", **switch_values)
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    return error_code_of(await partner.phone("POST", "verify_code", json={"code": "x"}))


async def _handshake(**switch_values: Any) -> Any:
    """The error code for a callback address that fails verification, and whether the address was stored."""
    partner = Partner.of(**switch_values)
    Receiver(partner, verify_token="ours")
    error_code = error_code_of(await set_callback_url(partner, APP_URL, "theirs"))
    return error_code, partner.sandbox.world.apps[partner.manifest["app_id"]].callback_url is not None


async def _pin_lock_seconds(**switch_values: Any) -> Any:
    """The seconds after which the right PIN is accepted again after a wrong one locked the number; at most 100."""
    partner = Partner.of(pin_guesses=1, pin_too_fast_s=0, **switch_values)
    backup = await partner.backup()
    assert error_code_of(await partner.register(pin=wrong_pin(partner), backup=backup)) == 133005
    for seconds in (0, 1, 98, 1):
        partner.clock.advance(seconds=seconds)
        if (error_code := error_code_of(await partner.register(backup=backup))) is None:
            return _elapsed_seconds(partner)
        assert error_code == 133008
    return None


async def _too_fast(**switch_values: Any) -> Any:
    """The error code of the third of three wrong PINs, sent 10 seconds apart."""
    partner = Partner.of(pin_guesses=0, **switch_values)
    backup, error_codes = await partner.backup(), []
    for _ in range(3):
        error_codes.append(error_code_of(await partner.register(pin=wrong_pin(partner), backup=backup)))
        partner.clock.advance(seconds=10)
    return error_codes[-1]


async def _code_lives(**switch_values: Any) -> Any:
    """The error code for a verification code that is five minutes old; None if it is accepted."""
    partner = Partner.of("dark", **switch_values)
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    partner.clock.advance(minutes=5)
    return error_code_of(
        await partner.phone("POST", "verify_code", json={"code": partner.sandbox.sms(partner.e164)[-1]})
    )


async def _code_tries(**switch_values: Any) -> Any:
    """The error code for the right verification code after five wrong ones; None if it is accepted."""
    partner = Partner.of("dark", **switch_values)
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    for _ in range(5):
        await partner.phone("POST", "verify_code", json={"code": "x"})
    return error_code_of(
        await partner.phone("POST", "verify_code", json={"code": partner.sandbox.sms(partner.e164)[-1]})
    )


async def _old_backup(**switch_values: Any) -> Any:
    """The error code for a backup that is five hours old; None if it is accepted."""
    partner = Partner.of(**switch_values)
    backup = await partner.backup()
    partner.clock.advance(hours=5)
    return error_code_of(await partner.register(backup=backup))


async def _late_backup(**switch_values: Any) -> Any:
    """The error code for a new backup a year after the sunset; None if it is accepted."""
    clock = Clock(datetime.fromisoformat("2026-11-23T20:00:00Z"))
    partner = Partner.of("expired", world="after-sunset", clock=clock, expired_backup="accepted", **switch_values)
    return error_code_of(await partner.register(backup=await partner.backup()))


async def _refused_for_code(**switch_values: Any) -> Any:
    """The number's side and its client's health after a `register` that is refused with 133006."""
    partner = Partner.of(**switch_values)
    assert error_code_of(await partner.register()) == 133006
    return partner.number.side, await partner.gateway_status()


async def _password(**switch_values: Any) -> Any:
    partner = Partner.of(**switch_values)
    return error_code_of(await partner.register(backup=await partner.backup() | {"password": "others"}))


async def _foreign_backup(**switch_values: Any) -> Any:
    partner = Partner.of("healthy", "healthy", **switch_values)
    backup = await partner.backup()
    partner.selected = 1
    return error_code_of(await partner.register(backup=backup))


async def _stale_backup(**switch_values: Any) -> Any:
    return await _old_backup(old_backup_hours=1, **switch_values)


async def _pin_kept_on_premises(**switch_values: Any) -> Any:
    """The error code of a `register` with the PIN that was set by Graph while the number was On-Premises."""
    partner = Partner.of(**switch_values)
    assert (await partner.phone("POST", json={"pin": "135790"})).json() == {"success": True}
    return error_code_of(await partner.register(pin="135790", backup=await partner.backup()))


async def _storage(**switch_values: Any) -> Any:
    """The error code of setting storage by `settings`, and the region of a number registered with a region."""
    partner = Partner.of(**switch_values)
    settings = {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}
    error_code = error_code_of(await partner.phone("POST", "settings", json={"storage_configuration": settings}))
    partner = Partner.of(**switch_values)
    body = {"messaging_product": "whatsapp", "pin": partner.row["pin"], "data_localization_region": "BR"}
    assert (await partner.phone("POST", "register", json=body | {"backup": await partner.backup()})).status_code == 200
    storage = (await partner.phone("GET", "settings")).json()["storage_configuration"]
    return error_code, storage.get("data_localization_region")


async def _business_app(**switch_values: Any) -> Any:
    partner = Partner.of("business_app", **switch_values)
    errors = [(await partner.register()).json()["error"] for _ in range(2)]
    assert {error["code"] for error in errors} == {100}
    return ["SMB" in error["message"] for error in errors]


async def _banned(**switch_values: Any) -> Any:
    return error_code_of(await Partner.of("banned", **switch_values).register())


async def _health(**switch_values: Any) -> Any:
    [health] = await Partner.of("dark", **switch_values).read_fields("health_status")
    phone = health["entities"][0]
    assert (health["can_send_message"], phone["can_send_message"]) == ("BLOCKED", "BLOCKED")
    return [error["error_code"] for error in phone.get("errors", [])]


async def _retry_times(**switch_values: Any) -> Any:
    """The seconds from the first delivery at which a webhook that is always refused is sent."""
    partner, receiver = await subscribed_partner(**switch_values)
    receiver.status = 500
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    times = []
    for _ in range(40):
        if receiver.collect():
            times.append(_elapsed_seconds(partner))
        partner.clock.advance(seconds=1)
    return times


async def _country_code_added(**switch_values: Any) -> Any:
    """For a recipient with + and one without: whether the sender's country code was put before it."""
    partner = Partner.of("on_cloud", **switch_values)
    added = []
    for to in ("+15551234567", "15551234567"):
        response = await partner.phone("POST", "messages", json=TEMPLATE | {"to": to})
        added.append(response.json()["contacts"][0]["wa_id"] == partner.number.digits[:2] + "15551234567")
    return added


async def _unknown_versions(**switch_values: Any) -> Any:
    partner = Partner.of(clock=Clock(datetime.fromisoformat("2026-11-23T20:00:00Z")), **switch_values)
    bearer = {"Authorization": f"Bearer {partner.manifest['token']}"}
    outcomes = []
    for version in ("v99.0", "v26.0", "v20.0"):
        response = await partner.client.get(f"/{version}/{partner.row['phone_number_id']}", headers=bearer)
        outcomes.append(error_code_of(response) or response.headers["facebook-api-version"])
    return outcomes


def _elapsed_seconds(partner: Partner) -> float:
    return (partner.clock.time - Clock().time) / timedelta(seconds=1)


CASES: list[tuple[str, Any, Probe, Any]] = [
    ("pin_refused_code", 133010, _set_pin, 133010),
    ("pin_refused_code", 100, _set_pin, 100),
    ("pin_while_not_on_cloud", "accepted", _pin_kept_on_premises, None),
    ("pin_while_not_on_cloud", "onprem_keeps", _pin_kept_on_premises, 133005),
    ("pin_lock_s", 1, _pin_lock_seconds, 1),
    ("pin_lock_s", 100, _pin_lock_seconds, 100),
    ("pin_too_fast_s", 0, _too_fast, 133005),
    ("pin_too_fast_s", 5, _too_fast, 133005),
    ("pin_too_fast_s", 60, _too_fast, 133009),
    ("tos_code", 100, _terms, 100),
    ("tos_code", 200, _terms, 200),
    ("tos_code", 133004, _terms, 133004),
    ("business_app_text", "in_turn", _business_app, [True, False]),
    ("business_app_text", "smb", _business_app, [True, True]),
    ("business_app_text", "missing_permission", _business_app, [False, False]),
    ("banned_register_code", 368, _banned, 368),
    ("banned_register_code", 131031, _banned, 131031),
    ("refused_register_drops_onprem", "no", _refused_for_code, ("on_premises", "connected")),
    ("refused_register_drops_onprem", "yes", _refused_for_code, ("neither", "disconnected")),
    ("old_backup_hours", 4, _old_backup, 100),
    ("old_backup_hours", 6, _old_backup, None),
    ("old_backup_code", "same", _stale_backup, 100),
    ("old_backup_code", 133002, _stale_backup, 133002),
    ("backup_after_sunset", "accepted", _late_backup, None),
    ("backup_after_sunset", "refused", _late_backup, 100),
    ("backup_password_code", "same", _password, 100),
    ("backup_password_code", 133002, _password, 133002),
    ("foreign_backup_code", "same", _foreign_backup, 100),
    ("foreign_backup_code", 133002, _foreign_backup, 133002),
    ("verify_wrong_code", 136025, _wrong_code, 136025),
    ("verify_wrong_code", 100, _wrong_code, 100),
    ("code_minutes", 4, _code_lives, 136025),
    ("code_minutes", 6, _code_lives, None),
    ("code_tries", 5, _code_tries, 136025),
    ("code_tries", 6, _code_tries, None),
    ("code_tries", 0, _code_tries, None),
    ("webhook_handshake", "yes", _handshake, (2200, False)),
    ("webhook_handshake", "no", _handshake, (None, True)),
    ("handshake_refused_code", 2200, _handshake, (2200, False)),
    ("handshake_refused_code", 100, _handshake, (100, False)),
    ("webhook_first_gap_s", 5, _retry_times, [0, 5, 15, 35]),
    ("webhook_first_gap_s", 16, _retry_times, [0, 16]),
    ("webhook_longest_gap_s", 7, _retry_times, [0, 5, 12, 19, 26, 33]),
    ("storage_set_by", "both", _storage, (None, "BR")),
    ("storage_set_by", "settings", _storage, (None, None)),
    ("storage_set_by", "register", _storage, (100, "BR")),
    ("to_without_plus", "as_it_is", _country_code_added, [False, False]),
    ("to_without_plus", "country_added", _country_code_added, [False, True]),
    ("unknown_version", "newest", _unknown_versions, ["v26.0", "v26.0", "v21.0"]),
    ("unknown_version", "refused", _unknown_versions, [2500, "v26.0", "v21.0"]),
    ("health_unregistered", 133010, _health, [133010]),
    ("health_unregistered", "no_code", _health, []),
]


@pytest.mark.parametrize(
    ("name", "value", "probe", "expected"), CASES, ids=lambda value: getattr(value, "__name__", str(value)[:30])
)
async def test_graph_response_for_each_switch_value(name: str, value: Any, probe: Probe, expected: Any) -> None:
    assert await probe(**{name: value}) == expected


def test_every_named_value_of_each_switch_is_tested() -> None:
    tested: dict[str, set[str]] = {}
    for name, value, _, _ in CASES:
        tested.setdefault(name, set()).add(str(value))
    untested = {name: set(switch_specs()[name].texts) - values for name, values in tested.items()}
    # `same` equals one of the codes; `refused` is covered by `pin_refused_code`.
    assert {name: values for name, values in untested.items() if values} == {
        "pin_while_not_on_cloud": {"refused"},
        "old_backup_code": {"100"},
        "backup_password_code": {"100"},
        "foreign_backup_code": {"100"},
    }


async def test_five_wrong_codes_require_new_code() -> None:
    partner = Partner.of("dark")
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    for _ in range(5):
        await partner.phone("POST", "verify_code", json={"code": "x"})
    await partner.verify()
    assert await partner.read_fields("code_verification_status") == ["VERIFIED"]
    assert error_code_of(await partner.phone("POST", "messages", json=TEXT)) == 133010
