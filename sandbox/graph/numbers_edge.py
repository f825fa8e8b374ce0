"""The edge `phone_numbers` of a WABA: its order and its filters.

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
from sandbox.graph.access import GraphCall
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


def numbers(call: GraphCall, waba: Waba, params: Mapping[str, Any], tree: Tree | None = None) -> dict[str, Any]:
    """One page. `params`: `fields`, `limit`, `after`, `before`, `sort`, `filtering`. Raises Refusal."""
    world, app = call.world, call.app()
    requested = tree if tree is not None else parse(params["fields"]) if params.get("fields") else None
    edge = Edge(
        path=f"{waba.id}/phone_numbers",
        order=_order(world, waba, _sort(world, params.get("sort"))),
        row=lambda key: render_phone(world, world.by_phone_id(key), requested, app),
        params=params,
        visible=_filter(world, params.get("filtering")),
    )
    return page(call, edge)


def _order(world: World, waba: Waba, sort: str) -> Order:
    """Cached until a number is added: reading thousands of numbers page by page needs it dozens of times."""
    known: Order | None = waba.orders.get(sort)
    if known is not None and len(known.keys) == len(waba.phone_number_ids):
        return known
    keys = list(waba.phone_number_ids)
    by, _, direction = sort.partition(".")
    if by == "last_onboarded_time":
        keys.sort(key=lambda key: world.by_id[key].onboarded_at or LONG_AGO, reverse=direction == "desc")
    elif direction == "desc":
        keys.reverse()
    order = waba.orders[sort] = Order(keys)
    return order


def _sort(world: World, value: Any) -> str:
    if not value or world.switches.numbers_sort == "ignored":
        return NEWEST
    text = value[0] if isinstance(value, list) else str(value).strip("[]'\" ")
    match = SORT.fullmatch(str(text))
    if match is None or world.switches.numbers_sort == "refused":
        raise Refusal(100, message="(#100) Param sort is not a known order")
    return f"{match[1]}.{match[2]}"


def _filter(world: World, value: Any) -> Visible:
    """A deleted number is in no list."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Refusal(100, message="(#100) Param filtering must be a JSON array") from None
    rules = [_rule(row) for row in value] if isinstance(value, list) else []

    def visible(key: str) -> bool:
        number = world.by_id[key]
        listed = number.phone_number_id == key and not number.deleted
        return listed and all(_text(PHONE[name](world, number)) == text for name, text in rules)

    return visible


def _rule(row: Any) -> tuple[str, str]:
    if not isinstance(row, dict) or row.get("field") not in FILTERS or row.get("operator") != "EQUAL":
        raise Refusal(100, message=f"(#100) Param filtering takes EQUAL of {', '.join(FILTERS)}")
    return str(row["field"]), _text(row.get("value"))


def _text(value: Any) -> str:
    return str(value).upper()
