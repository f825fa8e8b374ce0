"""Pages of an edge: opaque cursors, `limit`, absolute links. A page costs what is on it, however long the edge is.

https://developers.facebook.com/docs/graph-api/results
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from sandbox.errors import Refusal
from sandbox.graph.access import Ask, served_version

LIMIT, MOST = 25, 100
LONGEST_LIMIT = 18  # digits; what does not fit into 64 bits is no number there
PREFIX = b"QVFI"  # real cursors begin like this
# What says where a page begins; the links say it anew.
PLACES = ("after", "before", "limit")


@dataclass(slots=True)
class Order:
    """Keys in the order of their edge, and where each stands. Made once, not for each page."""

    keys: Sequence[str]
    places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.places = {key: at for at, key in enumerate(self.keys)}

    def at(self, cursor: Any) -> int:
        """Raises Refusal for a cursor that this edge never gave."""
        place = self.places.get(_key(str(cursor)) or "")
        if place is None:
            raise Refusal(100, message="(#100) The cursor is not valid")
        return place

    def backwards(self) -> "Order":
        return Order(self.keys[::-1])


Visible = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Edge:
    """`path` is where the edge is read by itself; `asks` its parameters, as in the query."""

    path: str
    order: Order
    row: Callable[[str], dict[str, Any]]
    asks: Mapping[str, Any]
    visible: Visible = lambda _: True


def page(ask: Ask, edge: Edge) -> dict[str, Any]:
    """`next` is absent on the last page. Raises Refusal."""
    order, limit = edge.order, _limit(edge.asks.get("limit", LIMIT))
    if "before" in edge.asks and "after" not in edge.asks:
        end = order.at(edge.asks["before"])
        found = list(islice(_walk(edge, range(end - 1, -1, -1)), limit))[::-1]
    else:
        start = order.at(edge.asks["after"]) + 1 if "after" in edge.asks else 0
        found = list(islice(_walk(edge, range(start, len(order.keys))), limit))
    rows = [edge.row(key) for key in found]
    return {"data": rows} | ({"paging": _paging(ask, edge, found, limit)} if rows else {})


def _walk(edge: Edge, places: range) -> Any:
    return (key for key in map(edge.order.keys.__getitem__, places) if edge.visible(key))


def _paging(ask: Ask, edge: Edge, found: Sequence[str], limit: int) -> dict[str, Any]:
    order, first, last = edge.order, cursor(found[0]), cursor(found[-1])
    paging: dict[str, Any] = {"cursors": {"before": first, "after": last}}
    if any(_walk(edge, range(order.places[found[-1]] + 1, len(order.keys)))):
        paging["next"] = _link(ask, edge, limit, after=last)
    if any(_walk(edge, range(order.places[found[0]] - 1, -1, -1))):
        paging["previous"] = _link(ask, edge, limit, before=first)
    return paging


def _limit(given: Any) -> int:
    """Anything above the most is taken as the most. Raises Refusal."""
    text = str(given)
    if not text.isdecimal() or not text.isascii() or len(text) > LONGEST_LIMIT:
        raise Refusal(100, message="(#100) param limit must be non-negative")
    return min(int(text), MOST)


def cursor(key: str) -> str:
    return base64.urlsafe_b64encode(PREFIX + key.encode()).decode().rstrip("=")


def _key(given: str) -> str | None:
    """What a cursor stands for; None where it is none."""
    try:
        told = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
        return told.removeprefix(PREFIX).decode() if told.startswith(PREFIX) else None
    except (binascii.Error, ValueError):
        return None


def _link(ask: Ask, edge: Edge, limit: int, **place: str) -> str:
    kept = {
        name: json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else value
        for name, value in edge.asks.items()
        if name not in PLACES
    }
    version = ask.version or served_version(None, ask.world.now())
    query = urlencode(kept | {"access_token": ask.token, "limit": limit} | place, errors="replace")
    return f"{ask.request.base}/{version}/{edge.path}?{query}"
