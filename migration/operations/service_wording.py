"""The sentences about whether a number is served: on which side, since when not, and for how long it was not.

Pure functions: `now` is the database's time, aware, in UTC.
"""

import math
from datetime import datetime
from typing import Any

from state.enums import Side
from state.rows import AnyPosition
from state.service import Outage, outage_so_far

TELLS_TO_THE_SECOND = 1.0  # the two bounds of an outage are given where they lie further apart, in seconds


def shown_side(position: AnyPosition) -> Side:
    """The side by the last reading. The side on record changes only by a step that may move the number.

    `unknown` while it is not known what a call did, whatever a single reading shows, and until both sides were read
    after a restore: the number may have moved since the record was copied.
    """
    if position.side is Side.UNKNOWN or not_read_since_restore(position):
        return Side.UNKNOWN
    if position.dark_from is not None:
        return Side.NEITHER
    return position.served_on or position.side


def not_read_since_restore(position: AnyPosition) -> bool:
    return position.ended_at is None and not position.sides_read


def seen_at(position: AnyPosition) -> datetime | None:
    """When both sides of the number were read last."""
    return position.seen_at or position.side_read_at


def side_text(position: AnyPosition, now: datetime) -> str:
    """The side with the age of its reading."""
    seen = seen_at(position)
    if seen is None:
        return shown_side(position).value
    if not_read_since_restore(position):
        return f"unknown since the restore; {position.side} on record of {seen:%Y-%m-%d %H:%M} UTC"
    return f"{shown_side(position)}, seen {duration_text(max((now - seen).total_seconds(), 0.0))} ago"


def dark_bounds(position: AnyPosition, now: datetime) -> Outage | None:
    """How long the number has been, or may have been, on neither side; None where it is served or never was in use."""
    if position.side is Side.UNKNOWN and position.dark_from is None:
        if position.dark_since is None or position.served_at is None:
            return None
        return Outage(0.0, max((now - position.served_at).total_seconds(), 0.0))
    return outage_so_far(position, now)


def dark_seconds(position: AnyPosition, now: datetime) -> float | None:
    """Seconds since the number served last, or was first seen dark where nobody has seen it serve; None: not dark."""
    bounds = dark_bounds(position, now)
    if bounds is None:
        return None
    return bounds.at_least if bounds.at_most is None else bounds.at_most


def outage_text(position: AnyPosition, now: datetime) -> str:
    """How long the number has been dark or, where it is not dark now, how long its outages were."""
    bounds = dark_bounds(position, now)
    if bounds is not None:
        return _dark_text(position, bounds)
    if position.outage_seconds is None:
        return "-"
    return range_text(position.outage_at_least, position.outage_seconds)


def _dark_text(position: AnyPosition, bounds: Outage) -> str:
    if bounds.at_most is None:
        return f"dark on arrival, at least {duration_text(bounds.at_least)}"
    most = duration_text(bounds.at_most)
    if position.dark_from is None:
        return f"may be dark, at most {most}"
    close = bounds.at_most - bounds.at_least <= TELLS_TO_THE_SECOND
    figure = most if close else f"{duration_text(bounds.at_least)} to {most}"
    return f"DARK {figure}" if position.dark_by_us else f"DARK {figure}, not by us"


def dark_since_text(position: AnyPosition, now: datetime) -> str | None:
    """Since when the number is dark, and when it was last seen serving; None where it is not dark."""
    if position.dark_from is None and dark_bounds(position, now) is None:
        return None
    last = f"(last seen serving: {_time_text(position.served_at) if position.served_at is not None else 'not by us'})"
    if position.dark_from is not None:
        return f"dark since {_time_text(position.dark_from)} {last}"
    # A reading after the call that may have taken it off: not before that one.
    earliest = max(at for at in (position.dark_since, position.served_at) if at is not None)
    return f"maybe dark since {_time_text(earliest)} {last}"


def _time_text(at: datetime) -> str:
    """`2026-11-27 08:00:00 UTC`. In a list of 50,000 numbers two a line: strftime takes four times as long."""
    return f"{at.isoformat(' ', 'seconds')[:19]} UTC"


def stopped_by_itself(position: AnyPosition) -> bool:
    """It served, and by the last reading it does not any more, without a call of ours."""
    lost = position.dark_from is not None and position.served_at is not None
    return position.ended_at is None and lost and not position.dark_by_us


def finding_text(position: AnyPosition) -> str | None:
    """What was found of a number that stands still; None where nothing was."""
    if not stopped_by_itself(position):
        return None
    what = "its client stopped serving" if position.served_on is Side.ON_PREMISES else "it stopped serving"
    since = f"{position.dark_from:%Y-%m-%d %H:%M:%S} UTC (last seen serving: {position.served_at:%H:%M:%S} UTC)"
    page = f"see `cutover runbook dark-on-both-sides {position.ref}`"
    return f"{position.ref}: {what}, not by us; dark since {since}; {page}"


def range_text(at_least: float | None, at_most: float) -> str:
    """`5.1 s`, or the range where readings cannot tell to the second: `3 to 6 s`, `at most 6.0 s`."""
    if at_least is None or at_most - at_least <= TELLS_TO_THE_SECOND:
        return f"{at_most:.1f} s"
    if at_least < 1:
        return f"at most {at_most:.1f} s"
    return f"{math.floor(at_least)} to {math.ceil(at_most)} s"


def duration_text(seconds: float) -> str:
    """`95` becomes `1 min 35 s`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def service_document(position: AnyPosition, now: datetime) -> dict[str, Any]:
    """The side and the outage as JSON. `outage_s` counts from the last moment of service known: the upper bound."""
    bounds = dark_bounds(position, now)
    at_least, at_most = (bounds.at_least, bounds.at_most) if bounds is not None else (None, None)
    return {
        "side": shown_side(position),
        "seen_at": seen_at(position),
        "last_served_at": position.served_at,
        "dark_since": (position.dark_from or position.dark_since) if bounds is not None else None,
        "dark_s": at_least if at_most is None else at_most,
        "dark_at_least_s": at_least,
        "dark_at_most_s": at_most,
        "dark_by_us": position.dark_by_us,
        "finding": finding_text(position),
        "outage_s": position.outage_seconds,
        "outage_at_least_s": position.outage_at_least,
        "outage_at_most_s": position.outage_seconds,
    }
