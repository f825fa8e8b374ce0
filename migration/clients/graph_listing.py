"""Lists of Graph, page by page: bounded, and each page has to be another one than those before.

https://developers.facebook.com/docs/graph-api/results
"""

from typing import Any

from migration.clients.graph_http import GraphHttp
from migration.clients.http import LISTING_S, READ_S
from migration.clients.json_values import inside
from migration.errors import Transient
from migration.scrubbing.texts import SafeText

MOST_PAGES = 500
MOST_ROWS = 50_000
MOST_CURSOR = 2_000  # characters


async def read_all(http: GraphHttp, path: str, **query: str) -> list[Any]:
    """All rows of a list, whatever they are; the last page has no `next`.

    Raises what `GraphHttp.get` raises, and Transient for a list that does not end, comes back to a page that was read,
    or says that there is more without saying where. The URL in `next` is not called: it may carry the token, and name
    another host.
    """
    by = http.within(LISTING_S)
    rows: list[Any] = []
    seen: set[str] = set()
    page = dict(query)
    while True:
        body = await http.get(path, by=min(by, http.within(READ_S)), **page)
        found = body.get("data")
        if found is not None and not isinstance(found, list):
            raise Transient(f"GET {path}: its list cannot be read", True)
        rows += found or []
        if inside(body, "paging", "next") is None:
            return rows
        # A SafeText is what a scrubber has made of it, no cursor any more.
        cursor = inside(body, "paging", "cursors", "after")
        if not isinstance(cursor, str) or isinstance(cursor, SafeText) or not 0 < len(cursor) <= MOST_CURSOR:
            raise Transient(f"GET {path}: the list has more pages and does not say where", True)
        if cursor in seen:
            raise Transient(f"GET {path}: the list does not advance: the same page came again", True)
        seen.add(cursor)
        if len(seen) >= MOST_PAGES or len(rows) > MOST_ROWS:
            raise Transient(f"GET {path}: the list does not end; {len(rows)} rows were read", True)
        page["after"] = cursor
