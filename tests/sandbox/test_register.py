"""`register` and `deregister`: the move, its limits, and what a wrong PIN does."""

import pytest

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from tests.sandbox.partner import CODE, Clock, Far, code_of


async def test_register_with_backup_moves_the_number_without_a_code() -> None:
    far = Far.of()
    assert await far.shows("status", "platform_type") == ["CONNECTED", "ON_PREMISE"]
    answer = await far.register(backup=await far.backup())
    assert answer.json() == {"success": True}
    assert await far.shows("status", "platform_type") == ["CONNECTED", "CLOUD_API"]
    assert await far.health() == "disconnected"
    assert (far.number.side, far.number.registered, far.number.double_effects) == ("cloud", 1, 0)
    assert far.sandbox.mutations(far.e164) == ("register",)


async def test_success_can_be_the_string_that_older_pages_show() -> None:
    far = Far.of(success_as="string")
    assert (await far.register(backup=await far.backup())).json() == {"success": "true"}


@pytest.mark.parametrize("shown", ["disconnected", "unregistered"])
async def test_the_old_client_shows_that_its_number_is_gone(shown: str) -> None:
    far = Far.of(health_after_move=shown)
    await far.register(backup=await far.backup())
    assert await far.health() == shown


async def test_register_without_backup_needs_a_verified_number() -> None:
    far = Far.of()
    assert code_of(await far.register()) == 133006
    assert far.number.side == "on_premises"
    await far.verify()
    assert (await far.register()).status_code == 200
    assert (far.number.side, await far.health()) == ("cloud", "disconnected")


async def test_without_backup_profile_and_official_status_are_lost() -> None:
    far = Far.of("official", "official")
    await far.verify()
    await far.register()
    assert far.number.profile == {}
    assert not far.number.official
    far.at = 1
    await far.register(backup=await far.backup())
    assert far.number.profile["email"]
    assert far.number.official


async def test_the_profile_may_be_lost_in_spite_of_a_backup() -> None:
    far = Far.of(profile_survives="no")
    await far.register(backup=await far.backup())
    assert (await far.phone("GET", "whatsapp_business_profile?fields=about,email")).json() == {
        "data": [{"messaging_product": "whatsapp"}]
    }


async def test_a_wrong_pin_takes_the_number_down_on_both_sides() -> None:
    far = Far.of()
    backup = await far.backup()
    answer = await far.register(pin=wrong(far), backup=backup)
    assert (answer.status_code, code_of(answer)) == (400, 133005)
    assert await far.health() == "disconnected"
    assert await far.shows("status", "platform_type") == ["DISCONNECTED", "NOT_APPLICABLE"]
    assert (far.number.side, far.number.wrong_pins) == ("neither", 1)
    far.clock.pass_(minutes=4)
    assert (await far.register(backup=backup)).status_code == 200
    assert far.number.outage_s == 240


async def test_a_restart_does_not_heal_a_wrong_pin_unless_it_does() -> None:
    for heals, side in (("no", "neither"), ("yes", "on_premises")):
        far = Far.of(restart_heals_wrong_pin=heals)
        await far.register(pin=wrong(far), backup=await far.backup())
        assert far.sandbox.stop_instance(far.row["instance"])
        assert far.sandbox.start_instance(far.row["instance"])
        assert far.number.side == side


async def test_a_wrong_pin_may_answer_131031_and_may_leave_on_premises_alone() -> None:
    far = Far.of(wrong_pin_code=131031, wrong_pin_drops_onprem="no")
    assert code_of(await far.register(pin=wrong(far), backup=await far.backup())) == 131031
    assert far.number.side == "on_premises"


async def test_wrong_pins_are_locked_out_too_fast_then_too_many() -> None:
    far = Far.of(pin_guesses=3)
    backup = await far.backup()
    codes = [code_of(await far.register(pin=wrong(far), backup=backup)) for _ in range(3)]
    assert codes == [133005, 133005, 133009]
    far.clock.pass_(seconds=61)
    assert code_of(await far.register(pin=wrong(far), backup=backup)) == 133005
    locked = await far.register(backup=backup)
    assert code_of(locked) == 133008
    assert any(char.isdigit() for char in locked.json()["error"]["error_data"]["details"])
    far.clock.pass_(hours=12)
    assert (await far.register(backup=backup)).status_code == 200


