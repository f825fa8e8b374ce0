"""`register` and `deregister`: the move, its limits, and the effect of a wrong PIN."""

import pytest

from tests.sandbox.partner import CODE_REQUEST, Clock, Partner, error_code_of


async def test_register_with_backup_needs_no_code() -> None:
    partner = Partner.of()
    assert await partner.read_fields("status", "platform_type") == ["CONNECTED", "ON_PREMISE"]
    response = await partner.register(backup=await partner.backup())
    assert response.json() == {"success": True}
    assert await partner.read_fields("status", "platform_type") == ["CONNECTED", "CLOUD_API"]
    assert await partner.gateway_status() == "disconnected"
    assert (partner.number.side, partner.number.registered, partner.number.double_effects) == ("cloud", 1, 0)
    assert partner.sandbox.mutations(partner.e164) == ("register",)


async def test_success_can_be_a_string() -> None:
    partner = Partner.of(success_as="string")
    assert (await partner.register(backup=await partner.backup())).json() == {"success": "true"}


@pytest.mark.parametrize("shown", ["disconnected", "unregistered"])
async def test_client_health_after_move(shown: str) -> None:
    partner = Partner.of(health_after_move=shown)
    await partner.register(backup=await partner.backup())
    assert await partner.gateway_status() == shown


async def test_register_without_backup_needs_verified_number() -> None:
    partner = Partner.of()
    assert error_code_of(await partner.register()) == 133006
    assert partner.number.side == "on_premises"
    await partner.verify()
    assert (await partner.register()).status_code == 200
    assert (partner.number.side, await partner.gateway_status()) == ("cloud", "disconnected")


async def test_register_without_backup_loses_profile_and_official_status() -> None:
    partner = Partner.of("official", "official")
    await partner.verify()
    await partner.register()
    assert partner.number.profile == {}
    assert not partner.number.official
    partner.selected = 1
    await partner.register(backup=await partner.backup())
    assert partner.number.profile["email"]
    assert partner.number.official


async def test_profile_can_be_lost_despite_backup() -> None:
    partner = Partner.of(profile_survives="no")
    await partner.register(backup=await partner.backup())
    assert (await partner.phone("GET", "whatsapp_business_profile?fields=about,email")).json() == {
        "data": [{"messaging_product": "whatsapp"}]
    }


async def test_wrong_pin_takes_number_down_on_both_sides() -> None:
    partner = Partner.of()
    backup = await partner.backup()
    response = await partner.register(pin=wrong_pin(partner), backup=backup)
    assert (response.status_code, error_code_of(response)) == (400, 133005)
    assert await partner.gateway_status() == "disconnected"
    assert await partner.read_fields("status", "platform_type") == ["DISCONNECTED", "NOT_APPLICABLE"]
    assert (partner.number.side, partner.number.wrong_pins) == ("neither", 1)
    partner.clock.advance(minutes=4)
    assert (await partner.register(backup=backup)).status_code == 200
    assert partner.number.outage_s == 240


async def test_restart_after_wrong_pin_by_switch() -> None:
    for heals, side in (("no", "neither"), ("yes", "on_premises")):
        partner = Partner.of(restart_heals_wrong_pin=heals)
        await partner.register(pin=wrong_pin(partner), backup=await partner.backup())
        assert partner.sandbox.stop_instance(partner.row["instance"])
        assert partner.sandbox.start_instance(partner.row["instance"])
        assert partner.number.side == side


async def test_wrong_pin_error_code_and_effect_by_switch() -> None:
    partner = Partner.of(wrong_pin_code=131031, wrong_pin_drops_onprem="no")
    assert error_code_of(await partner.register(pin=wrong_pin(partner), backup=await partner.backup())) == 131031
    assert partner.number.side == "on_premises"


async def test_wrong_pins_lock_by_rate_and_by_count() -> None:
    partner = Partner.of(pin_guesses=3)
    backup = await partner.backup()
    error_codes = [error_code_of(await partner.register(pin=wrong_pin(partner), backup=backup)) for _ in range(3)]
    assert error_codes == [133005, 133005, 133009]
    partner.clock.advance(seconds=61)
    assert error_code_of(await partner.register(pin=wrong_pin(partner), backup=backup)) == 133005
    locked = await partner.register(backup=backup)
    assert error_code_of(locked) == 133008
    assert any(char.isdigit() for char in locked.json()["error"]["error_data"]["details"])
    partner.clock.advance(hours=12)
    assert (await partner.register(backup=backup)).status_code == 200


