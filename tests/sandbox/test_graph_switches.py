"""Switches whose every value the far side can be told apart by: what it answers under each."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox.open_questions import switch_specs
from tests.sandbox.partner import CODE, Clock, Far, code_of
from tests.sandbox.test_register import wrong
from tests.sandbox.test_webhooks import APP, TEMPLATE, TEXT, Receiver, app_call, listening

Answers = Callable[..., Awaitable[Any]]


async def _set_pin(**chosen: Any) -> Any:
    far = Far.of(pin_while_not_on_cloud="refused", **chosen)
    return code_of(await far.phone("POST", json={"pin": "135790"}))


async def _terms(**chosen: Any) -> Any:
    return code_of(await Far.of("tos_missing", **chosen).register())


async def _wrong_code(**chosen: Any) -> Any:
    far = Far.of("dark", **chosen)
    await far.phone("POST", "request_code", json=CODE)
    return code_of(await far.phone("POST", "verify_code", json={"code": "x"}))


async def _handshake(**chosen: Any) -> Any:
    """The code of an address that does not verify itself, and whether it was taken."""
    far = Far.of(**chosen)
    Receiver(far, token="ours")
    code = code_of(await app_call(far, APP, "theirs"))
    return code, far.sandbox.world.apps[far.manifest["app_id"]].callback_url is not None


async def _lock(**chosen: Any) -> Any:
    """After how many seconds a number is open again that one wrong PIN has locked."""
    far = Far.of(pin_guesses=1, pin_too_fast_s=0, **chosen)
    backup = await far.backup()
    assert code_of(await far.register(pin=wrong(far), backup=backup)) == 133005
    for seconds in (0, 1, 98, 1):
        far.clock.pass_(seconds=seconds)
        if (code := code_of(await far.register(backup=backup))) is None:
            return _since(far)
        assert code == 133008
    return None


async def _too_fast(**chosen: Any) -> Any:
    """What a third wrong PIN gets, each 10 seconds after the one before."""
    far = Far.of(pin_guesses=0, **chosen)
    backup, codes = await far.backup(), []
    for _ in range(3):
        codes.append(code_of(await far.register(pin=wrong(far), backup=backup)))
        far.clock.pass_(seconds=10)
    return codes[-1]


async def _code_lives(**chosen: Any) -> Any:
    """Whether a code is taken after five minutes."""
    far = Far.of("dark", **chosen)
    await far.phone("POST", "request_code", json=CODE)
    far.clock.pass_(minutes=5)
    return code_of(await far.phone("POST", "verify_code", json={"code": far.sandbox.sms(far.e164)[-1]}))


async def _code_tries(**chosen: Any) -> Any:
    """What the right code gets after five wrong ones."""
    far = Far.of("dark", **chosen)
    await far.phone("POST", "request_code", json=CODE)
    for _ in range(5):
        await far.phone("POST", "verify_code", json={"code": "x"})
    return code_of(await far.phone("POST", "verify_code", json={"code": far.sandbox.sms(far.e164)[-1]}))


async def _old_backup(**chosen: Any) -> Any:
    """What a backup of five hours ago gets."""
    far = Far.of(**chosen)
    backup = await far.backup()
    far.clock.pass_(hours=5)
    return code_of(await far.register(backup=backup))


async def _late_backup(**chosen: Any) -> Any:
    """What a fresh backup gets a year after the sunset."""
    clock = Clock(datetime.fromisoformat("2026-11-23T20:00:00Z"))
    far = Far.of("expired", world="after-sunset", clock=clock, expired_backup="accepted", **chosen)
    return code_of(await far.register(backup=await far.backup()))


async def _unverified(**chosen: Any) -> Any:
    """The side of a number after a `register` that is refused for its code, not for its PIN."""
    far = Far.of(**chosen)
    assert code_of(await far.register()) == 133006
    return far.number.side, await far.health()


async def _password(**chosen: Any) -> Any:
    far = Far.of(**chosen)
    return code_of(await far.register(backup=await far.backup() | {"password": "others"}))


async def _foreign(**chosen: Any) -> Any:
    far = Far.of("healthy", "healthy", **chosen)
    backup = await far.backup()
    far.at = 1
    return code_of(await far.register(backup=backup))


async def _stale(**chosen: Any) -> Any:
    return await _old_backup(old_backup_hours=1, **chosen)


async def _pin_apart(**chosen: Any) -> Any:
    """Whether the move takes the PIN that Graph was told while the number was On-Premises."""
    far = Far.of(**chosen)
    assert (await far.phone("POST", json={"pin": "135790"})).json() == {"success": True}
    return code_of(await far.register(pin="135790", backup=await far.backup()))


async def _storage(**chosen: Any) -> Any:
    """What setting storage by settings answers, and where a number stores that was registered with a region."""
    far = Far.of(**chosen)
    wanted = {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}
    code = code_of(await far.phone("POST", "settings", json={"storage_configuration": wanted}))
    far = Far.of(**chosen)
    body = {"messaging_product": "whatsapp", "pin": far.row["pin"], "data_localization_region": "BR"}
    assert (await far.phone("POST", "register", json=body | {"backup": await far.backup()})).status_code == 200
    told = (await far.phone("GET", "settings")).json()["storage_configuration"]
    return code, told.get("data_localization_region")


async def _business_app(**chosen: Any) -> Any:
    far = Far.of("business_app", **chosen)
    said = [(await far.register()).json()["error"] for _ in range(2)]
    assert {one["code"] for one in said} == {100}
    return ["SMB" in one["message"] for one in said]


async def _banned(**chosen: Any) -> Any:
    return code_of(await Far.of("banned", **chosen).register())


async def _health(**chosen: Any) -> Any:
    [health] = await Far.of("dark", **chosen).shows("health_status")
    phone = health["entities"][0]
    assert (health["can_send_message"], phone["can_send_message"]) == ("BLOCKED", "BLOCKED")
    return [error["error_code"] for error in phone.get("errors", [])]


async def _gaps(**chosen: Any) -> Any:
    """When a webhook that nobody takes comes, in seconds from the first time."""
    far, receiver = await listening(**chosen)
    receiver.status = 500
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    found = []
    for _ in range(40):
        if receiver.hear():
            found.append(_since(far))
        far.clock.pass_(seconds=1)
    return found


async def _plus(**chosen: Any) -> Any:
    """Whether each recipient, with and without +, got the sender's country code in front."""
    far = Far.of("on_cloud", **chosen)
    found = []
    for to in ("+15551234567", "15551234567"):
        answer = await far.phone("POST", "messages", json=TEMPLATE | {"to": to})
        found.append(answer.json()["contacts"][0]["wa_id"] == far.number.digits[:2] + "15551234567")
    return found