async def test_without_two_step_any_pin_becomes_the_pin() -> None:
    far = Far.of("new")
    assert await far.shows("is_pin_enabled", "status") == [False, "PENDING"]
    assert (await far.register(pin="135790")).status_code == 200
    assert far.number.pin == "135790"


async def test_the_eleventh_register_in_72_hours_blocks_for_72_more() -> None:
    far = Far.of()
    for _ in range(10):
        assert code_of(await far.register()) == 133006
        far.clock.pass_(hours=1)
    assert code_of(await far.register(backup=await far.backup())) == 133016
    far.clock.pass_(hours=71)
    assert code_of(await far.register(backup=await far.backup())) == 133016
    far.clock.pass_(hours=1, seconds=1)
    assert (await far.register(backup=await far.backup())).status_code == 200
    assert (far.number.registers, far.number.registered) == (13, 1)


async def test_deregister_has_a_budget_of_its_own() -> None:
    far = Far.of("on_cloud")
    for _ in range(10):
        assert (await far.phone("POST", "deregister")).status_code == 200
        assert (await far.register()).status_code == 200
    assert code_of(await far.phone("POST", "deregister")) == 133016
    assert far.number.side == "cloud"


async def test_failed_calls_may_not_count() -> None:
    far = Far.of(failed_registers_count="no")
    for _ in range(12):
        assert code_of(await far.register()) == 133006


async def test_registering_again_with_the_same_pin_succeeds_and_is_counted_as_a_second_effect() -> None:
    far = Far.of("on_cloud")
    assert (await far.register()).json() == {"success": True}
    assert far.number.double_effects == 1
    far = Far.of("on_cloud", already_registered=100)
    assert code_of(await far.register()) == 100
    assert far.number.double_effects == 0


async def test_a_deregistered_number_is_dark_and_may_have_to_wait_five_minutes() -> None:
    far = Far.of("on_cloud", deregister_then_133015="true")
    await far.phone("POST", "deregister")
    assert await far.shows("status", "platform_type") == ["DISCONNECTED", "NOT_APPLICABLE"]
    assert code_of(await far.register()) == 133015
    far.clock.pass_(minutes=5)
    assert (await far.register()).status_code == 200
    assert far.number.outage_s == 300


async def test_what_is_wrong_with_the_call_is_told_before_what_the_server_is_not_ready_for() -> None:
    far = Far.of("on_cloud", deregister_then_133015="true", pin_guesses=1, pin_too_fast_s=0)
    await far.phone("POST", "deregister")
    assert code_of(await far.register(pin=wrong(far))) == 133005
    assert code_of(await far.register(backup={"data": "x", "password": "x"})) == 133008, "a lock before the backup"
    far.clock.pass_(hours=13)
    await far.register()
    far.number.incomplete_deregistration, far.number.code_status = True, "NOT_VERIFIED"
    far.number.platform = "NOT_APPLICABLE"
    assert code_of(await far.register(backup={"data": "x", "password": "x"})) == 100
    assert code_of(await far.register()) == 133006
    far.number.code_status = "VERIFIED"
    assert code_of(await far.register()) == 133000


async def test_deregister_is_of_cloud_only() -> None:
    far = Far.of()
    assert code_of(await far.phone("POST", "deregister")) == 133010
    assert far.number.side == "on_premises"


async def test_an_unfinished_deregistration_has_to_be_done_again() -> None:
    far = Far.of("on_cloud")
    far.number.incomplete_deregistration = True
    assert code_of(await far.register()) == 133000
    await far.phone("POST", "deregister")
    assert (await far.register()).status_code == 200


