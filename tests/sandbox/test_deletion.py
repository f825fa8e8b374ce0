"""Numbers that a person deletes in WhatsApp Manager and adds again: errors 33 and 133015, ids, PIN, paging."""

from typing import Any

import pytest

from tests.sandbox.partner import CODE_REQUEST, Partner, error_code_of
from tests.sandbox.webhook_receiver import TEMPLATE


async def delete_number(partner: Partner) -> str:
    """Delete the number; gives the id that it had."""
    reply = await partner.act_in_manager("delete_number", pin=partner.row["pin"])
    assert reply["done"] == "delete_number"
    return str(partner.row["phone_number_id"])


async def add_number(partner: Partner) -> str:
    """Add the number again; gives its id now."""
    new_id = str((await partner.act_in_manager("add_number"))["phone_number_id"])
    partner.manifest = await partner.oracle("GET", "fleet")
    assert partner.row["phone_number_id"] == new_id
    return new_id


def valid_body(edge: str) -> dict[str, Any]:
    """A body that an existing number accepts."""
    storage = {"storage_configuration": {"status": "NO_STORAGE_DISABLED"}}
    override = {"override_callback_uri": "https://a.example/w", "verify_token": "v"}
    bodies: dict[str, dict[str, Any]] = {
        "": {"webhook_configuration": override},
        "register": {"messaging_product": "whatsapp", "pin": "123456"},
        "request_code": CODE_REQUEST,
        "verify_code": {"code": "123456"},
        "messages": TEMPLATE,
        "settings": storage,
        "whatsapp_business_profile": {"messaging_product": "whatsapp", "about": "x"},
    }
    return bodies.get(edge, {})


@pytest.mark.parametrize("kind", ["on_cloud", "healthy"])
async def test_deleted_number_answers_33_everywhere(kind: str) -> None:
    partner = Partner.of(kind, "on_cloud")
    await partner.waba("POST", "subscribed_apps")
    await delete_number(partner)
    assert (partner.number.side, partner.number.status) == ("neither", "DELETED")
    for edge in ("", "settings", "whatsapp_business_profile"):
        assert error_code_of(await partner.phone("GET", edge)) == 33
    for edge in ("", "register", "deregister", "request_code", "verify_code", "messages", "settings"):
        assert error_code_of(await partner.phone("POST", edge, json=valid_body(edge))) == 33
    assert error_code_of(await partner.phone("POST", json={"pin": "123456"})) == 33
    assert (
        error_code_of(
            await partner.phone("POST", "whatsapp_business_profile", json=valid_body("whatsapp_business_profile"))
        )
        == 33
    )
    listed = (await partner.waba("GET", "phone_numbers")).json()["data"]
    assert [row["id"] for row in listed] == [partner.manifest["numbers"][1]["phone_number_id"]]
    assert partner.number.registers == 1, "a refused call counts"
    if kind == "healthy":
        assert await partner.gateway_status() == "disconnected", "its client cannot connect any more"


async def test_deleted_number_can_show_status_deleted() -> None:
    partner = Partner.of("on_cloud", deleted_number_reads="DELETED")
    old_id = await delete_number(partner)
    assert await partner.read_fields("status", "id") == ["DELETED", old_id]
    assert error_code_of(await partner.phone("POST", "messages", json=TEMPLATE)) == 33
    await add_number(partner)
    assert error_code_of(await partner.graph("GET", old_id)) == 33, "the old id is not the number any more"


@pytest.mark.parametrize("same", [False, True])
async def test_restored_number_cannot_register_for_five_minutes(same: bool) -> None:
    partner = Partner.of("on_cloud", "on_cloud", id_after_deletion="same" if same else "new")
    old_id = await delete_number(partner)
    partner.clock.advance(minutes=1)
    new_id = await add_number(partner)
    assert (new_id == old_id) is same
    assert error_code_of(await partner.graph("GET", old_id)) == (None if same else 33)
    assert await partner.read_fields("code_verification_status", "platform_type") == ["VERIFIED", "NOT_APPLICABLE"]
    assert error_code_of(await partner.register()) == 133015
    partner.clock.advance(minutes=3, seconds=59)
    assert error_code_of(await partner.register()) == 133015
    partner.clock.advance(seconds=1)
    assert (await partner.register()).status_code == 200
    assert await partner.read_fields("status", "platform_type") == ["CONNECTED", "CLOUD_API"]
    listed = [row["id"] for row in (await partner.waba("GET", "phone_numbers")).json()["data"]]
    assert sorted(listed) == sorted(row["phone_number_id"] for row in partner.manifest["numbers"])


