"""Graph calls on one WhatsApp Business Account: its numbers, subscriptions and templates. Cursor paging.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from migration.sandbox import graph_fields as fields
from migration.sandbox.accounts import SCOPES, Subscription
from migration.sandbox.errors import Refusal
from migration.sandbox.graph_access import Ask, Entry, callback_url, served_version, success, verified
from migration.sandbox.wire import Answer, answer_json

MANAGE = SCOPES[0]
LIMIT, MOST = 25, 100
LONGEST_OVERRIDE = 200


def _waba(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    return answer_json(fields.render_waba(ask.world, waba, ask.params.get("fields")))


def _numbers(ask: Ask) -> Answer:
    """Newest onboarding first."""
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    numbers = [ask.world.by_phone_id(one) for one in waba.phone_number_ids]
    long_ago = datetime(2015, 1, 1, tzinfo=UTC)
    numbers.sort(key=lambda number: number.onboarded_at or long_ago, reverse=True)
    wanted = ask.params.get("fields")
    visible = [number for number in numbers if not number.deleted]
    return _page(
        ask,
        [number.phone_number_id for number in visible],
        lambda at: fields.render_phone(ask.world, visible[at], wanted),
    )


def _page(ask: Ask, keys: list[str], row: Callable[[int], dict[str, Any]]) -> Answer:
    """Cursors are opaque, `next` is absolute and absent on the last page."""
    limit = _limit(ask.params.get("limit", LIMIT))
    start = 0
    if "after" in ask.params:
        start = _at(keys, ask.params["after"]) + 1
    elif "before" in ask.params:
        start = max(0, _at(keys, ask.params["before"]) - limit)
    rows = [row(at) for at in range(start, min(start + limit, len(keys)))]
    if not rows:
        return answer_json({"data": []})
    first, last = _cursor(keys[start]), _cursor(keys[start + len(rows) - 1])
    paging: dict[str, Any] = {"cursors": {"before": first, "after": last}}
    if start + limit < len(keys):
        paging["next"] = _link(ask, limit, after=last)
    if start > 0:
        paging["previous"] = _link(ask, limit, before=first)
    return answer_json({"data": rows, "paging": paging})


def _limit(given: Any) -> int:
    """Anything above the most is taken as the most. Raises Refusal."""
    if not str(given).isdecimal():
        raise Refusal(100, message="(#100) param limit must be non-negative")
    return max(1, min(int(given), MOST))


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(f"QVFI{key}".encode()).decode().rstrip("=")


def _at(keys: list[str], cursor: Any) -> int:
    by_cursor = {_cursor(key): at for at, key in enumerate(keys)}
    if str(cursor) not in by_cursor:
        raise Refusal(100, message="(#100) The cursor is not valid")
    return by_cursor[str(cursor)]


def _link(ask: Ask, limit: int, **cursor: str) -> str:
    kept = {name: value for name, value in ask.params.items() if name not in ("after", "before", "limit")}
    version = ask.version or served_version(None, ask.world.now())
    query = urlencode(kept | {"access_token": ask.token, "limit": limit} | cursor)
    return f"{ask.request.base}/{version}/{'/'.join(ask.path)}?{query}"


def _subscribed_apps(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    return answer_json({"data": fields.subscribed(ask.world, waba)})


def _subscribe(ask: Ask) -> Answer:
    """Subscribes the token's app. Without an override in the body it also removes the one that is there."""
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    override = ask.params.get("override_callback_uri")
    if override is not None:
        if token.app_id not in waba.subscriptions:
            raise Refusal(100, "Before override the current callback uri, your app must be subscribed.")
        url = callback_url(override, LONGEST_OVERRIDE)
        if not ask.params.get("verify_token"):
            raise Refusal(100, "Param verify_token is required.")

        def change() -> Answer:
            waba.subscriptions[token.app_id] = Subscription(token.app_id, url)
            return success(ask.world)

        return verified(ask, url, ask.params["verify_token"], change)
    waba.subscriptions[token.app_id] = Subscription(token.app_id)
    return success(ask.world)


def _unsubscribe(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    waba.subscriptions.pop(token.app_id, None)
    return success(ask.world)


def _templates(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    asked = {name: ask.params[name] for name in ("name", "status", "language") if name in ask.params}
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "language": one.language,
            "status": one.status,
            "category": one.category,
            "components": [{"type": "BODY", "text": "Hello {{1}}"}],
        }
        for one in waba.templates
    ]
    rows = [row for row in rows if all(row[name] == value for name, value in asked.items())]
    return _page(ask, [str(row["id"]) for row in rows], lambda at: rows[at])


def _assigned_users(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    ask.waba(token, ask.path[0])
    return answer_json({"data": [{"id": token.user_id, "name": "System user", "tasks": ["MANAGE"]}]})


WABA_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.waba", False, _waba),
    ("GET", "phone_numbers"): ("get.numbers", False, _numbers),
    ("GET", "subscribed_apps"): ("get.subscribed_apps", False, _subscribed_apps),
    ("POST", "subscribed_apps"): ("subscribe", True, _subscribe),
    ("DELETE", "subscribed_apps"): ("unsubscribe", True, _unsubscribe),
    ("GET", "message_templates"): ("get.templates", False, _templates),
    ("GET", "assigned_users"): ("get.assigned_users", False, _assigned_users),
}
