"""Any request to Graph, a client, the oracle or the hook gets a response, and never raises inside the sandbox."""

import json
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.onprem.application_settings import SETTINGS
from sandbox.world.number_limits import Budget
from tests.sandbox.history import History
from tests.sandbox.partner import Partner

# Texts that parsers misread: JSON, digits of other scripts, very long numbers, lone surrogates.
AWKWARD_TEXTS = (
    '{"id": 1}',
    "[1]",
    '["a"]',
    "[" * 20_000,
    "9" * 5_000,
    "٣",
    "grün",
    "\ud800",
    "a{b",
    "a.limit(1)",
    "{",
    "\x00",
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(AWKWARD_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PARAMETER_NAMES = [
    "pin",
    "messaging_product",
    "backup",
    "code",
    "code_method",
    "language",
    "to",
    "type",
    "text",
    "template",
    "fields",
    "limit",
    "after",
    "status",
    "deadline",
    "storage_configuration",
    "user_identity_change",
    "webhook_configuration",
    "websites",
    "about",
    "email",
    "override_callback_uri",
    "verify_token",
    "password",
    "data",
    "cc",
    "phone_number",
    "method",
    "cert",
    "shards",
    "contacts",
    "username",
    "event",
    "e164",
    "do",
    "faults",
    "kind",
    "vertical",
    "data_localization_region",
    "access_token",
    "input_token",
    "client_id",
    "before",
    "name",
    "drain_s",
    "behaviour",
    "advance_s",
    "new_password",
    "new_display_name",
    "callback_url",
    "file_length",
    "file_type",
    "profile_picture_handle",
    "biz_opaque_callback_data",
    "description",
    "address",
    "appsecret_proof",
    "filtering",
    "sort",
    "message_id",
    "webhooks",
    "media",
    "recipient_type",
    "callback_backoff_delay_ms",
    "share",
    "subcode",
    "queue",
]
COMPLETE_BODY = {
    "messaging_product": "whatsapp",
    "pin": "123456",
    "to": "+4915112345678",
    "type": "text",
    "text": {"body": "x"},
    "template": {"name": "smoke_test", "language": {"code": "en"}},
    "code_method": "SMS",
    "language": "en",
}
bodies = st.dictionaries(st.sampled_from(PARAMETER_NAMES), json_values, max_size=5)


def _query_value(value: Any) -> str:
    # Brackets stay as they are: to decode 20,000 of them from %5B takes longer than the whole request.
    return quote(value if isinstance(value, str) else json.dumps(value), safe="/[]", errors="surrogatepass")


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PATCH", "PUT"]),
    edge=st.sampled_from(
        [
            "register",
            "deregister",
            "request_code",
            "verify_code",
            "messages",
            "settings",
            "whatsapp_business_profile",
            "phone_numbers",
            "subscribed_apps",
            "message_templates",
            "assigned_users",
            "subscriptions",
            "uploads",
            "x",
        ]
    )
    | st.just(""),
    node=st.sampled_from(["phone", "waba", "app", "debug_token", "0"]),
    body=bodies | json_values,
    as_query=st.booleans(),
)
def test_graph_answers_any_request(method: str, edge: str, node: str, body: Any, as_query: bool) -> None:
    history = History({"kind": "on_cloud"}, "closing", {})
    row, manifest = history.partner.row, history.partner.manifest
    ids = {"phone": row["phone_number_id"], "waba": row["waba_id"], "app": manifest["app_id"]}
    path = f"/v25.0/{ids.get(node, node)}/{edge}"
    if as_query and isinstance(body, dict):
        path += "?" + "&".join(f"{name}={_query_value(value)}" for name, value in body.items())
        body = None
    if isinstance(body, dict):
        body = COMPLETE_BODY | body  # so that the request passes the first check
    response_body = history.send(method, path, body)
    assert isinstance(response_body, dict)
    assert history.partner.sandbox.world.calls[-1].status in range(200, 504)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PATCH", "PUT"]),
    path=st.sampled_from(
        [
            "users/login",
            "users/logout",
            "users",
            "users/admin",
            "users/x",
            "health",
            "support",
            "settings/application",
            "account",
            "settings/business/profile",
            "settings/profile/about",
            "settings/profile/photo",
            "account/verify",
            "account/shards",
            "settings/account/two-step",
            "settings/backup",
            "settings/restore",
            "stats/app",
            "metrics",
            "messages",
            "messages/1",
            "contacts",
            "media",
            "media/1",
            "nothing",
        ]
    ),
    kind=st.sampled_from(["healthy", "multiconnect", "coreapp_down", "expired"]),
    world=st.sampled_from(["open", "closing"]),
    body=bodies | json_values,
)
def test_onprem_client_answers_any_request(method: str, path: str, kind: str, world: str, body: Any) -> None:
    history = History({"kind": kind}, world, {})
    history.onprem(method, path, body)
    assert history.partner.sandbox.world.calls[-1].status in range(200, 504)
    assert_still_answers(history)