async def _future(**chosen: Any) -> Any:
    far = Far.of(clock=Clock(datetime.fromisoformat("2026-11-23T20:00:00Z")), **chosen)
    bearer = {"Authorization": f"Bearer {far.manifest['token']}"}
    found = []
    for version in ("v99.0", "v26.0", "v20.0"):
        answer = await far.client.get(f"/{version}/{far.row['phone_number_id']}", headers=bearer)
        found.append(code_of(answer) or answer.headers["facebook-api-version"])
    return found


def _since(far: Far) -> float:
    return (far.clock.at - Clock().at) / timedelta(seconds=1)


ANSWERS: list[tuple[str, Any, Answers, Any]] = [
    ("pin_refused_code", 133010, _set_pin, 133010),
    ("pin_refused_code", 100, _set_pin, 100),
    ("pin_while_not_on_cloud", "accepted", _pin_apart, None),
    ("pin_while_not_on_cloud", "onprem_keeps", _pin_apart, 133005),
    ("pin_lock_s", 1, _lock, 1),
    ("pin_lock_s", 100, _lock, 100),
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
    ("refused_register_drops_onprem", "no", _unverified, ("on_premises", "connected")),
    ("refused_register_drops_onprem", "yes", _unverified, ("neither", "disconnected")),
    ("old_backup_hours", 4, _old_backup, 100),
    ("old_backup_hours", 6, _old_backup, None),
    ("old_backup_code", "same", _stale, 100),
    ("old_backup_code", 133002, _stale, 133002),
    ("backup_after_sunset", "accepted", _late_backup, None),
    ("backup_after_sunset", "refused", _late_backup, 100),
    ("backup_password_code", "same", _password, 100),
    ("backup_password_code", 133002, _password, 133002),
    ("foreign_backup_code", "same", _foreign, 100),
    ("foreign_backup_code", 133002, _foreign, 133002),
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
    ("webhook_first_gap_s", 5, _gaps, [0, 5, 15, 35]),
    ("webhook_first_gap_s", 16, _gaps, [0, 16]),
    ("webhook_longest_gap_s", 7, _gaps, [0, 5, 12, 19, 26, 33]),
    ("storage_set_by", "both", _storage, (None, "BR")),
    ("storage_set_by", "settings", _storage, (None, None)),
    ("storage_set_by", "register", _storage, (100, "BR")),
    ("to_without_plus", "as_it_is", _plus, [False, False]),
    ("to_without_plus", "country_added", _plus, [False, True]),
    ("unknown_version", "newest", _future, ["v26.0", "v26.0", "v21.0"]),
    ("unknown_version", "refused", _future, [2500, "v26.0", "v21.0"]),
    ("health_unregistered", 133010, _health, [133010]),
    ("health_unregistered", "no_code", _health, []),
]


@pytest.mark.parametrize(
    ("name", "value", "ask", "expected"), ANSWERS, ids=lambda one: getattr(one, "__name__", str(one)[:30])
)
async def test_what_the_far_side_answers(name: str, value: Any, ask: Answers, expected: Any) -> None:
    assert await ask(**{name: value}) == expected


def test_every_named_value_of_these_switches_was_asked() -> None:
    asked: dict[str, set[str]] = {}
    for name, value, _, _ in ANSWERS:
        asked.setdefault(name, set()).add(str(value))
    left = {name: set(switch_specs()[name].texts) - values for name, values in asked.items()}
    # `same` is one of the codes, and a PIN that is refused has a code of its own above.
    assert {name: found for name, found in left.items() if found} == {
        "pin_while_not_on_cloud": {"refused"},
        "old_backup_code": {"100"},
        "backup_password_code": {"100"},
        "foreign_backup_code": {"100"},
    }


async def test_after_five_wrong_codes_another_one_has_to_be_asked_for() -> None:
    far = Far.of("dark")
    await far.phone("POST", "request_code", json=CODE)
    for _ in range(5):
        await far.phone("POST", "verify_code", json={"code": "x"})
    await far.verify()
    assert await far.shows("code_verification_status") == ["VERIFIED"]
    assert code_of(await far.phone("POST", "messages", json=TEXT)) == 133010
