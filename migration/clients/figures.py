"""Figures and texts from far sides. A value that cannot be read is None: unknown, never zero and never safe.

Numbers come as text and texts as numbers; `true`, a list, "", NaN, 1e999, 5,000 digits or other scripts' digits are
no number. Nothing in here raises.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from migration.clients.json_values import MOST_DIGITS

# Whatever lies outside is a mistake of the far side (milliseconds for seconds, year 9999 for "never").
EARLIEST, LATEST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# A far side that asks for a longer pause asks by mistake; Meta's windows are an hour and a day.
# https://developers.facebook.com/docs/graph-api/overview/rate-limiting
LONGEST_PAUSE = timedelta(hours=24)

_NUMBER = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}(\.[0-9]{{1,{MOST_DIGITS}}})?")
_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")


def number(value: Any) -> float | int | None:
    """A finite number of at most MOST_DIGITS digits, as a number or as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**MOST_DIGITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) and abs(value) < 10**MOST_DIGITS else None
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()) is None:
        return None
    return float(value) if "." in value else int(value)


def whole(value: Any) -> int | None:
    """A whole number: 5, "5", 5.0, "5.0"."""
    figure = number(value)
    return int(figure) if figure is not None and figure == int(figure) else None


def count(value: Any) -> int | None:
    """A whole number that is not negative."""
    figure = whole(value)
    return figure if figure is not None and figure >= 0 else None


def text(value: Any) -> str | None:
    """Text that is not empty; a whole number counts as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if whole(value) is not None else None
    return value if isinstance(value, str) and value else None


def flag(value: Any) -> bool | None:
    """`true`, "true", 1, "1" and the same of false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float | list | Mapping) or value is None:
        return None
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower()[:9])


def moment(value: Any) -> datetime | None:
    """Seconds since 1970, or ISO text with or without a zone (UTC where there is none), from EARLIEST to LATEST."""
    seconds = number(value)
    try:
        if seconds is not None:
            time = datetime.fromtimestamp(seconds, UTC)
        elif isinstance(value, str) and value.isascii():
            time = datetime.fromisoformat(value.strip()[:40])
        else:
            return None
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time if EARLIEST <= time <= LATEST else None


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The header `Retry-After`: seconds, or a date of HTTP. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3"""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return pause(float(value))
    try:
        until = parsedate_to_datetime(value[:40]) if value.isascii() else None
        return pause((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()) if until is not None else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def pause(seconds: float | None, longest: timedelta = LONGEST_PAUSE) -> timedelta | None:
    """A pause that a far side asks for; None where it is not positive, or longer than anybody means."""
    if seconds is None or not math.isfinite(seconds) or not 0 < seconds <= longest.total_seconds():
        return None
    return timedelta(seconds=seconds)