def assert_still_answers(history: History) -> None:
    """An earlier request may have been accepted and cause a failure only now."""
    for path, method, body in (
        ("messages", "POST", {"to": "4915112345678", "type": "text", "text": {"body": "x"}}),
        ("settings/application", "GET", None),
        ("settings/business/profile", "GET", None),
        ("stats/app", "GET", None),
        ("services/media/gc", "PUT", None),
        ("settings/backup", "POST", {"password": "w"}),
    ):
        history.onprem(method, path, body)
    history.send("POST", "/_sandbox/inbound", {"e164": history.partner.e164})
    history.partner.sandbox.deliver(lambda _: 500)
    assert {call.fault for call in history.partner.sandbox.world.calls} == {None}


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(
        st.dictionaries(
            st.sampled_from(sorted(SETTINGS)),
            json_values
            | st.dictionaries(st.sampled_from(["url", "message", "media", "read"]), json_values, max_size=3),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_accepted_settings_break_no_later_call(changes: list[Any]) -> None:
    history = History({"kind": "healthy"}, "closing", {})
    for change in changes:
        history.onprem("PATCH", "settings/application", change)
        assert_still_answers(history)


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(
        [
            *("calls", "world", "sms", "fleet", "senders", "faults", "clock", "inbound", "senders/hook", "instances/x"),
            *("manager", "webhooks", "x"),
        ]
    ),
    body=bodies | json_values,
)
def test_oracle_answers_any_request(method: str, path: str, body: Any) -> None:
    History({"kind": "healthy"}, "closing", {}).send(method, f"/_sandbox/{path}", body)


@settings(max_examples=100, deadline=None)
@given(body=bodies)
async def test_hook_answers_any_signed_request(body: dict[str, Any]) -> None:
    partner = Partner.of()
    assert (await partner.hook(**({"event": "pause_sends", "key": "k"} | body))).status_code in (200, 400)


PARAMETERS = sorted({*PARAMETER_NAMES, "backup.data", "backup.password", "text.body", "template.name"})


@pytest.mark.parametrize(
    "edge", ["", "messages", "register", "settings", "whatsapp_business_profile", "phone_numbers", "subscribed_apps"]
)
def test_any_text_in_any_parameter_is_answered(edge: str) -> None:
    complete_body = COMPLETE_BODY | ({"backup": {"data": "V0FCSw==", "password": "x"}} if edge == "register" else {})
    history = History({"kind": "on_cloud"}, "closing", {})
    node = history.partner.row["waba_id" if edge in ("phone_numbers", "subscribed_apps") else "phone_number_id"]
    for name, text in product(PARAMETERS, AWKWARD_TEXTS):
        outer, _, inner = name.partition(".")
        body = complete_body | {outer: {**complete_body.get(outer, {}), inner: text} if inner else text}  # type: ignore[dict-item]
        query = "&".join(f"{field}={_query_value(value)}" for field, value in body.items())
        for method in ("GET", "POST"):
            history.partner.number.register_budget = (
                Budget()
            )  # otherwise `register` is soon refused for its budget, unread
            assert isinstance(history.send(method, f"/v25.0/{node}/{edge}", body), dict)
            assert isinstance(history.send(method, f"/v25.0/{node}/{edge}?{query}"), dict)
