"""What a number may send, and when: texts that look like JSON, read receipts, accounts that cannot send."""

import json
from typing import Any

import pytest

from sandbox.world import health
from tests.sandbox.partner import Far, code_of
from tests.sandbox.test_webhooks import TEMPLATE, TEXT, change, listening, seen

READ = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X"}
LIKE_JSON = '{"id": 1}'


@pytest.mark.parametrize("how", ["json", "data", "params"])
async def test_a_text_stays_a_text_even_if_it_looks_like_json(how: str) -> None:
    far, receiver = await listening()
    body: dict[str, Any] = TEMPLATE | {"biz_opaque_callback_data": LIKE_JSON}
    if how != "json":
        body["template"] = json.dumps(body["template"])
    answer = await far.phone("POST", "messages", **{how: body})
    assert answer.status_code == 200
    [row, *_] = [change(told)[1]["statuses"][0] for told in receiver.hear(5)]
    assert row["biz_opaque_callback_data"] == LIKE_JSON
    told: dict[str, Any] = {"messaging_product": "whatsapp", "description": LIKE_JSON}
    assert (await far.phone("POST", "whatsapp_business_profile", **{how: told})).status_code == 200
    [profile] = (await far.phone("GET", "whatsapp_business_profile?fields=description")).json()["data"]
    assert profile["description"] == LIKE_JSON


@pytest.mark.parametrize("opaque", [{"id": 1}, ["x"], 7, "x" * 513])
async def test_what_comes_back_with_a_status_is_a_text(opaque: Any) -> None:
    answer = await Far.of("on_cloud").phone("POST", "messages", json=TEMPLATE | {"biz_opaque_callback_data": opaque})
    assert code_of(answer) == 131009


@pytest.mark.parametrize("about", [{"a": 1}, ["x"], 7])
async def test_a_profile_is_made_of_texts(about: Any) -> None:
    body = {"messaging_product": "whatsapp", "description": about}
    assert code_of(await Far.of("on_cloud").phone("POST", "whatsapp_business_profile", json=body)) == 100


@pytest.mark.parametrize(("kind", "code"), [("healthy", 133010), ("dark", 133010), ("banned", 131031), ("deleted", 33)])
async def test_only_a_number_on_cloud_marks_as_read(kind: str, code: int) -> None:
    assert code_of(await Far.of(kind).phone("POST", "messages", json=READ)) == code
    assert (await Far.of("on_cloud").phone("POST", "messages", json=READ)).json() == {"success": True}


@pytest.mark.parametrize(("part", "code"), [({"message_id": ""}, 131008), ({"messaging_product": "sms"}, 100)])
async def test_a_read_receipt_is_whole(part: dict[str, str], code: int) -> None:
    assert code_of(await Far.of("on_cloud").phone("POST", "messages", json=READ | part)) == code


@pytest.mark.parametrize(("problem", "code"), [(141006, 131042), (131031, 131031), (9, 131000)])
async def test_an_account_that_health_shows_as_blocked_cannot_send(problem: int, code: int) -> None:
    for blocked in ("sync", "async"):
        far, receiver = await listening("on_cloud", blocked_account=blocked)
        health.put(far.sandbox.world, far.number, problem)
        answer = await far.phone("POST", "messages", json=TEMPLATE)
        heard = receiver.hear(30)
        if blocked == "sync":
            assert (code_of(answer), heard) == (code, [])
            continue
        assert answer.status_code == 200
        assert seen(heard) == ["failed"]
        [row] = change(heard[0])[1]["statuses"]
        assert row["errors"][0]["code"] == code
        await far.phone("POST", "messages", json=TEXT)
        assert change(receiver.hear(30)[0])[1]["statuses"][0]["errors"][0]["code"] == code


@pytest.mark.parametrize("problem", [141010, 138024, 138025])
async def test_what_only_limits_or_is_about_calls_stops_no_message(problem: int) -> None:
    far, receiver = await listening()
    health.put(far.sandbox.world, far.number, problem)
    assert (await far.phone("POST", "messages", json=TEMPLATE)).status_code == 200
    assert seen(receiver.hear(30)) == ["sent", "delivered", "read"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("FLAGGED", None), ("RATE_LIMITED", 131048), ("RESTRICTED", 368), ("MIGRATED", 133010), ("as_it_is", None)],
)
async def test_a_status_that_is_not_connected_sends_or_not(status: str, code: int | None) -> None:
    far = Far.told(f"{{kind: on_cloud, status: {status}, name_status: PENDING_REVIEW, quality: RED}}")
    shown = "CONNECTED" if status == "as_it_is" else status
    assert await far.shows("status", "name_status", "quality_rating") == [shown, "PENDING_REVIEW", "RED"]
    assert code_of(await far.phone("POST", "messages", json=TEMPLATE)) == code


async def test_a_number_that_goes_dark_may_show_that_it_left_for_another_account() -> None:
    far = Far.told("{kind: dark, status: MIGRATED}")
    assert await far.shows("status", "platform_type") == ["MIGRATED", "NOT_APPLICABLE"]
