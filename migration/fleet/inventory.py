"""Reads an inventory: a CSV file, one number per row. Reports every bad row; a file with a bad row is not imported.

docs/inventory.md describes the columns.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from migration.fleet.bad_inventory import BadRow
from migration.fleet.inventory_row import SURPLUS_CELLS, InventoryRow, RowReader
from migration.home.admin_file import AdminSettings
from state.phone_spelling import spellings

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
    "tags",
    "daily_volume",
    "wave",
    "itinerary",
    "hook",
    "hook_required",
    "register_calls_72h",
    "deregister_calls_72h",
    "terms_accepted_by",
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
    columns = [name.strip() for name in reader.fieldnames or []]
    bad = list(_wrong_separator(columns) or _wrong_columns(columns))
    if bad:
        return Inventory((), tuple(bad))
    reader.fieldnames = columns
    rows: list[InventoryRow] = []
    unique = _UniqueValues()
    for cells in reader:
        if not any(cells.values()):
            continue  # spreadsheets write empty rows, which are all commas
        row_reader = RowReader(reader.line_num, cells, admin, bad)
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
    """Values that may be in a file only once, and values that must be the same for all numbers of a WABA."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}  # (column, value) -> first line
        self._wabas: dict[tuple[str, str], tuple[str, int]] = {}  # (column, WABA id) -> value, first line

    def check(self, reader: RowReader, row: InventoryRow) -> None:
        new = row.new
        self._check_once(reader, "e164", min(spellings(new.e164)))
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

    def _check_once(self, reader: RowReader, column: str, value: str) -> None:
        if not value:
            return
        first_line = self._lines.setdefault((column, value), reader.line)
        if first_line != reader.line:
            reader.report(column, f"is in line {first_line} already")
