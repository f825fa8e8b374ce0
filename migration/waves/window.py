"""The time window in which the numbers of a wave may be cut over. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from migration.engine.itineraries import known_itinerary
from migration.waves.plan import BadPlan
from state.phone_spelling import plain_digits
from state.rows import Position, WaveRow

# Entries of the time zone database that are no zones; what they stand for depends on the machine.
EXCLUDED_ZONES = frozenset({"localtime", "Factory", "posixrules"})
# Years that leave room to convert a time into any zone, and to add hours to it.
FIRST_YEAR, LAST_YEAR = 2000, 2199
# Typed instead of a time, it removes the start or the end that the wave has.
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Window:
    """`start` and `end` are aware, in UTC; None means open. `time_zone` is the zone in which people typed them."""

    start: datetime | None = None
    end: datetime | None = None
    time_zone: str = "UTC"

    def local(self, time: datetime) -> str:
        """A time as people in the window's zone write it."""
        return f"{time.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M} {self.time_zone}"


def window_of(row: WaveRow) -> Window:
    return Window(row.window_start, row.window_end, row.time_zone)


def parse_window(start: str | None, end: str | None, time_zone: str | None, kept: Window, now: datetime) -> Window:
    """The wave's window `kept`, changed by what was typed: local times such as `2026-12-01 22:00`. Raises BadPlan.

    None keeps a value. A new zone keeps the local times: 22:00 stays 22:00, in the new zone.
    """
    zone = _find_zone(kept.time_zone if time_zone is None else time_zone)
    begins = _in_zone(kept.start, kept, zone) if start is None else _parse_time(start, zone)
    ends = _in_zone(kept.end, kept, zone) if end is None else _parse_time(end, zone)
    window = Window(begins, ends, zone.key)
    if ends is not None and ends <= now:
        raise BadPlan(f"the window ends in the past ({window.local(ends)}); nothing was changed")
    if begins is not None and ends is not None and ends <= begins:
        problem = f"the window ends before it begins ({window.local(begins)} to {window.local(ends)})"
        raise BadPlan(f"{problem}; nothing was changed")
    if begins is not None and begins != kept.start and begins <= now:
        advice = "leave --from out" if kept.start is None else f"give --from {OPEN}"
        problem = f"the start {window.local(begins)} is in the past; {advice} and it may cross at once"
        raise BadPlan(f"{problem}; nothing was changed")
    return window


def check_window_fits(window: Window, numbers: Sequence[Position], now: datetime) -> None:
    """Raises BadPlan if a cutover of one of these numbers takes longer than the rest of the window."""
    if window.end is None:
        return
    remaining = window.end - max(window.start or now, now)
    too_long = [duration for duration in map(longest_cutover, numbers) if duration > remaining]
    if too_long:
        minutes = int(max(too_long) / timedelta(minutes=1))
        cutover = f"{minutes} minutes for {len(too_long)} of {len(numbers)} numbers"
        raise BadPlan(f"the window is shorter than one cutover ({cutover}); nothing was changed")


def longest_cutover(position: Position) -> timedelta:
    """The longest time that a cutover takes on this number's itinerary."""
    itinerary = known_itinerary(position.itinerary, None)
    steps = itinerary.steps if itinerary is not None else ()
    return max((entry.fits_in for entry in steps), default=timedelta())


def _find_zone(name: str) -> ZoneInfo:
    """A zone that is the same on every machine: `localtime` may be another zone on another worker."""
    if name not in available_timezones() - EXCLUDED_ZONES:
        raise BadPlan(f"there is no time zone {name!r}; give one as in America/Sao_Paulo")
    return ZoneInfo(name)


def _in_zone(time: datetime | None, kept: Window, zone: ZoneInfo) -> datetime | None:
    """The same local time in another zone."""
    if time is None or kept.time_zone == zone.key:
        return time
    return _to_utc(time.astimezone(ZoneInfo(kept.time_zone)).replace(tzinfo=None), zone)


def _parse_time(text: str, zone: ZoneInfo) -> datetime | None:
    text = plain_digits(text).strip()
    if text.lower() == OPEN:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadPlan(f"{text!r} is not a date and time, as in 2026-12-01 22:00") from exc
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise BadPlan(f"{text!r} is no time for a wave: give a year from {FIRST_YEAR} to {LAST_YEAR}")
    return time.astimezone(UTC) if time.tzinfo else _to_utc(time, zone)


def _to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """Raises BadPlan for a time that the zone's clocks skip or show twice: the wave would begin an hour early or late.

    https://docs.python.org/3/library/datetime.html#datetime.datetime.fold
    """
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    shown = f"{local:%Y-%m-%d %H:%M}"
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise BadPlan(f"there is no {shown} in {zone.key}: clocks are put forward over it; give another time")
    if first.utcoffset() != second.utcoffset():
        choices = " or ".join(f'"{shown}{time:%z}"' for time in (first, second))
        raise BadPlan(f"{shown} comes twice in {zone.key}, as clocks are put back; give {choices}")
    return first.astimezone(UTC)
