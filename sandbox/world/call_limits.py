"""How many calls are made on a WABA and as an app, and when that is too many.

Management calls of an app on a WABA: 5,000 an hour where it is active, 200 where it has no registered number, in a
moving hour; two apps on the same account do not feel each other:
https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (rate limits)
Calls of an app on nothing of WhatsApp's: 200 an hour for each of its users. Calling while throttled lengthens the wait:
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import json
from dataclasses import dataclass
from datetime import timedelta

from sandbox.errors import Refusal
from sandbox.world.accounts import App, Meter, Waba
from sandbox.world.world import World

ACTIVE, INACTIVE = 5_000, 200
AN_APPS_USER = 200
COUNTED = frozenset(
    {
        "get.waba",
        "get.numbers",
        "get.number",
        "get.templates",
        "get.template",
        "get.subscribed_apps",
        "get.assigned_users",
    }
)
# Who sends is held to the number's throughput, whatever else is measured.
SENDS = frozenset({"messages"})


@dataclass(frozen=True, slots=True)
class Usage:
    """What the usage headers tell, in percent; `minutes` until calls are taken again, 0 while they are.

    `refusal`: what this call gets instead of its answer.
    """

    app: int = 0
    waba: int = 0
    minutes: int = 0
    business_id: str = "0"
    refusal: Refusal | None = None


def spend(world: World, waba: Waba | None, app: App | None, call: str) -> Usage:
    """Counts one call where it is counted, whether or not it is going to be taken."""
    if app is None or (waba is not None and call not in COUNTED):
        return look(world, waba, app)
    meter = waba.meter(app.id) if waba is not None else app.meter
    taken = _spend(world, meter, _most(waba) if waba is not None else _apps_most(world, app))
    used = look(world, waba, app)
    if taken:
        return used
    code = world.switches.management_limit_code if waba is not None else 4
    minutes = _minutes(world, meter)
    refusal = Refusal(code, f"Try again in {minutes} minutes.")
    return Usage(used.app, used.waba, minutes, used.business_id, refusal)


def look(world: World, waba: Waba | None, app: App | None) -> Usage:
    """The figures as they are, without a call."""
    now = world.now()
    by_app = 100 * app.meter.calls(now) // _apps_most(world, app) if app is not None else 0
    by_waba = 100 * waba.meter(app.id).calls(now) // _most(waba) if waba is not None and app is not None else 0
    owner = waba.business_id if waba is not None else app.business_id if app is not None else "0"
    return Usage(by_app, by_waba, business_id=owner)


def throttled(world: World, call: str) -> int:
    """The code of a 429 that strikes this call: each kind of call has a limit of its own."""
    if call in SENDS:
        return 130429
    return world.switches.management_limit_code if call in COUNTED else 4


def _spend(world: World, meter: Meter, most: int) -> bool:
    if world.switches.management_limits == "off":
        meter.add(world.now())
        return True
    return meter.spend(world.now(), most, timedelta(seconds=world.switches.throttled_call_s))


def _minutes(world: World, meter: Meter) -> int:
    until = meter.blocked_until or world.now()
    return max(1, -int(-(until - world.now()).total_seconds() // 60))


def _most(waba: Waba) -> int:
    return ACTIVE if waba.on_cloud else INACTIVE


def _apps_most(world: World, app: App) -> int:
    """An app's users are who holds a token of it."""
    return AN_APPS_USER * max(1, sum(token.app_id == app.id for token in world.tokens.values()))


def usage_headers(used: Usage) -> dict[str, str]:
    """On every answer of Graph. Percentages; the wait in minutes. The `type` of WhatsApp is in no stored page."""
    row = {"type": "whatsapp_business_management", **_spent(used.waba)}
    row["estimated_time_to_regain_access"] = used.minutes
    return {
        "x-app-usage": json.dumps(_spent(used.app)),
        "x-business-use-case-usage": json.dumps({used.business_id: [row]}),
    }


def _spent(percent: int) -> dict[str, str | int]:
    return {"call_count": percent, "total_cputime": percent, "total_time": percent}
