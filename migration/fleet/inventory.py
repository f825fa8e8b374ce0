"""Reading an inventory: a CSV file, one number a row. Every bad row is reported; a file with one is not taken in.

docs/inventory.md lists the columns.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import phonenumbers
from pydantic import SecretStr

from migration.clients.masking import masked
from migration.engine.itineraries import FORWARD
from migration.settings import Admin
from migration.waves.names import wave_name_problem
from state.ledger.fleet_import import NewInstance, NewNumber

REQUIRED = ("e164", "phone_number_id", "waba_id", "customer", "profile")
OPTIONAL = (
    "instance",
    "onprem_url",
    "onprem_username",
    "onprem_password",
    "onprem_self_signed",
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
)
# Where Meta stores messages in a country: documentation/business-messaging/whatsapp/local-storage.
REGIONS = frozenset(["AU", "ID", "IN", "JP", "SG", "KR", "DE", "CH", "GB", "BR", "BH", "ZA", "AE", "CA"])
_ID = re.compile(r"[0-9]{5,20}")
_PIN = re.compile(r"[0-9]{6}")
# What a spreadsheet makes of a long number; its last digits are lost.
_ROUNDED = re.compile(r"[0-9]+([.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
# What the tables hold; PostgreSQL refuses more, and would name no line.
LONGEST = {
    "customer": 200,
    "instance": 200,
    "onprem_url": 500,
    "onprem_username": 64,
    "language": 10,
    "tags": 500,
    "wave": 100,
}
LONGEST_E164 = 16  # the plus and 15 digits; https://www.itu.int/rec/T-REC-E.164
MOST_CALLS = 100  # ten are allowed in 72 h; far more is a mistake
MOST_MESSAGES = 1_000_000_000
_TOO_MANY = "*"
IS_POSSIBLE = phonenumbers.ValidationResult.IS_POSSIBLE  # and not only when dialled within its area


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """A checked row with the secrets that came in it."""

    new: NewNumber
    pin: SecretStr | None
    password: SecretStr | None


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Either all rows are good or `bad` says what is wrong with each that is not."""

    rows: tuple[InventoryRow, ...]
    bad: tuple[BadRow, ...]


def read_inventory(path: Path, admin: Admin) -> Inventory:
    """Read and check a file against itself and the admin file. Raises OSError when it cannot be read."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            return _read(csv.DictReader(file, strict=True, restkey=_TOO_MANY), admin)
        except (csv.Error, UnicodeDecodeError) as exc:
            return Inventory((), (BadRow(1, "file", f"not a CSV file in UTF-8: {exc}"),))


def _read(reader: "csv.DictReader[str]", admin: Admin) -> Inventory:
    columns = [name.strip() for name in reader.fieldnames or []]
    bad = list(_bad_separator(columns) or _bad_columns(columns))
    if bad:
        return Inventory((), tuple(bad))
    reader.fieldnames = columns
    rows: list[InventoryRow] = []
    seen = _Seen()
    for told in reader:
        if not any(told.values()):
            continue  # spreadsheets leave such rows behind, all commas
        checked = _Checked(reader.line_num, told, admin, bad)
        row = checked.row()
        seen.look(checked, row)
        rows.append(row)
    if not rows and not bad:
        bad.append(BadRow(1, "file", "there are no numbers in it"))
    return Inventory(tuple(rows) if not bad else (), tuple(bad))


def _bad_separator(columns: Sequence[str]) -> Sequence[BadRow]:
    """Where a spreadsheet took the list separator of its country, one line says more than a column that is missing."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and set(REQUIRED) <= {one.strip(' "') for one in columns[0].split(mark)}:
            return [BadRow(1, "file", f"its cells have {name} between them; save it with commas")]
    return []


def _bad_columns(columns: Sequence[str]) -> Iterable[BadRow]:
    for name in REQUIRED:
        if name not in columns:
            yield BadRow(1, name, "the column is missing")
    for name in columns:
        if name not in (*REQUIRED, *OPTIONAL):
            yield BadRow(1, name or "(empty)", "no such column; docs/inventory.md lists them")
        elif columns.count(name) > 1:
            yield BadRow(1, name, "the column is there twice")