@pytest.mark.parametrize(("code", "drops"), [(100, "no"), (133002, "yes")])
async def test_a_garbled_backup_is_refused(code: int, drops: str) -> None:
    far = Far.of(bad_backup_code=code, bad_backup_drops_onprem=drops)
    backup = await far.backup()
    swapped = backup["data"].swapcase()
    assert code_of(await far.register(backup=backup | {"data": swapped})) == code
    assert far.number.side == ("neither" if drops == "yes" else "on_premises")


async def test_a_backup_is_bound_to_its_password_and_its_number() -> None:
    far = Far.of("healthy", "healthy")
    backup = await far.backup()
    assert code_of(await far.register(backup=backup | {"password": "others"})) == 100
    far.at = 1
    assert code_of(await far.register(backup=backup)) == 100


async def test_an_old_backup_is_refused_or_not() -> None:
    for accepted, status in (("no", 400), ("yes", 200)):
        far = Far.of(old_backup_accepted=accepted)
        backup = await far.backup()
        far.clock.pass_(hours=25)
        assert (await far.register(backup=backup)).status_code == status


async def test_a_number_from_embedded_signup_has_14_days() -> None:
    far = Far.of("new")
    far.clock.pass_(days=10)
    assert await far.shows("code_verification_status") == ["VERIFIED"]
    far.clock.pass_(days=1)
    assert await far.shows("code_verification_status") == ["EXPIRED"]
    assert code_of(await far.register()) == 133006


@pytest.mark.parametrize("code", [133006, 100])
async def test_after_14_days_only_embedded_signup_helps(code: int) -> None:
    far = Far.of("new", signup_window_code=code)
    far.clock.pass_(days=12)
    await far.verify()
    assert await far.shows("code_verification_status") == ["EXPIRED"]
    assert code_of(await far.register()) == code
    assert (await far.oracle("POST", "manager", json={"e164": far.e164, "do": "sign_up"}))["done"] == "sign_up"
    far.clock.pass_(days=13)
    assert await far.shows("code_verification_status") == ["VERIFIED"]
    assert (await far.register()).status_code == 200
    assert "in use" in (await far.oracle("POST", "manager", json={"e164": far.e164, "do": "sign_up"}))["error"]


async def test_a_code_verified_after_14_days_may_begin_another_14() -> None:
    far = Far.of("new", verify_after_signup_window="renews")
    await far.verify()  # within the first 14: it begins none
    far.clock.pass_(days=12)
    assert await far.shows("code_verification_status") == ["EXPIRED"]
    await far.verify()
    far.clock.pass_(days=13)
    assert await far.shows("code_verification_status") == ["VERIFIED"]
    far.clock.pass_(days=1)
    assert code_of(await far.register()) == 133006
    await far.verify()
    assert (await far.register()).status_code == 200


async def test_a_verified_number_that_went_dark_may_need_another_code() -> None:
    far = Far.of(dark_verified_registers="no")
    await far.verify()
    far.clock.pass_(minutes=1)
    far.sandbox.stop_instance(far.row["instance"])
    assert code_of(await far.register()) == 133006
    assert await far.shows("code_verification_status") == ["EXPIRED"]
    await far.verify()
    assert (await far.register()).status_code == 200


async def test_numbers_that_cannot_be_registered_say_why() -> None:
    far = Far.of("business_app", "banned", "deleted", "tos_missing")
    said = []
    for at in range(4):
        far.at = at
        said.append((await far.register()).json()["error"])
    assert [one["code"] for one in said] == [100, 368, 33, 100]
    assert "SMB" in said[0]["message"]
    assert "Terms of Service" in said[3]["error_data"]["details"]
    far.at = 0
    assert await far.shows("platform_type", "is_on_biz_app", "status") == ["ON_PREMISE", True, "DISCONNECTED"]


