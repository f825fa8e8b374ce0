"""Figures and texts of far sides: what cannot be read is unknown, and no value ends in a traceback."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migration.clients.figures import count, flag, moment, number, pause, retry_after, text, whole
from migration.clients.json_values import parse_json

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
# As they stand in a body.
ODD_FIGURES = [
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "9" * 5000,
    "-" + "9" * 5000,
    "1" + "0" * 25,
    "[1]",
    "{}",
    "true",
    "null",
    '""',
    '" "',
    '"٣"',
    '"soon"',
    '"1e999"',
    '"NaN"',
    '"0x10"',
    '"1_000"',
    '"' + "9" * 5000 + '"',
    '"1 2"',
    '"+"',
    '"²"',
]


@pytest.mark.parametrize("figure", ODD_FIGURES, ids=lambda figure: figure[:12])
@pytest.mark.parametrize("read", [number, whole, count, moment])
def test_an_odd_figure_is_unknown(figure: str, read: Any) -> None:
    assert read(parse_json(figure.encode())) is None


@pytest.mark.parametrize(
    ("value", "read", "figure"),
    [
        (5, whole, 5),
        ("5", whole, 5),
        (" 5 ", whole, 5),
        (5.0, whole, 5),
        ("5.0", whole, 5),
        ("0.0", count, 0),
        (0.5, whole, None),
        ("0.5", count, None),
        (-1, count, None),
        ("-1", count, None),
        (-1, whole, -1),
        (0.5, number, 0.5),
        (True, whole, None),
        (1, flag, True),
        ("TRUE", flag, True),
        ("no", flag, None),
        ([], flag, None),
        (2, flag, None),
        (7, text, "7"),
        (7.5, text, None),
        (["7"], text, None),
        ("", text, None),
        (True, text, None),
    ],
)
def test_a_figure_is_read_from_a_number_or_text(value: Any, read: Any, figure: Any) -> None:
    assert read(value) == figure
    assert type(read(value)) is type(figure)


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (1767225600, 2026),
        ("1767225600", 2026),
        (1767225600.5, 2026),
        ("2026-01-01T00:00:00", 2026),
        ("2026-01-01T00:00:00+05:30", 2025),
        ("2026-01-01", 2026),
        (1767225600000, None),  # milliseconds
        (253402300800, None),  # year 10000
        ("10000-01-01", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        (0, None),
        (-1, None),
        ("tomorrow", None),
    ],
)
def test_a_moment_lies_within_our_time(value: Any, year: int | None) -> None:
    time = moment(value)
    assert (time.year if time else None) == year
    assert time is None or time.utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("30", timedelta(seconds=30)),
        ("0.5", timedelta(seconds=0.5)),
        ("Thu, 26 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Thu, 26 Nov 2026 12:01:00", timedelta(minutes=1)),
        ("Thu, 26 Nov 2026 11:59:00 GMT", None),  # has passed
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1400", None),
        ("Thu, 99 Nov 2026 12:01:00 GMT", None),
        ("86401", None),  # longer than anybody means
        ("9" * 5000, None),
        ("1e999", None),
        ("NaN", None),
        ("inf", None),
        ("-5", None),
        ("0", None),
        ("", None),
        ("٣", None),
        ("soon", None),
        ("30, 60", None),
        ("\x00", None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_pause_is_read_from_retry_after(header: str, wait: timedelta | None) -> None:
    assert retry_after({"retry-after": header}, NOW) == wait


@pytest.mark.parametrize("seconds", [None, 0, -1, float("nan"), float("inf"), 1e300])
def test_a_pause_that_nobody_means_is_none(seconds: float | None) -> None:
    assert pause(seconds) is None


@pytest.mark.parametrize("header", [*ODD_FIGURES, "-5"])
def test_an_odd_retry_after_is_unknown(header: str) -> None:
    assert retry_after({"retry-after": header}, NOW) is None