class _Seen:
    """What may be in a file only once."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}
        self._wabas: dict[tuple[str, str], tuple[str, int]] = {}

    def look(self, checked: "_Checked", row: InventoryRow) -> None:
        new = row.new
        self._once(checked, "e164", new.e164, masked(new.e164))
        self._once(checked, "phone_number_id", new.phone_number_id, new.phone_number_id)
        if new.instance is not None:
            self._once(checked, "instance", new.instance.name, new.instance.name)
            self._once(checked, "onprem_url", new.instance.base_url, new.instance.base_url)
        for column, value in (("customer", new.customer), ("profile", new.profile)):
            if not checked.fine(column):
                continue
            first, line = self._wabas.setdefault((column, new.waba_id), (value, checked.line))
            if first != value:
                checked.wrong(column, f"WABA {new.waba_id} belongs to {first} in line {line}")

    def _once(self, checked: "_Checked", column: str, value: str, shown: str) -> None:
        if not value:
            return
        first = self._lines.setdefault((column, value), checked.line)
        if first != checked.line:
            checked.wrong(column, f"{shown} is in line {first} already")


class _Checked:
    """One row being checked; what is wrong goes to `bad`."""

    def __init__(self, line: int, told: Mapping[str, str | None], admin: Admin, bad: list[BadRow]) -> None:
        self.line = line
        self._told = {name: (value or "").strip() for name, value in told.items() if name != _TOO_MANY}
        self._admin = admin
        self._bad = bad
        self._wrong: set[str] = set()
        if _TOO_MANY in told:
            self.wrong("row", "has more cells than the header")
        for column, value in self._told.items():
            if len(value) > LONGEST.get(column, len(value)):
                self.wrong(column, f"is longer than {LONGEST[column]} characters")
            if "\0" in value:
                self.wrong(column, "has a NUL character in it")

    def wrong(self, column: str, reason: str) -> None:
        self._wrong.add(column)
        self._bad.append(BadRow(self.line, column, reason))

    def fine(self, column: str) -> bool:
        """Whether nothing is wrong with this cell so far."""
        return column not in self._wrong

    def row(self) -> InventoryRow:
        pin = self._pin()
        return InventoryRow(
            new=NewNumber(
                e164=self._e164("e164", required=True),
                phone_number_id=self._id("phone_number_id"),
                waba_id=self._id("waba_id"),
                customer=self._needed("customer"),
                profile=self._known("profile", self._admin.profiles, required=True) or "",
                hook=self._known("hook", self._admin.hooks),
                hook_required=self._yes("hook_required"),
                instance=self._instance(),
                language=self._told.get("language") or "en",
                code_method=self._word("code_method", ("SMS", "VOICE")) or "SMS",
                tags=self._told.get("tags", ""),
                daily_volume=self._count("daily_volume", MOST_MESSAGES),
                storage_region=self._word("storage_region", REGIONS),
                smoke_to=self._e164("smoke_to", required=False) or None,
                itinerary=self._word("itinerary", [way.name.value for way in FORWARD]),
                has_pin=pin is not None,
                wave=self._wave(),
                line=self.line,
                register_calls_before=self._count("register_calls_72h", MOST_CALLS) or 0,
                deregister_calls_before=self._count("deregister_calls_72h", MOST_CALLS) or 0,
            ),
            pin=pin,
            password=SecretStr(self._told["onprem_password"]) if self._told.get("onprem_password") else None,
        )

    def _needed(self, column: str) -> str:
        value = self._told.get(column, "")
        if not value:
            self.wrong(column, "is empty")
        return value

    def _rounded(self, column: str, value: str) -> bool:
        if _ROUNDED.fullmatch(value) is None:
            return False
        self.wrong(column, "a spreadsheet has rounded it, as in 1.55E+10: make the column text, then fill it in anew")
        return True

    def _id(self, column: str) -> str:
        value = self._needed(column)
        if self._rounded(column, value):
            return value
        if value and _ID.fullmatch(value) is None:
            self.wrong(column, f"{value!r} is not an id of Graph (5 to 20 digits)")
        return value

    def _e164(self, column: str, *, required: bool) -> str:
        value = self._needed(column) if required else self._told.get(column, "")
        if not value or self._rounded(column, value):
            return value
        try:
            parsed = phonenumbers.parse(value, None)
        except phonenumbers.NumberParseException:
            parsed = None
        plain = ""
        if parsed is not None and phonenumbers.is_possible_number_with_reason(parsed) == IS_POSSIBLE:
            plain = str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
        if not plain or len(plain) > LONGEST_E164:
            self.wrong(column, f"{masked(value)} is not an E.164 number, as in +15550104321")
            return value
        return plain

    def _known(self, column: str, known: Mapping[str, object], *, required: bool = False) -> str | None:
        value = self._needed(column) if required else self._told.get(column, "")
        if not value:
            return None
        if value not in known:
            there = ", ".join(sorted(known)) or "none"
            self.wrong(column, f"the admin file names no {column.replace('_', ' ')} {value!r} (it has: {there})")
        return value

    def _word(self, column: str, words: Iterable[str]) -> str | None:
        value = self._told.get(column, "").upper()
        if value and value not in set(words):
            self.wrong(column, f"{value!r} is none of {', '.join(sorted(words))}")
        return value or None

    def _yes(self, column: str, *, default: bool = False) -> bool:
        value = self._told.get(column, "").lower()
        if value not in ("", "yes", "no", "true", "false", "1", "0"):
            self.wrong(column, f"{value!r} is neither yes nor no")
        return default if value == "" else value in ("yes", "true", "1")

    def _count(self, column: str, most: int) -> int | None:
        value = self._told.get(column, "")
        if not value:
            return None
        if re.fullmatch(r"[0-9]{1,12}", value) is None or int(value) > most:
            self.wrong(column, f"{value!r} is not a count up to {most}")
            return None
        return int(value)

    def _wave(self) -> str | None:
        value = self._told.get("wave") or None
        wrong = wave_name_problem(value) if value is not None else None
        if wrong is not None and self.fine("wave"):
            self.wrong("wave", f"a wave is not called {value!r}: {wrong}")
        return value

    def _pin(self) -> SecretStr | None:
        value = self._told.get("pin", "")
        if value and _PIN.fullmatch(value) is None:
            self.wrong("pin", "is not six digits")
        return SecretStr(value) if value else None

    def _instance(self) -> NewInstance | None:
        url = self._told.get("onprem_url", "")
        if not url:
            for column in ("instance", "onprem_username", "onprem_password", "stop_command", "start_command"):
                if self._told.get(column):
                    self.wrong("onprem_url", f"is empty, but {column} is given")
            return None
        if re.fullmatch(r"https?://[^\s/]+(/\S*)?", url) is None:
            self.wrong("onprem_url", "is not an http(s) address")
        for column in ("onprem_username", "onprem_password"):
            self._needed(column)
        commands: Callable[[str], str | None] = lambda column: self._known(column, self._admin.commands)  # noqa: E731
        return NewInstance(
            name=self._told.get("instance") or url,
            base_url=url.rstrip("/"),
            username=self._told.get("onprem_username", ""),
            verify_tls=not self._yes("onprem_self_signed"),
            stop_command=commands("stop_command"),
            start_command=commands("start_command"),
            command_arguments=self._arguments(),
        )

    def _arguments(self) -> Mapping[str, str]:
        """`name=value;name=value`, each checked against the pattern that the admin file gives it."""
        found: dict[str, str] = {}
        for part in filter(None, self._told.get("command_arguments", "").split(";")):
            name, sign, value = part.partition("=")
            if not sign:
                self.wrong("command_arguments", f"{part!r} is not name=value")
            found[name.strip()] = value.strip()
        for column in ("stop_command", "start_command"):
            command = self._admin.commands.get(self._told.get(column, ""))
            for name, pattern in command.arguments.items() if command is not None else ():
                if name not in found:
                    self.wrong("command_arguments", f"{self._told[column]} needs {name}")
                elif re.fullmatch(pattern, found[name]) is None:
                    self.wrong("command_arguments", f"{name} does not match {pattern}")
        return found
