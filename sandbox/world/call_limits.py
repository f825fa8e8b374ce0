"""Rate limits of Graph calls on a WABA and of calls as an app.

Management calls of an app on a WABA: 5,000 an hour where it is active, 200 where it has no registered number, in a
moving hour. Each app on an account has its own limit:
https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (rate limits)
Other calls of an app: 200 an hour for each of its users. Calling while throttled lengthens the wait:
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import json
from dataclasses import dataclass
from datetime import timedelta

from sandbox.errors import Refusal
from sandbox.world.accounts import App, Meter, Waba
from sandbox.world.world import World

ACTIVE, INACTIVE = 5_000, 200
PER_APP_USER = 200
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
# Sending is limited by the throughput of the number.
SENDING = frozenset({"messages"})


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage headers, in percent. `minutes` until calls are accepted again; 0 while they are.

    `refusal`: the response to this call, when it is above the limit.
    """

    app: int = 0
    waba: int = 0
    minutes: int = 0
    business_id: str = "0"
    refusal: Refusal | None = None


def count_call(world: World, waba: Waba | None, app: App | None, call: str) -> Usage:
    """Counts a call, if calls of its kind are counted, and says whether it is refused."""
    if app is None or (waba is not None and call not in COUNTED):
        return usage_now(world, waba, app)
    meter = waba.meter(app.id) if waba is not None else app.meter
    accepted = _count(world, meter, _waba_limit(waba) if waba is not None else _app_limit(world, app))
    used = usage_now(world, waba, app)
    if accepted:
        return used
    code = world.switches.management_limit_code if waba is not None else 4
    minutes = _minutes(world, meter)
    refusal = Refusal(code, f"Try again in {minutes} minutes.")
    return Usage(used.app, used.waba, minutes, used.business_id, refusal)


def usage_now(world: World, waba: Waba | None, app: App | None) -> Usage:
    """The present usage; counts nothing."""
    now = world.now()
    by_app = 100 * app.meter.calls(now) // _app_limit(world, app) if app is not None else 0
    by_waba = 100 * waba.meter(app.id).calls(now) // _waba_limit(waba) if waba is not None and app is not None else 0
    owner = waba.business_id if waba is not None else app.business_id if app is not None else "0"
    return Usage(by_app, by_waba, business_id=owner)


def throttling_code(world: World, call: str) -> int:
    """The error code of a 429 for this call: each kind of call has a limit of its own."""
    if call in SENDING:
        return 130429
    return world.switches.management_limit_code if call in COUNTED else 4


def _count(world: World, meter: Meter, most: int) -> bool:
    if world.switches.management_limits == "off":
        meter.add(world.now())
        return True
    return meter.spend(world.now(), most, timedelta(seconds=world.switches.throttled_call_s))


def _minutes(world: World, meter: Meter) -> int:
    until = meter.blocked_until or world.now()
    return max(1, -int(-(until - world.now()).total_seconds() // 60))


def _waba_limit(waba: Waba) -> int:
    return ACTIVE if waba.on_cloud else INACTIVE


def _app_limit(world: World, app: App) -> int:
    """Each token of the app stands for one user."""
    return PER_APP_USER * max(1, sum(token.app_id == app.id for token in world.tokens.values()))


def usage_headers(used: Usage) -> dict[str, str]:
    """On every response of Graph: percentages, and the wait in minutes.

    The `type` for WhatsApp is in no page that we have.
    """
    row = {"type": "whatsapp_business_management", **_percentages(used.waba)}
    row["estimated_time_to_regain_access"] = used.minutes
    return {
        "x-app-usage": json.dumps(_percentages(used.app)),
        "x-business-use-case-usage": json.dumps({used.business_id: [row]}),
    }


def _percentages(percent: int) -> dict[str, str | int]:
    return {"call_count": percent, "total_cputime": percent, "total_time": percent}
