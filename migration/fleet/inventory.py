"""Reads an inventory: a CSV file, one number per row. Reports every bad row; a file with a bad row is not imported.

docs/inventory.md describes the columns.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from migration.fleet.bad_inventory import BadRow
from migration.fleet.inventory_row import PEOPLE_COLUMNS, SURPLUS_CELLS, InventoryRow, RowReader
from migration.home.admin_file import AdminSettings
from state.phone_spelling import plain_digits, spellings

REQUIRED = ("e164", "phone_number_id", "waba_id", "customer", "profile")
OPTIONAL = (
    "instance",
    "onprem_url",
    "onprem_username",
    "onprem_password",
    "onprem_self_signed",
    "onprem_certificate",
    "onprem_clear_http",
    "stop_command",
    "start_command",
    "command_arguments",
    "pin",
    "language",
    "code_method",
    "storage_region",
    "smoke_to",
    "smoke",
    "tags",
    "daily_volume",
    "wave",
    "itinerary",
    "hook",
    "hook_required",
    "register_calls_72h",
    "deregister_calls_72h",
    "terms_accepted_by",
    "customer_contact",
    "customer_language",
    "customer_time_zone",
    "customer_hours",
    "customer_consent",
)


@dataclass(frozen=True, slots=True)
class Inventory:
    """`rows` is empty if anything is wrong; `bad` says what."""

    rows: tuple[InventoryRow, ...]
    bad: tuple[BadRow, ...]


def read_inventory(path: Path, admin: AdminSettings) -> Inventory:
    """Read a file, and check it against itself and the admin file. Raises OSError if the file cannot be read."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            return _read_rows(csv.DictReader(file, strict=True, restkey=SURPLUS_CELLS), admin)
        except (csv.Error, UnicodeDecodeError) as exc:
            return Inventory((), (BadRow(1, "file", f"not a CSV file in UTF-8: {exc}"),))


def _read_rows(reader: "csv.DictReader[str]", admin: AdminSettings) -> Inventory:
    columns = [plain_digits(name).strip() for name in reader.fieldnames or []]
    bad = list(_wrong_separator(columns) or _wrong_columns(columns))
    if bad:
        return Inventory((), tuple(bad))
    reader.fieldnames = columns
    named = frozenset(columns)  # one for all rows: there may be 50,000
    rows: list[InventoryRow] = []
    unique = _UniqueValues()
    for cells in reader:
        if not any(cells.values()):
            continue  # spreadsheets write empty rows, which are all commas
        row_reader = RowReader(reader.line_num, cells, admin, bad, named)
        row = row_reader.read()
        unique.check(row_reader, row)
        rows.append(row)
    if not rows and not bad:
        bad.append(BadRow(1, "file", "there are no numbers in it"))
    return Inventory(tuple(rows) if not bad else (), tuple(bad))


def _wrong_separator(columns: Sequence[str]) -> Sequence[BadRow]:
    """For a spreadsheet that used its country's list separator: one clear line instead of one per missing column."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and set(REQUIRED) <= {cell.strip(' "') for cell in columns[0].split(separator)}:
            return [BadRow(1, "file", f"its cells have {name} between them; save it with commas")]
    return []


def _wrong_columns(columns: Sequence[str]) -> Iterable[BadRow]:
    for name in REQUIRED:
        if name not in columns:
            yield BadRow(1, name, "the column is missing")
    if not set(REQUIRED) & set(columns):
        return  # a file without a header: what stands in its first line are numbers and PINs
    for place, name in enumerate(columns, 1):
        if name not in (*REQUIRED, *OPTIONAL):
            yield BadRow(1, f"column {place}", f"has no name that we know{_meant(name)}; docs/inventory.md lists them")
        elif columns.count(name) > 1:
            yield BadRow(1, name, "the column is there twice")


def _meant(name: str) -> str:
    """The column that a misspelled one resembles. The name itself is not shown: it may be a cell of a shifted file."""
    close = get_close_matches(name.lower().replace(" ", "_"), (*REQUIRED, *OPTIONAL), n=1, cutoff=0.8)
    return f" (is `{close[0]}` meant?)" if close else ""


class _UniqueValues:
    """Values that may be in a file only once, and those that a WABA's or a customer's numbers have in common."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}  # (column, value) -> first line
        self._wabas: dict[tuple[str, str], tuple[str, int]] = {}  # (column, WABA id) -> value, first line
        self._of_customers: dict[tuple[str, str], tuple[str, int]] = {}  # (column, customer) -> value, first line

    def check(self, reader: RowReader, row: InventoryRow) -> None:
        new = row.new
        self._check_once(reader, "e164", new.e164, *spellings(new.e164)[1:])
        self._check_once(reader, "phone_number_id", new.phone_number_id)
        if new.instance is not None:
            self._check_once(reader, "instance", new.instance.name)
            self._check_once(reader, "onprem_url", new.instance.base_url)
        for column, value in (("customer", new.customer), ("profile", new.profile)):
            if not reader.is_good(column):
                continue
            first_value, line = self._wabas.setdefault((column, new.waba_id), (value, reader.line))
            if first_value != value:
                reader.report(column, f"its WABA has another {column} in line {line}")

        of_customer = {column: getattr(new.people, field) for column, field in PEOPLE_COLUMNS.items()}
        for column, value in (of_customer | {"hook": new.hook}).items():
            if value is None or not reader.is_good(column):
                continue
            first_value, line = self._of_customers.setdefault((column, new.customer), (value, reader.line))
            if first_value != value:
                reader.report(column, f"is another than in line {line}, for the same customer")

    def _check_once(self, reader: RowReader, column: str, value: str, *other_forms: str) -> None:
        if not value:
            return
        lines = [self._lines[column, form] for form in (value, *other_forms) if (column, form) in self._lines]
        if lines:
            reader.report(column, f"is in line {min(lines)} already")
        self._lines.setdefault((column, value), reader.line)