async def test_terms_are_accepted_once_for_a_whole_business() -> None:
    clock = Clock()
    told = read(
        "businesses: [{name: a, terms_accepted: false}, {name: b}]\n"
        "numbers: [{kind: verified, count: 2}, {kind: verified, business: b}]"
    )
    far = Far(Sandbox.from_scenario(told, now=clock.now), clock)
    said = (await far.register()).json()["error"]
    assert (said["code"], "Terms of Service" in said["error_data"]["details"]) == (100, True)
    assert (await far.shows("status"))[0] == "CONNECTED", "reads work"
    far.at = 1
    await far.oracle("POST", "manager", json={"e164": far.e164, "do": "accept_terms"})
    assert (await far.register()).status_code == 200
    far.at = 0
    assert (await far.register()).status_code == 200
    bearer = {"Authorization": f"Bearer {far.manifest['businesses'][1]['token']}"}
    far.at = 2
    body = {"messaging_product": "whatsapp", "pin": far.row["pin"]}
    assert (await far.phone("POST", "register", json=body, headers=bearer)).status_code == 200


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
async def test_a_broken_body_changes_nothing(body: dict[str, object]) -> None:
    far = Far.of()
    assert code_of(await far.phone("POST", "register", json=body)) == 100
    assert (far.number.side, far.number.wrong_pins) == ("on_premises", 0)


async def test_reads_lag_behind_writes() -> None:
    far = Far.of(read_lag_s=5)
    far.clock.pass_(minutes=1)
    await far.register(backup=await far.backup())
    assert await far.shows("platform_type") == ["ON_PREMISE"]
    far.clock.pass_(seconds=5)
    assert await far.shows("platform_type") == ["CLOUD_API"]


async def test_two_shards_come_up_with_high_throughput_after_maintenance() -> None:
    far = Far.of("multiconnect")
    await far.register(backup=await far.backup())
    text = {"messaging_product": "whatsapp", "to": "+4915100000000", "type": "text", "text": {"body": "hi"}}
    assert code_of(await far.phone("POST", "messages", json=text)) == 131057
    far.clock.pass_(seconds=60)
    assert (await far.phone("POST", "messages", json=text)).status_code == 200
    assert await far.shows("throughput", "messaging_limit_tier") == [{"level": "HIGH"}, "TIER_UNLIMITED"]


async def test_a_new_display_name_takes_effect_only_when_it_is_approved() -> None:
    far = Far.of("on_cloud")
    far.number.new_name, far.number.new_name_status = "Other Name", "PENDING_REVIEW"
    await far.register()
    assert await far.shows("verified_name") != ["Other Name"]
    far.number.new_name_status = "APPROVED"
    await far.register()
    assert await far.shows("verified_name") == ["Other Name"]


async def test_the_seconds_of_register_are_an_outage_that_the_clock_ends() -> None:
    clock = Clock()
    far = Far.of(clock=clock, register_seconds=10)
    far.sandbox.world.calls_take_time = True
    backup = await far.backup()
    await far.register(backup=backup)
    assert far.number.side == "neither"
    assert await far.shows("platform_type", "status") == ["ON_PREMISE", "DISCONNECTED"]
    assert code_of(await far.register(backup=backup)) == 133004
    assert code_of(await far.register(backup=backup, pin=wrong(far))) == 133005, "it arrives all the same"
    clock.pass_(seconds=10)
    assert await far.shows("platform_type", "status") == ["CLOUD_API", "CONNECTED"]
    assert 4 <= (far.number.outage_s or 0) <= 10


async def test_a_number_of_a_client_that_expired_registers_with_a_code() -> None:
    far = Far.of("expired", world="after-sunset", clock=Clock(Clock().at.replace(year=2026)))
    assert (far.number.instance, far.number.side) == ("expired", "neither")
    assert (await far.phone("POST", "request_code", json=CODE)).status_code == 200
    await far.phone("POST", "verify_code", json={"code": far.sandbox.sms(far.e164)[-1]})
    assert (await far.register()).status_code == 200
    assert far.number.outage_s is None  # dark on arrival: not an outage that anybody here caused


async def test_a_pin_on_file_may_be_wrong() -> None:
    far = Far.of("pin_wrong")
    assert len(far.row["pin"]) == 6
    assert code_of(await far.register(backup=await far.backup())) == 133005
    assert far.number.side == "neither"


def wrong(far: Far) -> str:
    return "000000" if far.row["pin"] != "000000" else "000001"
