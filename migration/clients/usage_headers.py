"""Graph's headers about usage: what of a limit is used, in percent, and when calls are taken again.

`X-App-Usage` is one object about the app. `X-Business-Use-Case-Usage` has rows by the id of a business or WABA, up to
32 of them; those of others are about other limits. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from migration.clients.figures import LONGEST_PAUSE, number, pause
from migration.clients.json_values import objects, parse_json

_PERCENT = ("call_count", "total_cputime", "total_time")
# Of a limit: whatever lies outside is a mistake of the far side. Meta shows more than 100 where calls are refused.
MOST_PERCENT = 1_000
USED_UP = 100
# The longest pause that a row may ask for; what is longer nobody means.
LONGEST_WAIT = timedelta(days=7)

Rows = Mapping[str, tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whose rows count for a call: those of `ids`, the call's WABA and its business as far as they are known.

    Where the header names none of them, all rows count but those of `others`, which are WABAs of other calls.
    """

    ids: tuple[str, ...] = ()
    others: Collection[str] = ()

    def rows(self, headers: Mapping[str, str], *, accepted: bool = False) -> list[Mapping[str, Any]]:
        """Those of WhatsApp, which has no documented name, where a row names it; else of every kind of limit.

        `accepted`: the call was not refused. Then an id whose limit is used up is not the one that it counted for.
        """
        by_id = _business_rows(headers)
        if accepted and len(by_id) > 1:
            by_id = {one: rows for one, rows in by_id.items() if (_highest(rows) or 0) < USED_UP} or by_id
        own = [row for one in self.ids for row in by_id.get(one, ())]
        rows = own or [row for one, each in by_id.items() if one not in self.others for row in each]
        return [row for row in rows if "whatsapp" in str(row.get("type", "")).lower()] or rows


ANYBODY = Concerned()


def ids_named(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Those of which the header of businesses has rows."""
    return tuple(one for one, rows in _business_rows(headers).items() if rows)


def app_percent(headers: Mapping[str, str]) -> int | None:
    """The highest percentage of the app's own limit; None where none is named."""
    return _highest(objects([parse_json(headers.get("x-app-usage", "").encode())]))


def usage_percent(headers: Mapping[str, str], concerned: Concerned = ANYBODY, *, accepted: bool = False) -> int | None:
    """The highest percentage of the limits that concern a call; None where none is named. `accepted`: see `rows`."""
    return _highest(concerned.rows(headers, accepted=accepted))


def time_to_regain_access(headers: Mapping[str, str], concerned: Concerned = ANYBODY) -> timedelta | None:
    """The longest `estimated_time_to_regain_access`, which Meta gives in minutes. What is no such figure is left out.

    Where no row that concerns the call asks for a pause, those of all others count: the call was refused. A day at
    most: where Graph still takes no calls then, it says so again.
    """
    every = [row for rows in _business_rows(headers).values() for row in rows]
    longest = _longest(concerned.rows(headers)) or _longest(every)
    return min(longest, LONGEST_PAUSE) if longest is not None else None


def _business_rows(headers: Mapping[str, str]) -> Rows:
    header = parse_json(headers.get("x-business-use-case-usage", "").encode())
    if not isinstance(header, Mapping):
        return {}
    # Meta shows a list of rows; one row by itself says as much.
    return {one: objects([rows] if isinstance(rows, Mapping) else rows) for one, rows in header.items()}


def _highest(rows: Collection[Mapping[str, Any]]) -> int | None:
    percents = (number(row.get(name)) for row in rows for name in _PERCENT)
    return max((int(one) for one in percents if one is not None and 0 <= one <= MOST_PERCENT), default=None)


def _longest(rows: Collection[Mapping[str, Any]]) -> timedelta | None:
    minutes = (number(row.get("estimated_time_to_regain_access")) for row in rows)
    pauses = (pause(figure * 60, LONGEST_WAIT) for figure in minutes if figure is not None)
    return max((each for each in pauses if each is not None), default=None)