@pytest.mark.parametrize(("kept", "error_code"), [("gone", None), ("kept", 133005)])
async def test_pin_after_deletion(kept: str, error_code: int | None) -> None:
    partner = Partner.of("on_cloud", pin_after_deletion=kept)
    await delete_number(partner)
    await add_number(partner)
    partner.clock.advance(minutes=5)
    assert (
        error_code_of(await partner.register(pin="135790" if partner.row["pin"] != "135790" else "246801"))
        == error_code
    )


async def test_embedded_signup_restores_deleted_number() -> None:
    partner = Partner.of("on_cloud")
    await partner.phone("POST", "deregister")
    await partner.register()
    assert partner.number.registered == 1
    await delete_number(partner)
    reply = await partner.act_in_manager("sign_up")
    partner.manifest = await partner.oracle("GET", "fleet")
    assert reply["phone_number_id"] == partner.row["phone_number_id"]
    assert await partner.read_fields("status", "code_verification_status") == ["PENDING", "VERIFIED"]
    assert (await partner.read_fields("last_onboarded_time"))[0] is not None
    assert error_code_of(await partner.register()) == 133015
    partner.clock.advance(days=14)
    assert error_code_of(await partner.register()) == 133006, "the 14 days start again"
    await partner.act_in_manager("sign_up")
    assert (await partner.register()).status_code == 200


async def test_paging_continues_after_number_is_restored() -> None:
    partner = Partner.of(*["on_cloud"] * 4)
    first = (await partner.waba("GET", "phone_numbers?limit=3&fields=id")).json()
    partner.selected = next(
        index for index, row in enumerate(partner.manifest["numbers"]) if row["phone_number_id"] == _last_id(first)
    )
    old_id = await delete_number(partner)
    new_id = await add_number(partner)
    rest = (await partner.client.get(first["paging"]["next"])).json()
    ids = [row["id"] for row in first["data"] + rest["data"]]
    assert (len(set(ids)), old_id in ids, new_id in [row["id"] for row in rest["data"]]) == (len(ids), True, True)


def _last_id(page: dict[str, Any]) -> str:
    return str(page["data"][-1]["id"])


async def test_deletion_needs_pin_and_no_recent_messages() -> None:
    partner = Partner.of("on_cloud", "dark")
    other_pin = "000000" if partner.row["pin"] != "000000" else "000001"
    for pin in (None, other_pin):
        assert "with its PIN" in (await partner.act_in_manager("delete_number", pin=pin))["error"]
    assert "not deleted" in (await partner.act_in_manager("add_number"))["error"]
    await partner.phone("POST", "messages", json=TEMPLATE)
    assert "last 30 days" in (await partner.act_in_manager("delete_number", pin=partner.row["pin"]))["error"]
    partner.clock.advance(days=30)
    assert "done" in await partner.act_in_manager("delete_number", pin=partner.row["pin"])
    assert "deleted already" in (await partner.act_in_manager("delete_number", pin=partner.row["pin"]))["error"]
    partner.selected = 1
    assert "done" in await partner.act_in_manager("delete_number"), (
        "deleting a number that is not connected needs no PIN"
    )


async def test_paid_onprem_message_blocks_deletion_and_reply_does_not() -> None:
    partner = Partner.of()
    message = {"to": "4915100000000", "type": "text", "text": {"body": "x"}}
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": "4915100000000"})
    assert (await partner.onprem("POST", "messages", json=message)).status_code == 201
    assert partner.number.paid_at is None
    template = {"namespace": "n", "name": "smoke_test", "language": {"code": "en", "policy": "deterministic"}}
    response = await partner.onprem(
        "POST", "messages", json={"to": "4915100000001", "type": "template", "template": template}
    )
    assert response.status_code == 201, response.text
    assert "last 30 days" in (await partner.act_in_manager("delete_number", pin=partner.row["pin"]))["error"]


async def test_deletion_is_refused_during_register() -> None:
    partner = Partner.of(register_seconds=10)
    partner.sandbox.world.calls_take_time = True
    await partner.register(backup=await partner.backup())
    assert "being registered" in (await partner.act_in_manager("delete_number", pin=partner.row["pin"]))["error"]
