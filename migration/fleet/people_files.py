"""Reads the two files about people: customers, one a row, and the duty roster, one shift a row.

docs/inventory.md describes the columns. A file with a bad row is not taken over; every bad row is reported.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from migration.fleet.bad_inventory import BadInventory, BadRow
from migration.fleet.people_cells import (
    MAX_LENGTHS,
    contact_problem,
    hours_problem,
    language_problem,
    local_time,
    zone_problem,
)
from state.ledger.people import NewCustomer, Shift
from state.phone_spelling import unseen_characters

CUSTOMER_COLUMNS = ("customer", "contact", "language", "time_zone", "hours", "consent")
ROSTER_COLUMNS = ("operator", "contact", "languages", "time_zone", "from", "to")
SURPLUS = "*"
T = TypeVar("T")


class _Row:
    """One row; `report` adds to what is wrong with the file."""

    def __init__(self, line: int, cells: Mapping[str, str | None], bad: list[BadRow]) -> None:
        self.line = line
        self._cells = {name: (value or "").strip() for name, value in cells.items() if name != SURPLUS}
        self._bad = bad
        if SURPLUS in cells:
            self.report("row", "has more cells than the header")
        for column, value in self._cells.items():
            if unseen := unseen_characters(value):
                self.report(column, f"has a character in it that nobody can see: {unseen[0]}")
            if len(value) > MAX_LENGTHS.get(column, 200):
                self.report(column, f"is longer than {MAX_LENGTHS.get(column, 200)} characters")

    def report(self, column: str, reason: str) -> None:
        self._bad.append(BadRow(self.line, column, reason))

    def required(self, column: str) -> str:
        value = self._cells.get(column, "")
        if not value:
            self.report(column, "is empty")
        return value

    def checked(self, column: str, problem: Callable[[str], str | None]) -> str | None:
        """The cell, or None where it is empty."""
        value = self._cells.get(column, "")
        if value and (reason := problem(value)) is not None:
            self.report(column, reason)
        return value or None


def read_customers(path: Path) -> dict[str, NewCustomer]:
    """What a file says, by customer. Raises BadInventory, or OSError for a file that cannot be read."""
    bad: list[BadRow] = []
    customers: dict[str, NewCustomer] = {}
    lines: dict[str, int] = {}
    for row in _rows(path, CUSTOMER_COLUMNS, ("customer",), bad):
        name = row.required("customer")
        if name and lines.setdefault(name, row.line) != row.line:
            row.report("customer", f"is in line {lines[name]} already")
        customers[name] = NewCustomer(
            contact=row.checked("contact", contact_problem),
            language=row.checked("language", language_problem),
            time_zone=row.checked("time_zone", zone_problem),
            hours=row.checked("hours", hours_problem),
            consent_by=row.checked("consent", contact_problem),
        )
    return _unless_bad(path, bad, customers)


def read_roster(path: Path) -> list[Shift]:
    """The shifts of a file. Raises BadInventory, or OSError for a file that cannot be read."""
    bad: list[BadRow] = []
    shifts: list[Shift] = []
    for row in _rows(path, ROSTER_COLUMNS, ("operator", "time_zone", "from", "to"), bad):
        operator, zone = row.required("operator"), row.required("time_zone")
        if zone and (problem := zone_problem(zone)) is not None:
            row.report("time_zone", problem)
            continue
        begins, ends = (local_time(row.required(column), zone or "UTC") for column in ("from", "to"))
        for column, moment in (("from", begins), ("to", ends)):
            if moment is None:
                row.report(column, "is not a time, as in 2026-12-01 22:00")
        languages = row.checked("languages", _languages_problem) or ""
        contact = row.checked("contact", contact_problem)
        if begins is None or ends is None:
            continue
        if ends <= begins:
            row.report("to", "is not after from")
        shifts.append(Shift(operator, contact, languages, zone, begins, ends))
    return _unless_bad(path, bad, shifts)


def _languages_problem(value: str) -> str | None:
    return next(filter(None, map(language_problem, value.split())), None)


def _rows(path: Path, columns: Sequence[str], required: Sequence[str], bad: list[BadRow]) -> Iterator[_Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file, strict=True, restkey=SURPLUS)
            names = [name.strip() for name in reader.fieldnames or []]
            bad += _wrong_columns(names, columns, required)
            if bad:
                return
            reader.fieldnames = names
            for cells in reader:
                if any(cells.values()):  # spreadsheets write empty rows, which are all commas
                    yield _Row(reader.line_num, cells, bad)
        except (csv.Error, UnicodeDecodeError) as exc:
            bad.append(BadRow(1, "file", f"not a CSV file in UTF-8: {type(exc).__name__}"))


def _wrong_columns(names: Sequence[str], columns: Sequence[str], required: Sequence[str]) -> Iterator[BadRow]:
    missing = [name for name in required if name not in names]
    yield from (BadRow(1, name, "the column is missing") for name in missing)
    if len(missing) == len(required):
        return  # a file without a header, or of another kind: what its first line holds is not shown
    for place, name in enumerate(names, 1):
        if name not in columns:
            yield BadRow(1, f"column {place}", f"has no name that we know; this file has {', '.join(columns)}")
        elif names.count(name) > 1:
            yield BadRow(1, name, "the column is there twice")


def _unless_bad(path: Path, bad: list[BadRow], result: T) -> T:
    if bad:
        raise BadInventory(path, tuple(bad))
    return result
