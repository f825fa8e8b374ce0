"""The numbers of a WABA as an edge: in which order, and which of them.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
(newest onboarding first, `filtering` by `account_mode`, `sort=['last_onboarded_time_ascending']`)
https://github.com/facebook/openapi (`last_onboarded_time.asc`, `creation_time.desc`, and filters by tier and badge)
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.errors import Refusal
from sandbox.graph.access import Ask
from sandbox.graph.field_tree import Tree, parse
from sandbox.graph.fields import PHONE, render_phone
from sandbox.graph.paging import Edge, Order, Visible, page
from sandbox.world.accounts import Waba
from sandbox.world.world import World

FILTERS = ("account_mode", "messaging_limit_tier", "is_official_business_account")
NEWEST = "last_onboarded_time.desc"
# Both spellings: `last_onboarded_time_ascending` and `last_onboarded_time.asc`.
SORT = re.compile(r"(last_onboarded_time|creation_time)[._](asc|desc)(?:ending)?")
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)


def numbers(ask: Ask, waba: Waba, asks: Mapping[str, Any], tree: Tree | None = None) -> dict[str, Any]:
    """`asks`: `fields`, `limit`, `after`, `before`, `sort`, `filtering`. Raises Refusal."""
    world, app = ask.world, ask.app()
    wanted = tree if tree is not None else parse(asks["fields"]) if asks.get("fields") else None
    edge = Edge(
        path=f"{waba.id}/phone_numbers",
        order=_order(world, waba, _sort(world, asks.get("sort"))),
        row=lambda one: render_phone(world, world.by_phone_id(one), wanted, app),
        asks=asks,
        visible=_filter(world, asks.get("filtering")),
    )
    return page(ask, edge)


def _order(world: World, waba: Waba, how: str) -> Order:
    """Made anew only when a number has joined: who pages through thousands asks for it dozens of times."""
    known: Order | None = waba.orders.get(how)
    if known is not None and len(known.keys) == len(waba.phone_number_ids):
        return known
    keys = list(waba.phone_number_ids)
    by, _, direction = how.partition(".")
    if by == "last_onboarded_time":
        keys.sort(key=lambda one: world.by_id[one].onboarded_at or LONG_AGO, reverse=direction == "desc")
    elif direction == "desc":
        keys.reverse()
    made = waba.orders[how] = Order(keys)
    return made


def _sort(world: World, given: Any) -> str:
    if not given or world.switches.numbers_sort == "ignored":
        return NEWEST
    told = given[0] if isinstance(given, list) else str(given).strip("[]'\" ")
    found = SORT.fullmatch(str(told))
    if found is None or world.switches.numbers_sort == "refused":
        raise Refusal(100, message="(#100) Param sort is not a known order")
    return f"{found[1]}.{found[2]}"


def _filter(world: World, given: Any) -> Visible:
    """A deleted number is in no list."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise Refusal(100, message="(#100) Param filtering must be a JSON array") from None
    rules = [_rule(one) for one in given] if isinstance(given, list) else []

    def visible(one: str) -> bool:
        number = world.by_id[one]
        here = number.phone_number_id == one and not number.deleted
        return here and all(_text(PHONE[name](world, number)) == value for name, value in rules)

    return visible


def _rule(told: Any) -> tuple[str, str]:
    if not isinstance(told, dict) or told.get("field") not in FILTERS or told.get("operator") != "EQUAL":
        raise Refusal(100, message=f"(#100) Param filtering takes EQUAL of {', '.join(FILTERS)}")
    return str(told["field"]), _text(told.get("value"))


def _text(value: Any) -> str:
    return str(value).upper()