async def test_any_pin_is_accepted_without_two_step() -> None:
    partner = Partner.of("new")
    assert await partner.read_fields("is_pin_enabled", "status") == [False, "PENDING"]
    assert (await partner.register(pin="135790")).status_code == 200
    assert partner.number.pin == "135790"


async def test_eleventh_register_in_72_hours_blocks_for_72_hours() -> None:
    partner = Partner.of()
    for _ in range(10):
        assert error_code_of(await partner.register()) == 133006
        partner.clock.advance(hours=1)
    assert error_code_of(await partner.register(backup=await partner.backup())) == 133016
    partner.clock.advance(hours=71)
    assert error_code_of(await partner.register(backup=await partner.backup())) == 133016
    partner.clock.advance(hours=1, seconds=1)
    assert (await partner.register(backup=await partner.backup())).status_code == 200
    assert (partner.number.registers, partner.number.registered) == (13, 1)


async def test_deregister_has_own_budget() -> None:
    partner = Partner.of("on_cloud")
    for _ in range(10):
        assert (await partner.phone("POST", "deregister")).status_code == 200
        assert (await partner.register()).status_code == 200
    assert error_code_of(await partner.phone("POST", "deregister")) == 133016
    assert partner.number.side == "cloud"


async def test_failed_calls_can_be_left_uncounted() -> None:
    partner = Partner.of(failed_registers_count="no")
    for _ in range(12):
        assert error_code_of(await partner.register()) == 133006


async def test_repeated_register_succeeds_and_counts_as_double_effect() -> None:
    partner = Partner.of("on_cloud")
    assert (await partner.register()).json() == {"success": True}
    assert partner.number.double_effects == 1
    partner = Partner.of("on_cloud", already_registered=100)
    assert error_code_of(await partner.register()) == 100
    assert partner.number.double_effects == 0


async def test_deregistered_number_is_dark_and_can_have_to_wait_five_minutes() -> None:
    partner = Partner.of("on_cloud", deregister_then_133015="true")
    await partner.phone("POST", "deregister")
    assert await partner.read_fields("status", "platform_type") == ["DISCONNECTED", "NOT_APPLICABLE"]
    assert error_code_of(await partner.register()) == 133015
    partner.clock.advance(minutes=5)
    assert (await partner.register()).status_code == 200
    assert partner.number.outage_s == 300


async def test_request_errors_come_before_server_state_errors() -> None:
    partner = Partner.of("on_cloud", deregister_then_133015="true", pin_guesses=1, pin_too_fast_s=0)
    await partner.phone("POST", "deregister")
    assert error_code_of(await partner.register(pin=wrong_pin(partner))) == 133005
    assert error_code_of(await partner.register(backup={"data": "x", "password": "x"})) == 133008, (
        "the lock is checked before the backup"
    )
    partner.clock.advance(hours=13)
    await partner.register()
    partner.number.incomplete_deregistration, partner.number.code_status = True, "NOT_VERIFIED"
    partner.number.platform = "NOT_APPLICABLE"
    assert error_code_of(await partner.register(backup={"data": "x", "password": "x"})) == 100
    assert error_code_of(await partner.register()) == 133006
    partner.number.code_status = "VERIFIED"
    assert error_code_of(await partner.register()) == 133000


async def test_deregister_needs_number_on_cloud() -> None:
    partner = Partner.of()
    assert error_code_of(await partner.phone("POST", "deregister")) == 133010
    assert partner.number.side == "on_premises"


async def test_unfinished_deregistration_must_be_repeated() -> None:
    partner = Partner.of("on_cloud")
    partner.number.incomplete_deregistration = True
    assert error_code_of(await partner.register()) == 133000
    await partner.phone("POST", "deregister")
    assert (await partner.register()).status_code == 200


