"""Pages of an edge: opaque cursors, `limit`, absolute links. The cost of a page does not grow with the edge.

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
from sandbox.graph.access import GraphCall, served_version

LIMIT, MOST = 25, 100
LONGEST_LIMIT = 18  # digits; Graph accepts no number above 64 bits
PREFIX = b"QVFI"  # real cursors begin like this
# Parameters that a link to another page replaces.
PLACES = ("after", "before", "limit")


@dataclass(slots=True)
class Order:
    """The keys of an edge in order, and the place of each. Made once, not for each page."""

    keys: Sequence[str]
    places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.places = {key: at for at, key in enumerate(self.keys)}

    def place_of(self, cursor: Any) -> int:
        """The place of a cursor. Raises Refusal for one that is not of this edge."""
        place = self.places.get(_key(str(cursor)) or "")
        if place is None:
            raise Refusal(100, message="(#100) The cursor is not valid")
        return place


Visible = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Edge:
    """`path`: where the edge is read by itself. `params`: its parameters, as in the query."""

    path: str
    order: Order
    row: Callable[[str], dict[str, Any]]
    params: Mapping[str, Any]
    visible: Visible = lambda _: True


def page(call: GraphCall, edge: Edge) -> dict[str, Any]:
    """One page; the last one has no `next`. Raises Refusal."""
    order, limit = edge.order, _limit(edge.params.get("limit", LIMIT))
    if "before" in edge.params and "after" not in edge.params:
        end = order.place_of(edge.params["before"])
        keys = list(islice(_visible_keys(edge, range(end - 1, -1, -1)), limit))[::-1]
    else:
        start = order.place_of(edge.params["after"]) + 1 if "after" in edge.params else 0
        keys = list(islice(_visible_keys(edge, range(start, len(order.keys))), limit))
    rows = [edge.row(key) for key in keys]
    return {"data": rows} | ({"paging": _paging(call, edge, keys, limit)} if rows else {})


def _visible_keys(edge: Edge, places: range) -> Any:
    return (key for key in map(edge.order.keys.__getitem__, places) if edge.visible(key))


def _paging(call: GraphCall, edge: Edge, keys: Sequence[str], limit: int) -> dict[str, Any]:
    order, first, last = edge.order, cursor(keys[0]), cursor(keys[-1])
    paging: dict[str, Any] = {"cursors": {"before": first, "after": last}}
    if any(_visible_keys(edge, range(order.places[keys[-1]] + 1, len(order.keys)))):
        paging["next"] = _link(call, edge, limit, after=last)
    if any(_visible_keys(edge, range(order.places[keys[0]] - 1, -1, -1))):
        paging["previous"] = _link(call, edge, limit, before=first)
    return paging


def _limit(value: Any) -> int:
    """At most MOST. Raises Refusal."""
    text = str(value)
    if not text.isdecimal() or not text.isascii() or len(text) > LONGEST_LIMIT:
        raise Refusal(100, message="(#100) param limit must be non-negative")
    return min(int(text), MOST)


def cursor(key: str) -> str:
    return base64.urlsafe_b64encode(PREFIX + key.encode()).decode().rstrip("=")


def _key(text: str) -> str | None:
    """The key of a cursor; None for a text that is not a cursor."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return content.removeprefix(PREFIX).decode() if content.startswith(PREFIX) else None
    except (binascii.Error, ValueError):
        return None


def _link(call: GraphCall, edge: Edge, limit: int, **place: str) -> str:
    params = {
        name: json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else value
        for name, value in edge.params.items()
        if name not in PLACES
    }
    version = call.version or served_version(None, call.world.now())
    query = urlencode(params | {"access_token": call.token, "limit": limit} | place, errors="replace")
    return f"{call.request.base}/{version}/{edge.path}?{query}"
