"""Numbers that a person deletes on Meta's pages and adds again: 33, 133015, and what comes back."""

from typing import Any

import pytest

from tests.sandbox.partner import CODE, Far, code_of
from tests.sandbox.test_webhooks import TEMPLATE


async def manager(far: Far, what: str, **more: Any) -> Any:
    return await far.oracle("POST", "manager", json={"do": what, "e164": far.e164} | more)


async def deleted(far: Far) -> str:
    """Its id, once it is gone."""
    told = await manager(far, "delete_number", pin=far.row["pin"])
    assert told["done"] == "delete_number"
    return str(far.row["phone_number_id"])


async def added(far: Far) -> str:
    """Its id, once it is back."""
    told = str((await manager(far, "add_number"))["phone_number_id"])
    far.manifest = await far.oracle("GET", "fleet")
    assert far.row["phone_number_id"] == told
    return told


def whole(edge: str) -> dict[str, Any]:
    """A body that a number which is there would take."""
    storage = {"storage_configuration": {"status": "NO_STORAGE_DISABLED"}}
    override = {"override_callback_uri": "https://a.example/w", "verify_token": "v"}
    bodies: dict[str, dict[str, Any]] = {
        "": {"webhook_configuration": override},
        "register": {"messaging_product": "whatsapp", "pin": "123456"},
        "request_code": CODE,
        "verify_code": {"code": "123456"},
        "messages": TEMPLATE,
        "settings": storage,
        "whatsapp_business_profile": {"messaging_product": "whatsapp", "about": "x"},
    }
    return bodies.get(edge, {})


@pytest.mark.parametrize("kind", ["on_cloud", "healthy"])
async def test_a_deleted_number_is_33_wherever_it_is_called(kind: str) -> None:
    far = Far.of(kind, "on_cloud")
    await far.waba("POST", "subscribed_apps")
    await deleted(far)
    assert (far.number.side, far.number.status) == ("neither", "DELETED")
    for edge in ("", "settings", "whatsapp_business_profile"):
        assert code_of(await far.phone("GET", edge)) == 33
    for edge in ("", "register", "deregister", "request_code", "verify_code", "messages", "settings"):
        assert code_of(await far.phone("POST", edge, json=whole(edge))) == 33
    assert code_of(await far.phone("POST", json={"pin": "123456"})) == 33
    assert code_of(await far.phone("POST", "whatsapp_business_profile", json=whole("whatsapp_business_profile"))) == 33
    listed = (await far.waba("GET", "phone_numbers")).json()["data"]
    assert [row["id"] for row in listed] == [far.manifest["numbers"][1]["phone_number_id"]]
    assert far.number.registers == 1, "a call that is refused counts"
    if kind == "healthy":
        assert await far.health() == "disconnected", "its client is not let in any more"


async def test_a_deleted_number_may_be_read_with_that_status() -> None:
    far = Far.of("on_cloud", deleted_number_reads="DELETED")
    gone = await deleted(far)
    assert await far.shows("status", "id") == ["DELETED", gone]
    assert code_of(await far.phone("POST", "messages", json=TEMPLATE)) == 33
    await added(far)
    assert code_of(await far.graph("GET", gone)) == 33, "this object is not the number any more"


@pytest.mark.parametrize("same", [False, True])
async def test_for_five_minutes_after_a_deletion_a_number_that_is_back_cannot_be_registered(same: bool) -> None:
    far = Far.of("on_cloud", "on_cloud", id_after_deletion="same" if same else "new")
    gone = await deleted(far)
    far.clock.pass_(minutes=1)
    back = await added(far)
    assert (back == gone) is same
    assert code_of(await far.graph("GET", gone)) == (None if same else 33)
    assert await far.shows("code_verification_status", "platform_type") == ["VERIFIED", "NOT_APPLICABLE"]
    assert code_of(await far.register()) == 133015
    far.clock.pass_(minutes=3, seconds=59)
    assert code_of(await far.register()) == 133015
    far.clock.pass_(seconds=1)
    assert (await far.register()).status_code == 200
    assert await far.shows("status", "platform_type") == ["CONNECTED", "CLOUD_API"]
    listed = [row["id"] for row in (await far.waba("GET", "phone_numbers")).json()["data"]]
    assert sorted(listed) == sorted(row["phone_number_id"] for row in far.manifest["numbers"])


