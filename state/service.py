"""When a number was known to serve and when not, and how long it served nobody. Pure functions.

One rule: an outage goes from the last moment at which the number was known to serve to the first at which it serves
again. Readings lie apart, so the true figure lies between two bounds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from state.enums import Side


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one reading of both sides shows: the side that serves the number, or `neither`.

    It was so at some time from `begun` to `ended`; where `old_by` is given, up to so long before.
    """

    side: Side
    begun: datetime
    ended: datetime
    old_by: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Outage:
    """How long a number served nobody, in seconds. `at_most` None: nobody knows when it served last."""

    at_least: float
    at_most: float | None


@dataclass(frozen=True, slots=True)
class Service:
    """What the readings of one migration have shown. The names are those of its columns.

    An outage that has ended is in the two sums; one that goes on stands in `dark_from` and `dark_until`.
    """

    served_at: datetime | None = None  # the last moment at which it was known to serve
    served_on: Side | None = None
    dark_from: datetime | None = None  # since then: the first moment at which it was known not to
    dark_until: datetime | None = None  # ... and the last one
    seen_at: datetime | None = None  # when it was read last
    outage_at_least: float | None = None
    outage_seconds: float | None = None  # at most

    @property
    def was_in_use(self) -> bool:
        """Some side has served it, or it was found out of service: it can be dark."""
        return self.served_at is not None or self.dark_from is not None

    def columns(self) -> dict[str, Any]:
        return {column.name: getattr(self, column.name) for column in fields(self)}


def service_of_row(row: Any) -> Service:
    """From whatever has the columns as attributes."""
    return Service(
        row.served_at,
        row.served_on,
        row.dark_from,
        row.dark_until,
        row.seen_at,
        row.outage_at_least,
        row.outage_seconds,
    )


def follow(known: Service, sightings: Iterable[Sighting], *, in_use: bool = True) -> Service:
    """What is known after these readings, in the order in which they were made.

    `in_use`: some side served the number before its import, so it is dark where neither side serves it.
    """
    for sighting in sightings:
        if sighting.side is Side.NEITHER:
            known = _after_dark(known, sighting) if in_use or known.was_in_use else known
        elif sighting.side is not Side.UNKNOWN:
            known = _after_serving(known, sighting)
        known = replace(known, seen_at=_later(known.seen_at, sighting.begun))
    return known


def outage_until(known: Service, serves_from: datetime) -> Outage:
    """The bounds of the outage that is over at `serves_from`."""
    dark_for = 0.0
    if known.dark_from is not None and known.dark_until is not None:
        dark_for = _seconds(known.dark_from, known.dark_until)
    return Outage(dark_for, _seconds(known.served_at, serves_from) if known.served_at is not None else None)


class Shown(Protocol):
    """A Service, or a row that has its columns."""

    @property
    def served_at(self) -> datetime | None: ...

    @property
    def dark_from(self) -> datetime | None: ...


def outage_so_far(known: Shown, now: datetime) -> Outage | None:
    """The bounds of the outage that goes on; None where the last reading showed the number served."""
    if known.dark_from is None:
        return None
    return Outage(
        _seconds(known.dark_from, now), _seconds(known.served_at, now) if known.served_at is not None else None
    )


def _after_dark(known: Service, sighting: Sighting) -> Service:
    if known.served_on is Side.CLOUD and known.dark_from is None and _may_be_older(sighting, known.served_at):
        return known
    first = known.dark_from or sighting.ended
    last = _later(known.dark_until, sighting.begun - sighting.old_by)
    return replace(known, dark_from=first, dark_until=max(first, last))


def _after_serving(known: Service, sighting: Sighting) -> Service:
    """A number that is served by the other side now was dark in between, whether or not a reading fell into it."""
    moved = known.served_on is not None and known.served_on is not sighting.side
    if known.served_at is not None and (moved or known.dark_from is not None):
        outage = outage_until(known, sighting.ended)
        known = replace(
            known,
            outage_at_least=(known.outage_at_least or 0.0) + outage.at_least,
            outage_seconds=(known.outage_seconds or 0.0) + (outage.at_most or 0.0),
        )
    return replace(known, served_at=sighting.begun, served_on=sighting.side, dark_from=None, dark_until=None)


def _may_be_older(sighting: Sighting, than: datetime | None) -> bool:
    return bool(sighting.old_by) and than is not None and sighting.begun - sighting.old_by <= than


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _seconds(first: datetime, last: datetime) -> float:
    return max((last - first).total_seconds(), 0.0)


def ended_outage(before: Service, after: Service) -> Mapping[str, float] | None:
    """For the event: the outages that ended between the two, if any did."""
    if after.outage_seconds == before.outage_seconds:
        return None
    return {
        "outage_seconds": (after.outage_seconds or 0.0) - (before.outage_seconds or 0.0),
        "outage_at_least": (after.outage_at_least or 0.0) - (before.outage_at_least or 0.0),
    }
