"""When a customer may be called: the hours of a week in its own time zone. Pure functions."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from state.phone_spelling import plain_digits

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FORM = "Mon-Fri 09:00-18:00; Sat 10:00-13:00"
_PART = re.compile(
    r"(?:(?P<first>[A-Za-z]{3})(?:\s*-\s*(?P<last>[A-Za-z]{3}))?\s+)?"
    r"(?P<start>[0-2]?[0-9]:[0-5][0-9])\s*-\s*(?P<end>[0-2]?[0-9]:[0-5][0-9])"
)
LOOK_AHEAD = 8  # days: every part of a week begins within them


@dataclass(frozen=True, slots=True)
class AllowedHours:
    """Parts of a week: day from 0 (Monday), minutes after midnight from and until. Empty: every hour is allowed."""

    parts: tuple[tuple[int, int, int], ...]
    zone: ZoneInfo

    def allow(self, start: datetime, end: datetime) -> bool:
        """Whether all of the time between two moments may be used. Both are aware."""
        if not self.parts:
            return True
        return any(begins <= start and end <= ends for begins, ends in self._around(start))

    def next_opening(self, now: datetime) -> datetime | None:
        """The moment from which a call is allowed: now, or when the next part begins. None: every hour is allowed."""
        if not self.parts:
            return None
        opens = [max(begins, now) for begins, ends in self._around(now) if ends > now]
        return min(opens) if opens else None

    def _around(self, moment: datetime) -> list[tuple[datetime, datetime]]:
        local = moment.astimezone(self.zone).date()
        days = [local + timedelta(days=ahead) for ahead in range(-1, LOOK_AHEAD)]
        return [
            (self._at(day, start), self._at(day, end))
            for day in days
            for weekday, start, end in self.parts
            if day.weekday() == weekday
        ]

    def _at(self, day: date, minutes: int) -> datetime:
        """Midnight and minutes on the wall's clock, whatever the zone does to its clocks that day."""
        at = datetime.combine(day, time(), self.zone)
        if minutes == 24 * 60:
            return datetime.combine(day + timedelta(days=1), time(), self.zone)
        return at.replace(hour=minutes // 60, minute=minutes % 60)


def parse_hours(text: str, zone: str = "UTC") -> AllowedHours:
    """`Mon-Fri 09:00-18:00; Sat 10:00-13:00`, or `09:00-18:00` for every day. Raises ValueError, without the text."""
    parts: list[tuple[int, int, int]] = []
    for part in filter(None, (part.strip() for part in plain_digits(text).split(";"))):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"is not of the form {FORM}")
        start, end = _minutes(match["start"]), _minutes(match["end"])
        if start >= end or end > 24 * 60:
            raise ValueError("has hours that end before they begin; write two parts for hours around midnight")
        parts += [(day, start, end) for day in _days(match["first"], match["last"])]
    return AllowedHours(tuple(parts), ZoneInfo(zone))


def _minutes(clock: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    return hours * 60 + minutes


def _days(first: str | None, last: str | None) -> list[int]:
    if first is None:
        return list(range(7))
    try:
        begins = DAYS.index(first.capitalize())
        ends = DAYS.index(last.capitalize()) if last else begins
    except ValueError as exc:
        raise ValueError(f"names a day that is none of {', '.join(DAYS)}") from exc
    return [(begins + ahead) % 7 for ahead in range((ends - begins) % 7 + 1)]
