"""What a number can send: texts that look like JSON, read receipts, blocked accounts, status of the number."""

import json
from typing import Any

import pytest

from sandbox.world import health
from tests.sandbox.partner import Partner, error_code_of
from tests.sandbox.webhook_receiver import TEMPLATE, TEXT, change_of, message_statuses, subscribed_partner

READ = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X"}
LIKE_JSON = '{"id": 1}'


@pytest.mark.parametrize("encoding", ["json", "data", "params"])
async def test_text_that_looks_like_json_stays_text(encoding: str) -> None:
    partner, receiver = await subscribed_partner()
    body: dict[str, Any] = TEMPLATE | {"biz_opaque_callback_data": LIKE_JSON}
    if encoding != "json":
        body["template"] = json.dumps(body["template"])
    response = await partner.phone("POST", "messages", **{encoding: body})
    assert response.status_code == 200
    [row, *_] = [change_of(webhook)[1]["statuses"][0] for webhook in receiver.collect(5)]
    assert row["biz_opaque_callback_data"] == LIKE_JSON
    profile_body: dict[str, Any] = {"messaging_product": "whatsapp", "description": LIKE_JSON}
    assert (await partner.phone("POST", "whatsapp_business_profile", **{encoding: profile_body})).status_code == 200
    [profile] = (await partner.phone("GET", "whatsapp_business_profile?fields=description")).json()["data"]
    assert profile["description"] == LIKE_JSON


@pytest.mark.parametrize("opaque", [{"id": 1}, ["x"], 7, "x" * 513])
async def test_opaque_callback_data_must_be_text(opaque: Any) -> None:
    response = await Partner.of("on_cloud").phone(
        "POST", "messages", json=TEMPLATE | {"biz_opaque_callback_data": opaque}
    )
    assert error_code_of(response) == 131009


@pytest.mark.parametrize("about", [{"a": 1}, ["x"], 7])
async def test_profile_fields_must_be_text(about: Any) -> None:
    body = {"messaging_product": "whatsapp", "description": about}
    assert error_code_of(await Partner.of("on_cloud").phone("POST", "whatsapp_business_profile", json=body)) == 100


@pytest.mark.parametrize(
    ("kind", "error_code"), [("healthy", 133010), ("dark", 133010), ("banned", 131031), ("deleted", 33)]
)
async def test_only_cloud_number_marks_as_read(kind: str, error_code: int) -> None:
    assert error_code_of(await Partner.of(kind).phone("POST", "messages", json=READ)) == error_code
    assert (await Partner.of("on_cloud").phone("POST", "messages", json=READ)).json() == {"success": True}


@pytest.mark.parametrize(("changes", "error_code"), [({"message_id": ""}, 131008), ({"messaging_product": "sms"}, 100)])
async def test_incomplete_read_receipt_is_refused(changes: dict[str, str], error_code: int) -> None:
    assert error_code_of(await Partner.of("on_cloud").phone("POST", "messages", json=READ | changes)) == error_code


@pytest.mark.parametrize(("problem", "error_code"), [(141006, 131042), (131031, 131031), (9, 131000)])
async def test_blocked_account_cannot_send(problem: int, error_code: int) -> None:
    for blocked in ("sync", "async"):
        partner, receiver = await subscribed_partner("on_cloud", blocked_account=blocked)
        health.add_problem(partner.sandbox.world, partner.number, problem)
        response = await partner.phone("POST", "messages", json=TEMPLATE)
        webhooks = receiver.collect(30)
        if blocked == "sync":
            assert (error_code_of(response), webhooks) == (error_code, [])
            continue
        assert response.status_code == 200
        assert message_statuses(webhooks) == ["failed"]
        [row] = change_of(webhooks[0])[1]["statuses"]
        assert row["errors"][0]["code"] == error_code
        await partner.phone("POST", "messages", json=TEXT)
        assert change_of(receiver.collect(30)[0])[1]["statuses"][0]["errors"][0]["code"] == error_code


@pytest.mark.parametrize("problem", [141010, 138024, 138025])
async def test_limiting_health_problems_do_not_block_messages(problem: int) -> None:
    partner, receiver = await subscribed_partner()
    health.add_problem(partner.sandbox.world, partner.number, problem)
    assert (await partner.phone("POST", "messages", json=TEMPLATE)).status_code == 200
    assert message_statuses(receiver.collect(30)) == ["sent", "delivered", "read"]


@pytest.mark.parametrize(
    ("status", "error_code"),
    [("FLAGGED", None), ("RATE_LIMITED", 131048), ("RESTRICTED", 368), ("MIGRATED", 133010), ("as_it_is", None)],
)
async def test_sending_by_number_status(status: str, error_code: int | None) -> None:
    partner = Partner.from_row(f"{{kind: on_cloud, status: {status}, name_status: PENDING_REVIEW, quality: RED}}")
    shown = "CONNECTED" if status == "as_it_is" else status
    assert await partner.read_fields("status", "name_status", "quality_rating") == [shown, "PENDING_REVIEW", "RED"]
    assert error_code_of(await partner.phone("POST", "messages", json=TEMPLATE)) == error_code


async def test_dark_number_can_show_migrated() -> None:
    partner = Partner.from_row("{kind: dark, status: MIGRATED}")
    assert await partner.read_fields("status", "platform_type") == ["MIGRATED", "NOT_APPLICABLE"]