@pytest.mark.parametrize(("error_code", "drops"), [(100, "no"), (133002, "yes")])
async def test_garbled_backup_is_refused(error_code: int, drops: str) -> None:
    partner = Partner.of(bad_backup_code=error_code, bad_backup_drops_onprem=drops)
    backup = await partner.backup()
    swapped = backup["data"].swapcase()
    assert error_code_of(await partner.register(backup=backup | {"data": swapped})) == error_code
    assert partner.number.side == ("neither" if drops == "yes" else "on_premises")


async def test_backup_is_bound_to_password_and_number() -> None:
    partner = Partner.of("healthy", "healthy")
    backup = await partner.backup()
    assert error_code_of(await partner.register(backup=backup | {"password": "others"})) == 100
    partner.selected = 1
    assert error_code_of(await partner.register(backup=backup)) == 100


async def test_old_backup_by_switch() -> None:
    for accepted, status in (("no", 400), ("yes", 200)):
        partner = Partner.of(old_backup_accepted=accepted)
        backup = await partner.backup()
        partner.clock.advance(hours=25)
        assert (await partner.register(backup=backup)).status_code == status


async def test_embedded_signup_expires_after_14_days() -> None:
    partner = Partner.of("new")
    partner.clock.advance(days=10)
    assert await partner.read_fields("code_verification_status") == ["VERIFIED"]
    partner.clock.advance(days=1)
    assert await partner.read_fields("code_verification_status") == ["EXPIRED"]
    assert error_code_of(await partner.register()) == 133006


@pytest.mark.parametrize("error_code", [133006, 100])
async def test_only_embedded_signup_renews_after_14_days(error_code: int) -> None:
    partner = Partner.of("new", signup_window_code=error_code)
    partner.clock.advance(days=12)
    await partner.verify()
    assert await partner.read_fields("code_verification_status") == ["EXPIRED"]
    assert error_code_of(await partner.register()) == error_code
    assert (await partner.act_in_manager("sign_up"))["done"] == "sign_up"
    partner.clock.advance(days=13)
    assert await partner.read_fields("code_verification_status") == ["VERIFIED"]
    assert (await partner.register()).status_code == 200
    assert "in use" in (await partner.act_in_manager("sign_up"))["error"]


async def test_code_after_14_days_can_renew_signup() -> None:
    partner = Partner.of("new", verify_after_signup_window="renews")
    await partner.verify()  # within the first 14 days: it starts no other 14
    partner.clock.advance(days=12)
    assert await partner.read_fields("code_verification_status") == ["EXPIRED"]
    await partner.verify()
    partner.clock.advance(days=13)
    assert await partner.read_fields("code_verification_status") == ["VERIFIED"]
    partner.clock.advance(days=1)
    assert error_code_of(await partner.register()) == 133006
    await partner.verify()
    assert (await partner.register()).status_code == 200


async def test_dark_verified_number_can_need_new_code() -> None:
    partner = Partner.of(dark_verified_registers="no")
    await partner.verify()
    partner.clock.advance(minutes=1)
    partner.sandbox.stop_instance(partner.row["instance"])
    assert error_code_of(await partner.register()) == 133006
    assert await partner.read_fields("code_verification_status") == ["EXPIRED"]
    await partner.verify()
    assert (await partner.register()).status_code == 200


async def test_register_refusals_by_kind() -> None:
    partner = Partner.of("business_app", "banned", "deleted", "tos_missing")
    errors = []
    for index in range(4):
        partner.selected = index
        errors.append((await partner.register()).json()["error"])
    assert [error["code"] for error in errors] == [100, 368, 33, 100]
    assert "SMB" in errors[0]["message"]
    assert "Terms of Service" in errors[3]["error_data"]["details"]
    partner.selected = 0
    assert await partner.read_fields("platform_type", "is_on_biz_app", "status") == ["ON_PREMISE", True, "DISCONNECTED"]


