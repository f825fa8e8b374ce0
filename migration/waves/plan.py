"""Which numbers a wave takes and when it may cross. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migration.errors import MigrationError
from migration.itinerary import CUTOVER
from state.rows import UnplannedRow


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
class Rule:
    """All conditions must hold."""

    conditions: tuple[Condition, ...] = ()

    def takes(self, row: UnplannedRow) -> bool:
        return all(condition.holds(row) for condition in self.conditions)


def read_rule(text: str) -> Rule:
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
    return Rule(tuple(conditions))


def chosen_by(rule: Rule, rows: Sequence[UnplannedRow], limit: int | None) -> list[UnplannedRow]:
    """Low volume first, as Meta advises for the first numbers; unknown volume last; then by reference.

    https://developers.facebook.com/docs/whatsapp/cloud-api/guides/migrating-from-onprem-to-cloud
    """
    picked = sorted(
        (row for row in rows if rule.takes(row)),
        key=lambda row: (row.daily_volume is None, row.daily_volume or 0, len(row.ref), row.ref),
    )
    return picked[:limit] if limit is not None else picked


@dataclass(frozen=True, slots=True)
class Window:
    """Aware UTC; either end may be open."""

    start: datetime | None
    end: datetime | None
    time_zone: str


def read_window(start: str | None, end: str | None, time_zone: str, now: datetime) -> Window:
    """Local times of the zone, as `2026-12-01 22:00`. Raises BadPlan."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise BadPlan(f"there is no time zone {time_zone}; give one as in America/Sao_Paulo") from exc
    begins, ends = _time(start, zone), _time(end, zone)
    if ends is not None and ends <= now:
        raise BadPlan(f"the window ends in the past ({end} {time_zone}); nothing was changed")
    if ends is not None and ends - max(begins or now, now) < CUTOVER:
        minutes = int(CUTOVER / timedelta(minutes=1))
        raise BadPlan(f"the window is shorter than one cutover ({minutes} minutes); nothing was changed")
    return Window(begins, ends, time_zone)


def _time(text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadPlan(f"{text!r} is not a date and time, as in 2026-12-01 22:00") from exc
    return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
