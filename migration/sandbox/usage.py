"""How many management calls are made on a WABA, and when that is too many.

5,000 an hour on an active WABA, 200 on one without a registered number, in a moving hour:
https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (rate limits)
Calling while throttled lengthens the wait: https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import json
from dataclasses import dataclass

from migration.sandbox.accounts import Waba
from migration.sandbox.errors import Refusal
from migration.sandbox.world import World

ACTIVE, INACTIVE = 5_000, 200
COUNTED = frozenset(
    {"get.waba", "get.numbers", "get.number", "get.templates", "get.subscribed_apps", "get.assigned_users"}
)


@dataclass(slots=True)
class Usage:
    """What the usage header tells of one WABA; `minutes` until calls are taken again, 0 while they are."""

    percent: int = 0
    minutes: int = 0


def spend(world: World, waba: Waba) -> Usage:
    """Count one management call, whether it is going to be taken or not."""
    if world.switches.management_limits == "off":
        return Usage(percent=1)
    now = world.now()
    calls = waba.meter.count(now)
    most = ACTIVE if _active(world, waba) else INACTIVE
    if calls <= most:
        return Usage(percent=100 * calls // most)
    left = waba.meter.regained_at() - now
    return Usage(percent=100 * calls // most, minutes=max(1, -int(-left.total_seconds() // 60)))


def _active(world: World, waba: Waba) -> bool:
    return any(world.by_id[one].platform == "CLOUD_API" for one in waba.phone_number_ids)


def usage_headers(world: World, used: Usage, business_id: str | None = None) -> dict[str, str]:
    """On every answer of Graph. Percentages; the wait in minutes. The `type` of WhatsApp is in no stored page."""
    spent = {"call_count": used.percent, "total_cputime": used.percent, "total_time": used.percent}
    business = business_id or next(iter(world.businesses), "0")
    row = {"type": "whatsapp_business_management", **spent, "estimated_time_to_regain_access": used.minutes}
    return {"x-app-usage": json.dumps(spent), "x-business-use-case-usage": json.dumps({business: [row]})}


def too_many(world: World, usage: Usage) -> Refusal:
    return Refusal(world.switches.management_limit_code, f"Try again in {usage.minutes} minutes.")