async def test_terms_are_accepted_per_business() -> None:
    partner = Partner.from_scenario(
        "businesses: [{name: a, terms_accepted: false}, {name: b}]\n"
        "numbers: [{kind: verified, count: 2}, {kind: verified, business: b}]"
    )
    error = (await partner.register()).json()["error"]
    assert (error["code"], "Terms of Service" in error["error_data"]["details"]) == (100, True)
    assert (await partner.read_fields("status"))[0] == "CONNECTED", "reads work without accepted terms"
    partner.selected = 1
    await partner.act_in_manager("accept_terms")
    assert (await partner.register()).status_code == 200
    partner.selected = 0
    assert (await partner.register()).status_code == 200
    bearer = {"Authorization": f"Bearer {partner.manifest['businesses'][1]['token']}"}
    partner.selected = 2
    body = {"messaging_product": "whatsapp", "pin": partner.row["pin"]}
    assert (await partner.phone("POST", "register", json=body, headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"pin": "123456"},
        {"messaging_product": "whatsapp", "pin": "12345"},
        {"messaging_product": "whatsapp", "pin": "123456", "backup": {"data": "x"}},
        {"messaging_product": "whatsapp", "pin": "123456", "backup": "x"},
        {"messaging_product": "whatsapp", "pin": "123456", "data_localization_region": "XX"},
    ],
)
async def test_invalid_register_body_changes_nothing(body: dict[str, object]) -> None:
    partner = Partner.of()
    assert error_code_of(await partner.phone("POST", "register", json=body)) == 100
    assert (partner.number.side, partner.number.wrong_pins) == ("on_premises", 0)


async def test_reads_lag_behind_writes() -> None:
    partner = Partner.of(read_lag_s=5)
    partner.clock.advance(minutes=1)
    await partner.register(backup=await partner.backup())
    assert await partner.read_fields("platform_type") == ["ON_PREMISE"]
    partner.clock.advance(seconds=5)
    assert await partner.read_fields("platform_type") == ["CLOUD_API"]


async def test_two_shards_get_high_throughput_after_maintenance() -> None:
    partner = Partner.of("multiconnect")
    await partner.register(backup=await partner.backup())
    text = {"messaging_product": "whatsapp", "to": "+4915100000000", "type": "text", "text": {"body": "hi"}}
    assert error_code_of(await partner.phone("POST", "messages", json=text)) == 131057
    partner.clock.advance(seconds=60)
    assert (await partner.phone("POST", "messages", json=text)).status_code == 200
    assert await partner.read_fields("throughput", "messaging_limit_tier") == [{"level": "HIGH"}, "TIER_UNLIMITED"]


async def test_new_display_name_needs_approval() -> None:
    partner = Partner.of("on_cloud")
    partner.number.new_name, partner.number.new_name_status = "Other Name", "PENDING_REVIEW"
    await partner.register()
    assert await partner.read_fields("verified_name") != ["Other Name"]
    partner.number.new_name_status = "APPROVED"
    await partner.register()
    assert await partner.read_fields("verified_name") == ["Other Name"]


async def test_duration_of_register_is_an_outage() -> None:
    clock = Clock()
    partner = Partner.of(clock=clock, register_seconds=10)
    partner.sandbox.world.calls_take_time = True
    backup = await partner.backup()
    await partner.register(backup=backup)
    assert partner.number.side == "neither"
    assert await partner.read_fields("platform_type", "status") == ["ON_PREMISE", "DISCONNECTED"]
    assert error_code_of(await partner.register(backup=backup)) == 133004
    assert error_code_of(await partner.register(backup=backup, pin=wrong_pin(partner))) == 133005, (
        "the PIN is checked also while the first call runs"
    )
    clock.advance(seconds=10)
    assert await partner.read_fields("platform_type", "status") == ["CLOUD_API", "CONNECTED"]
    assert 4 <= (partner.number.outage_s or 0) <= 10


async def test_number_of_expired_client_registers_with_code() -> None:
    partner = Partner.of("expired", world="after-sunset", clock=Clock(Clock().time.replace(year=2026)))
    assert (partner.number.instance, partner.number.side) == ("expired", "neither")
    assert (await partner.phone("POST", "request_code", json=CODE_REQUEST)).status_code == 200
    await partner.phone("POST", "verify_code", json={"code": partner.sandbox.sms(partner.e164)[-1]})
    assert (await partner.register()).status_code == 200
    assert partner.number.outage_s is None  # dark on arrival: no call of ours caused it


async def test_pin_in_manifest_can_be_wrong() -> None:
    partner = Partner.of("pin_wrong")
    assert len(partner.row["pin"]) == 6
    assert error_code_of(await partner.register(backup=await partner.backup())) == 133005
    assert partner.number.side == "neither"


def wrong_pin(partner: Partner) -> str:
    return "000000" if partner.row["pin"] != "000000" else "000001"
