"""One row of an inventory: checks each cell, and converts the row. docs/inventory.md describes the columns."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import phonenumbers
from pydantic import SecretStr

from migration.clients.addresses import BadAddress, parse_address
from migration.clients.certificates import pin_in_usual_form
from migration.clients.commands import argument_problem
from migration.engine.itineraries import FORWARD
from migration.fleet.bad_inventory import BadRow
from migration.fleet.people_cells import contact_problem, hours_problem, language_problem, zone_problem
from migration.home.admin_file import AdminSettings
from migration.scrubbing.masking import mask_numbers
from migration.scrubbing.texts import Scrubber
from migration.waves.names import wave_name_problem
from state.enums import SmokeMode
from state.ledger.fleet_rows import NewInstance, NewNumber
from state.ledger.people import NewCustomer
from state.phone_spelling import plain_figure, spellings, unseen_characters

# Countries in which Meta can store messages: documentation/business-messaging/whatsapp/local-storage.
REGIONS = frozenset(["AU", "ID", "IN", "JP", "SG", "KR", "DE", "CH", "GB", "BR", "BH", "ZA", "AE", "CA"])
# Lengths of the columns in the database. PostgreSQL refuses longer values, and would not say in which line they are.
MAX_LENGTHS = {
    "customer": 200,
    "terms_accepted_by": 100,
    "instance": 200,
    "onprem_url": 500,
    "onprem_username": 64,
    "language": 10,
    "tags": 500,
    "wave": 100,
    "customer_contact": 200,
    "customer_hours": 200,
    "customer_consent": 100,
}
MAX_E164_LENGTH = 16  # the plus and 15 digits; https://www.itu.int/rec/T-REC-E.164
MAX_CALLS = 100  # ten are allowed in 72 h; far more is a mistake
MAX_DAILY_VOLUME = 1_000_000_000
IS_POSSIBLE = phonenumbers.ValidationResult.IS_POSSIBLE  # excludes numbers that can be dialled only within their area
SURPLUS_CELLS = "*"  # the key under which the CSV reader puts cells that have no column
_ID = re.compile(r"[0-9]{5,20}")
_PIN = re.compile(r"[0-9]{6}")
_COUNT = re.compile(r"[0-9]{1,12}")
# How a spreadsheet shows a long number after it has dropped the last digits.
_ROUNDED = re.compile(r"[0-9]+([.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)


DIGIT_COLUMNS = {
    "e164",
    "smoke_to",
    "phone_number_id",
    "waba_id",
    "pin",
    "daily_volume",
    "register_calls_72h",
    "deregister_calls_72h",
}
PEOPLE_COLUMNS = {
    "customer_contact": "contact",
    "customer_language": "language",
    "customer_time_zone": "time_zone",
    "customer_hours": "hours",
    "customer_consent": "consent_by",
}
# Joiners that several scripts and emoji need between letters, and what makes a sign an emoji.
ALLOWED = dict.fromkeys(("customer", "tags"), ("U+200C", "U+200D", "U+FE0E", "U+FE0F"))


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """A checked row, and the secrets in it."""

    new: NewNumber
    pin: SecretStr | None
    password: SecretStr | None


def _is_possible(parsed: phonenumbers.PhoneNumber) -> bool:
    return bool(phonenumbers.is_possible_number_with_reason(parsed) == IS_POSSIBLE)


def _is_possible_as(e164: str) -> bool:
    return _is_possible(phonenumbers.parse(e164, None))


class RowReader:
    """Reads one row. Appends to `bad` whatever is wrong with it.

    A message names line and column and never quotes a cell: in a shifted row any column may hold a password.
    """

    def __init__(
        self,
        line: int,
        cells: Mapping[str, str | None],
        admin: AdminSettings,
        bad: list[BadRow],
        columns: frozenset[str],
    ) -> None:
        self.line = line
        self._columns = columns
        self._cells = {name: (value or "").strip() for name, value in cells.items() if name != SURPLUS_CELLS}
        self._admin = admin
        self._bad = bad
        self._wrong_columns: set[str] = set()
        self._scrubber = Scrubber([self._cells.get("pin"), self._cells.get("onprem_password")])
        if SURPLUS_CELLS in cells:
            self.report("row", "has more cells than the header")
        for column in DIGIT_COLUMNS & self._cells.keys():
            self._cells[column] = plain_figure(self._cells[column])
        for column, value in self._cells.items():
            unseen = [name for name in unseen_characters(value) if name.split()[0] not in ALLOWED.get(column, ())]
            if unseen:
                self.report(column, f"has a character in it that nobody can see: {unseen[0]}")
            if len(value) > MAX_LENGTHS.get(column, len(value)):
                self.report(column, f"is longer than {MAX_LENGTHS[column]} characters")

    def report(self, column: str, reason: str) -> None:
        self._wrong_columns.add(column)
        self._bad.append(BadRow(self.line, column, reason))

    def is_good(self, column: str) -> bool:
        """Whether nothing wrong has been found in this cell so far."""
        return column not in self._wrong_columns

    def read(self) -> InventoryRow:
        """The row. Valid only if nothing was reported."""
        pin = self._pin()
        password = self._cells.get("onprem_password")
        return InventoryRow(
            new=NewNumber(
                e164=self._e164("e164", required=True),
                phone_number_id=self._id("phone_number_id"),
                waba_id=self._id("waba_id"),
                customer=self._label("customer", self._required("customer")),
                profile=self._name_in("profile", self._admin.profiles, required=True) or "",
                hook=self._name_in("hook", self._admin.hooks),
                hook_required=self._flag("hook_required"),
                instance=self._instance(),
                language=self._cells.get("language") or self._cells.get("customer_language") or "en",
                code_method=self._choice("code_method", ("SMS", "VOICE")) or "SMS",
                tags=self._label("tags", self._cells.get("tags", "")),
                daily_volume=self._count("daily_volume", MAX_DAILY_VOLUME),
                storage_region=self._choice("storage_region", REGIONS),
                smoke_to=self._e164("smoke_to", required=False) or None,
                smoke=self._smoke(),
                itinerary=self._choice("itinerary", [itinerary.name.value for itinerary in FORWARD]),
                has_pin=pin is not None,
                wave=self._wave(),
                columns=self._columns,
                line=self.line,
                register_calls_before=self._count("register_calls_72h", MAX_CALLS) or 0,
                deregister_calls_before=self._count("deregister_calls_72h", MAX_CALLS) or 0,
                terms_accepted_by=self._cells.get("terms_accepted_by") or None,
                people=self._people(),
            ),
            pin=pin,
            password=SecretStr(password) if password else None,
        )

    # -- kinds of cells

    def _required(self, column: str) -> str:
        value = self._cells.get(column, "")
        if not value:
            self.report(column, "is empty")
        return value

    def _report_rounded(self, column: str, value: str) -> bool:
        if _ROUNDED.fullmatch(value) is None:
            return False
        self.report(column, "a spreadsheet has rounded it, as in 1.55E+10: make the column text, then fill it in anew")
        return True

    def _id(self, column: str) -> str:
        value = self._required(column)
        if self._report_rounded(column, value):
            return value
        if _PIN.fullmatch(value):
            self.report(column, "has six digits, as a PIN has; are the columns shifted?")
        elif value and _ID.fullmatch(value) is None:
            self.report(column, "is not an id of Graph (5 to 20 digits)")
        return value

    def _e164(self, column: str, *, required: bool) -> str:
        value = self._required(column) if required else self._cells.get(column, "")
        if not value or self._report_rounded(column, value):
            return value
        try:
            parsed = phonenumbers.parse(value, None)
        except phonenumbers.NumberParseException:
            parsed = None
        e164 = ""
        if parsed is not None:
            written = str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
            # WhatsApp may write the number in a form that its country has given up.
            e164 = written if _is_possible(parsed) or any(map(_is_possible_as, spellings(written)[1:])) else ""
        if not e164 or len(e164) > MAX_E164_LENGTH:
            self.report(column, "is not an E.164 number, with a plus and the country code")
            return value
        if parsed is not None and parsed.extension:
            self.report(column, "has an extension, and no number of WhatsApp has one")
        elif any(map(str.isalpha, value.removeprefix("tel:"))):
            # They would be left out, or read as the digits beside them on a telephone: an O for a 0 is another number.
            self.report(column, "has a letter in it, where a phone number has digits only")
        return e164

    def _name_in(self, column: str, known: Mapping[str, object], *, required: bool = False) -> str | None:
        """A name that the admin file defines."""
        value = self._required(column) if required else self._cells.get(column, "")
        if not value:
            return None
        if value not in known:
            names = ", ".join(sorted(known)) or "none"
            self.report(column, f"the admin file names no such {column.replace('_', ' ')} (it has: {names})")
        return value

    def _choice(self, column: str, choices: Iterable[str]) -> str | None:
        value = self._cells.get(column, "").upper()
        if value and value not in set(choices):
            self.report(column, f"is none of {', '.join(sorted(choices))}")
        return value or None

    def _smoke(self) -> str | None:
        """How its service is proved; as `cutover plan --smoke` takes it."""
        value = self._cells.get("smoke", "").lower()
        if value and value not in list(SmokeMode):
            self.report("smoke", f"is none of {', '.join(SmokeMode)}")
        return value or None

    def _flag(self, column: str) -> bool:
        value = self._cells.get(column, "").lower()
        if value not in ("", "yes", "no", "true", "false", "1", "0"):
            self.report(column, "is neither yes nor no")
        return value in ("yes", "true", "1")

    def _count(self, column: str, maximum: int) -> int | None:
        value = self._cells.get(column, "")
        if not value:
            return None
        if _COUNT.fullmatch(value) is None or int(value) > maximum:
            self.report(column, f"is not a count up to {maximum}")
            return None
        return int(value)

    # -- single columns

    def _people(self) -> NewCustomer:
        """Whom to call for a code. A secret of the row in one of these cells is refused, as in every text."""
        checks = {
            "customer_contact": contact_problem,
            "customer_language": language_problem,
            "customer_time_zone": zone_problem,
            "customer_hours": hours_problem,
            "customer_consent": contact_problem,
        }
        values: dict[str, str | None] = {}
        for column, problem in checks.items():
            value = self._cells.get(column, "")
            reason = problem(value) if value else None
            if reason is not None and self.is_good(column):
                self.report(column, reason)
            if self._scrubber.holds_secret(value) and self.is_good(column):
                self.report(column, "has the PIN or the password of this row in it")
            values[PEOPLE_COLUMNS[column]] = value or None
        return NewCustomer(**values)

    def _wave(self) -> str | None:
        value = self._cells.get("wave") or None
        problem = wave_name_problem(value) if value is not None else None
        if problem is not None and self.is_good("wave"):
            self.report("wave", f"is no name of a wave: {problem}")
        return value

    def _pin(self) -> SecretStr | None:
        value = self._cells.get("pin", "")
        if value and _PIN.fullmatch(value) is None:
            self.report("pin", "is not six digits")
        return SecretStr(value) if value else None

    def _instance(self) -> NewInstance | None:
        url = self._cells.get("onprem_url", "")
        if not url:
            for column in ("instance", "onprem_username", "onprem_password", "stop_command", "start_command"):
                if self._cells.get(column):
                    self.report("onprem_url", f"is empty, but {column} is given")
            return None
        url = self._address(url)
        for column in ("onprem_username", "onprem_password"):
            self._required(column)
        return NewInstance(
            name=self._instance_name(url),
            base_url=url,
            username=self._cells.get("onprem_username", ""),
            verify_tls=not self._flag("onprem_self_signed"),
            stop_command=self._name_in("stop_command", self._admin.commands),
            start_command=self._name_in("start_command", self._admin.commands),
            command_arguments=self._arguments(),
            clear_http=self._flag("onprem_clear_http"),
            certificate=self._certificate(),
        )

    def _address(self, url: str) -> str:
        """In its usual form, so that one address is never taken for two."""
        try:
            return str(parse_address(url))
        except BadAddress as exc:
            if self.is_good("onprem_url"):
                self.report("onprem_url", str(exc))
            return url

    def _certificate(self) -> str | None:
        value = self._cells.get("onprem_certificate", "")
        if not value:
            return None
        kept = pin_in_usual_form(value) or value
        if not self._admin.knows_certificate(kept):
            self.report("onprem_certificate", "is neither sha256:<64 hexadecimal digits> nor a name of [certificates]")
        if self._flag("onprem_self_signed"):
            self.report(
                "onprem_certificate", "is given, and onprem_self_signed says that none is checked; leave one out"
            )
        return kept

    def _instance_name(self, url: str) -> str:
        """Names of instances are unique; two masked numbers may look the same, and their ids do not."""
        name = self._cells.get("instance") or url
        label = self._label("instance", name)
        return label if label == name else f"{label[:170]} ({self._cells.get('phone_number_id', '')})"

    def _label(self, column: str, value: str) -> str:
        """A text that every screen and log shows: a phone number in it is masked, a secret of the row is refused."""
        if self._scrubber.holds_secret(value) and self.is_good(column):
            self.report(column, "has the PIN or the password of this row in it; it is shown on screens and in logs")
        return mask_numbers(value)

    def _arguments(self) -> Mapping[str, str]:
        """`name=value;name=value`, each value checked against the pattern that the admin file gives it."""
        arguments: dict[str, str] = {}
        for part in filter(None, self._cells.get("command_arguments", "").split(";")):
            name, equals, value = part.partition("=")
            if not equals:
                self.report("command_arguments", "has a part that is not name=value")
            arguments[name.strip()] = value.strip()
        for column in ("stop_command", "start_command"):
            command = self._admin.commands.get(self._cells.get(column, ""))
            for name, pattern in command.arguments.items() if command is not None else ():
                if name not in arguments:
                    self.report("command_arguments", f"{self._cells[column]} needs {name}")
                elif (problem := argument_problem(pattern, arguments[name])) is not None:
                    self.report("command_arguments", f"{name} {problem}")
        return arguments
