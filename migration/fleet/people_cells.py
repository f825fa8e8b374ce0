"""Cells about people: whom to call at a customer, and who is on duty. Each check says what is wrong with a cell.

No message quotes a cell: in a shifted row any column may hold a password.
"""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from migration.fleet.allowed_hours import parse_hours
from migration.waves.window import EXCLUDED_ZONES

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?")
_PIN = re.compile(r"[0-9]{6}")
LOCAL_TIME = "%Y-%m-%d %H:%M"
MAX_LENGTHS = {"contact": 200, "hours": 200, "time_zone": 64, "consent": 100, "operator": 100, "languages": 100}


def language_problem(value: str) -> str | None:
    """None for `en`, `pt_BR` and the like."""
    return None if _LANGUAGE.fullmatch(value) else "is not the code of a language, as in en or pt_BR"


def zone_problem(value: str) -> str | None:
    if value in available_timezones() - EXCLUDED_ZONES:
        return None
    return "is not a time zone, as in America/Sao_Paulo"


def hours_problem(value: str) -> str | None:
    try:
        parse_hours(value)
    except ValueError as exc:
        return str(exc)
    return None


def contact_problem(value: str) -> str | None:
    """A name, a telephone number or an address; a PIN in its place shows that the columns are shifted."""
    return "has six digits, as a PIN has; are the columns shifted?" if _PIN.fullmatch(value) else None


def local_time(value: str, zone: str) -> datetime | None:
    """`2026-12-01 22:00` on the clocks of the zone, as a moment in UTC; None where it is no such time."""
    try:
        naive = datetime.strptime(value.replace("T", " "), LOCAL_TIME)  # noqa: DTZ007 - the zone is the next line's
    except ValueError:
        return None
    return naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
