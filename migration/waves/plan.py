"""Which numbers a wave takes and when it may cross. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from migration.engine.itineraries import itinerary_named
from migration.errors import MigrationError
from state.queries import WaveRow
from state.rows import Position, UnplannedRow


class BadPlan(MigrationError):
    """A rule or a window that makes no sense; says which part."""


_CONDITION = re.compile(r"(tag|customer|volume)(!=|<=|>=|=|<|>)(.+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Condition:
    what: str
    sign: str
    value: str

    def holds(self, row: UnplannedRow) -> bool:
        if self.what == "volume":
            # A number of unknown volume is in no rule about volume: it might be the busiest.
            return row.daily_volume is not None and _COMPARE[self.sign](row.daily_volume, float(self.value))
        there = self.value in row.tags.split() if self.what == "tag" else row.customer == self.value
        return there if self.sign == "=" else not there


@dataclass(frozen=True, slots=True)
class WaveRule:
    """All conditions must hold."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, row: UnplannedRow) -> bool:
        return all(condition.holds(row) for condition in self.conditions)


def parse_rule(text: str) -> WaveRule:
    """`tag=north,volume<1000,customer!=Acme`. Raises BadPlan naming the part that is wrong."""
    conditions = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _CONDITION.fullmatch(part)
        if found is None:
            raise BadPlan(
                f"rule {part!r}: give tag, customer or volume, a sign and a value, as in tag=north,volume<1000"
            )
        what, sign, value = (piece.strip() for piece in found.groups())
        if what == "volume" and re.fullmatch(r"\d+(\.\d+)?", value) is None:
            raise BadPlan(f"rule {part!r}: a volume is a count of messages a day")
        if what != "volume" and sign not in ("=", "!="):
            raise BadPlan(f"rule {part!r}: a {what} is compared with = or !=")
        conditions.append(Condition(what, sign, value))
    if not conditions:  # a shell variable that is not set would take the whole fleet
        raise BadPlan("the rule is empty; leave --rule out to take every number that is in no wave")
    return WaveRule(tuple(conditions))


def select_numbers(rule: WaveRule, rows: Sequence[UnplannedRow], limit: int | None) -> list[UnplannedRow]:
    """Low volume first, as Meta advises for the first numbers; unknown volume last; then by reference.

    https://developers.facebook.com/docs/whatsapp/cloud-api/guides/migrating-from-onprem-to-cloud
    """
    picked = sorted(
        (row for row in rows if rule.matches(row)),
        key=lambda row: (row.daily_volume is None, row.daily_volume or 0, len(row.ref), row.ref),
    )
    return picked[:limit] if limit is not None else picked


@dataclass(frozen=True, slots=True)
class Window:
    """Aware UTC; either end may be open."""

    start: datetime | None = None
    end: datetime | None = None
    time_zone: str = "UTC"

    def local(self, at: datetime) -> str:
        """A moment as people of the zone write it down."""
        return f"{at.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M} {self.time_zone}"


def window_of(row: WaveRow) -> Window:
    return Window(row.window_start, row.window_end, row.time_zone)


# What the time zone database has beside zones; what they stand for is this machine's own affair.
EXCLUDED_ZONES = frozenset({"localtime", "Factory", "posixrules"})
# Room to move a time into any zone, and to count on from it.
FIRST_YEAR, LAST_YEAR = 2000, 2199
# Typed for an end of the window, it takes away what the wave has there.
OPEN = "open"


def parse_window(start: str | None, end: str | None, time_zone: str | None, kept: Window, now: datetime) -> Window:
    """What was typed, over what the wave has: local times of the zone, as `2026-12-01 22:00`. Raises BadPlan.

    Another zone moves the local times that are kept into it: 22:00 stays 22:00.
    """
    zone = _zone(kept.time_zone if time_zone is None else time_zone)
    begins = _moved(kept.start, kept, zone) if start is None else _time(start, zone)
    ends = _moved(kept.end, kept, zone) if end is None else _time(end, zone)
    window = Window(begins, ends, zone.key)
    if ends is not None and ends <= now:
        raise BadPlan(f"the window ends in the past ({window.local(ends)}); nothing was changed")
    if begins is not None and ends is not None and ends <= begins:
        said = f"the window ends before it begins ({window.local(begins)} to {window.local(ends)})"
        raise BadPlan(f"{said}; nothing was changed")
    if begins is not None and begins != kept.start and begins <= now:
        at_once = "leave --from out" if kept.start is None else f"give --from {OPEN}"
        said = f"the start {window.local(begins)} is in the past; {at_once} and it may cross at once"
        raise BadPlan(f"{said}; nothing was changed")
    return window


def check_window_fits(window: Window, numbers: Sequence[Position], now: datetime) -> None:
    """Raises BadPlan when a cutover of these numbers does not fit into what is left of the window."""
    if window.end is None:
        return
    left = window.end - max(window.start or now, now)
    long = [one for one in map(longest_cutover, numbers) if one > left]
    if long:
        minutes = int(max(long) / timedelta(minutes=1))
        said = f"the window is shorter than one cutover ({minutes} minutes for {len(long)} of {len(numbers)} numbers)"
        raise BadPlan(f"{said}; nothing was changed")


def longest_cutover(at: Position) -> timedelta:
    """What a cutover on this number's way takes at the most."""
    return max(entry.fits_in for entry in itinerary_named(at.itinerary).steps)


def _zone(name: str) -> ZoneInfo:
    """A zone that every machine has under this name, the same one: `localtime` is another one on another worker."""
    if name not in available_timezones() - EXCLUDED_ZONES:
        raise BadPlan(f"there is no time zone {name!r}; give one as in America/Sao_Paulo")
    return ZoneInfo(name)


def _moved(at: datetime | None, kept: Window, zone: ZoneInfo) -> datetime | None:
    if at is None or kept.time_zone == zone.key:
        return at
    return _utc(at.astimezone(ZoneInfo(kept.time_zone)).replace(tzinfo=None), zone)


def _time(text: str, zone: ZoneInfo) -> datetime | None:
    if text.strip().lower() == OPEN:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadPlan(f"{text!r} is not a date and time, as in 2026-12-01 22:00") from exc
    if not FIRST_YEAR <= told.year <= LAST_YEAR:
        raise BadPlan(f"{text!r} is no time for a wave: give a year from {FIRST_YEAR} to {LAST_YEAR}")
    return told.astimezone(UTC) if told.tzinfo else _utc(told, zone)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    """Raises BadPlan for a time that the zone's clocks skip or show twice: a wave would begin an hour early or late."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    said = f"{local:%Y-%m-%d %H:%M}"
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise BadPlan(f"there is no {said} in {zone.key}: clocks are put forward over it; give another time")
    if first.utcoffset() != second.utcoffset():
        either = " or ".join(f'"{said}{one:%z}"' for one in (first, second))
        raise BadPlan(f"{said} comes twice in {zone.key}, as clocks are put back; give {either}")
    return first.astimezone(UTC)