@pytest.mark.parametrize(("kept", "code"), [("gone", None), ("kept", 133005)])
async def test_its_pin_may_be_gone_or_kept(kept: str, code: int | None) -> None:
    far = Far.of("on_cloud", pin_after_deletion=kept)
    await deleted(far)
    await added(far)
    far.clock.pass_(minutes=5)
    assert code_of(await far.register(pin="135790" if far.row["pin"] != "135790" else "246801")) == code


async def test_who_signs_a_deleted_number_up_again_adds_it() -> None:
    far = Far.of("on_cloud")
    await far.phone("POST", "deregister")
    await far.register()
    assert far.number.registered == 1
    await deleted(far)
    told = await manager(far, "sign_up")
    far.manifest = await far.oracle("GET", "fleet")
    assert told["phone_number_id"] == far.row["phone_number_id"]
    assert await far.shows("status", "code_verification_status") == ["PENDING", "VERIFIED"]
    assert (await far.shows("last_onboarded_time"))[0] is not None
    assert code_of(await far.register()) == 133015
    far.clock.pass_(days=14)
    assert code_of(await far.register()) == 133006, "14 days begin anew"
    await manager(far, "sign_up")
    assert (await far.register()).status_code == 200


async def test_a_page_that_was_begun_before_a_number_came_back_goes_on() -> None:
    far = Far.of(*["on_cloud"] * 4)
    first = (await far.waba("GET", "phone_numbers?limit=3&fields=id")).json()
    far.at = next(at for at, row in enumerate(far.manifest["numbers"]) if row["phone_number_id"] == _last(first))
    gone = await deleted(far)
    back = await added(far)
    rest = (await far.client.get(first["paging"]["next"])).json()
    seen = [row["id"] for row in first["data"] + rest["data"]]
    assert (len(set(seen)), gone in seen, back in [row["id"] for row in rest["data"]]) == (len(seen), True, True)


def _last(page: dict[str, Any]) -> str:
    return str(page["data"][-1]["id"])


async def test_what_meta_does_not_let_a_person_delete() -> None:
    far = Far.of("on_cloud", "dark")
    wrong = "000000" if far.row["pin"] != "000000" else "000001"
    for pin in (None, wrong):
        assert "with its PIN" in (await manager(far, "delete_number", pin=pin))["error"]
    assert "not deleted" in (await manager(far, "add_number"))["error"]
    await far.phone("POST", "messages", json=TEMPLATE)
    assert "last 30 days" in (await manager(far, "delete_number", pin=far.row["pin"]))["error"]
    far.clock.pass_(days=30)
    assert "done" in await manager(far, "delete_number", pin=far.row["pin"])
    assert "deleted already" in (await manager(far, "delete_number", pin=far.row["pin"]))["error"]
    far.at = 1
    assert "done" in await manager(far, "delete_number"), "one that is not connected asks for no PIN"


async def test_what_is_paid_on_on_premises_counts_too_and_answers_do_not() -> None:
    far = Far.of()
    sent = {"to": "4915100000000", "type": "text", "text": {"body": "x"}}
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": "4915100000000"})
    assert (await far.onprem("POST", "messages", json=sent)).status_code == 201
    assert far.number.paid_at is None
    template = {"namespace": "n", "name": "smoke_test", "language": {"code": "en", "policy": "deterministic"}}
    answer = await far.onprem(
        "POST", "messages", json={"to": "4915100000001", "type": "template", "template": template}
    )
    assert answer.status_code == 201, answer.text
    assert "last 30 days" in (await manager(far, "delete_number", pin=far.row["pin"]))["error"]


async def test_a_number_on_its_way_to_cloud_is_not_deleted_under_it() -> None:
    far = Far.of(register_seconds=10)
    far.sandbox.world.calls_take_time = True
    await far.register(backup=await far.backup())
    assert "being registered" in (await manager(far, "delete_number", pin=far.row["pin"]))["error"]
