"""An inventory file: every mistake is named with line, column and reason, all of them at once."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from migration.fleet.bad_inventory import BadRow
from migration.fleet.inventory import OPTIONAL, REQUIRED, Inventory, read_inventory
from migration.home.admin_file import AdminSettings
from state.ledger.fleet_rows import NewInstance

ADMIN = AdminSettings.model_validate(
    {
        "profiles": {"main": {"app_id": "77", "token": {"env": "T"}}, "other": {"app_id": "78", "token": {"env": "T"}}},
        "commands": {
            "stop": {"argv": ["docker", "stop", "{container}"], "arguments": {"container": "[a-z0-9-]+"}},
            "start": {"argv": ["docker", "start", "{container}"], "arguments": {"container": "[a-z0-9-]+"}},
        },
        "hooks": {"acme": {"url": "https://senders.test", "secret": {"env": "S"}}},
        "certificates": {"house": {"file": "house.pem"}},
    }
)
VALID = {
    "e164": "+4915123456781",
    "phone_number_id": "106540352242921",
    "waba_id": "102290129340398",
    "customer": "Acme",
    "profile": "main",
}
FULL = {
    "instance": "client-1",
    "onprem_url": "https://client-1.test:9090/",
    "onprem_username": "admin",
    "onprem_password": "Adm1n!secret",
    "onprem_self_signed": "no",
    "onprem_certificate": "house",
    "onprem_clear_http": "yes",
    "stop_command": "stop",
    "start_command": "start",
    "command_arguments": "container=client-1; note = a=b",
    "pin": "012345",
    "language": "pt_BR",
    "code_method": "voice",
    "storage_region": "br",
    "smoke_to": "+49 151 23456780",
    "smoke": "Round-Trip",
    "tags": "north;vip",
    "daily_volume": "1200",
    "wave": "first",
    "itinerary": "code_first",
    "hook": "acme",
    "hook_required": "true",
    "register_calls_72h": "2",
    "deregister_calls_72h": "1",
    "terms_accepted_by": "Ana Lima",
    "customer_contact": "Rui, +55 11 91234 5678",
    "customer_language": "pt_BR",
    "customer_time_zone": "America/Sao_Paulo",
    "customer_hours": "Mon-Fri 09:00-18:00",
    "customer_consent": "Bea",
}


def second_row(**changes: str) -> dict[str, str]:
    """Another number of the same customer."""
    return VALID | {"e164": "+4915123456782", "phone_number_id": "106540352242922"} | changes


def write_rows(folder: Path, *rows: dict[str, str]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    path = folder / "fleet.csv"
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in line) for line in lines))
    return path


def read(folder: Path, *rows: dict[str, str]) -> Inventory:
    return read_inventory(write_rows(folder, *rows), ADMIN)


def bad_cells(inventory: Inventory) -> list[tuple[int, str]]:
    assert inventory.rows == ()
    return [(bad.line, bad.column) for bad in inventory.bad]


def test_the_required_columns_are_enough(tmp_path: Path) -> None:
    inventory = read(tmp_path, VALID)
    assert inventory.bad == ()
    new = inventory.rows[0].new
    assert (new.e164, new.instance, new.language, new.code_method, new.line) == (VALID["e164"], None, "en", "SMS", 2)
    assert (new.has_pin, new.wave, new.itinerary, new.storage_region, new.smoke_to) == (False, None, None, None, None)


def test_every_optional_column_is_read(tmp_path: Path) -> None:
    assert set(FULL) == set(OPTIONAL)
    assert set(VALID) == set(REQUIRED)
    inventory = read(tmp_path, VALID | FULL)
    assert inventory.bad == ()
    (row,) = inventory.rows
    assert (row.pin, row.password) == (SecretStr("012345"), SecretStr("Adm1n!secret"))
    new = row.new
    assert new.instance == NewInstance(
        "client-1",
        "https://client-1.test:9090",
        "admin",
        True,
        "stop",
        "start",
        {"container": "client-1", "note": "a=b"},
        True,
        "house",
    )
    assert (new.language, new.code_method, new.storage_region, new.smoke_to) == (
        "pt_BR",
        "VOICE",
        "BR",
        "+4915123456780",
    )
    assert new.smoke == "round-trip"
    assert (new.tags, new.daily_volume, new.wave, new.itinerary) == ("north;vip", 1200, "first", "CODE_FIRST")
    assert (new.hook, new.hook_required, new.has_pin) == ("acme", True, True)
    assert (new.register_calls_before, new.deregister_calls_before) == (2, 1)
    assert new.terms_accepted_by == "Ana Lima"
    assert "012345" not in repr(row)
    assert "Adm1n!secret" not in repr(row)


@pytest.mark.parametrize("column", REQUIRED)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    row = {name: value for name, value in VALID.items() if name != column}
    assert read(tmp_path, row).bad == (BadRow(1, column, "the column is missing"),)


@pytest.mark.parametrize("column", REQUIRED)
def test_an_empty_cell_is_named(tmp_path: Path, column: str) -> None:
    assert (2, column) in bad_cells(read(tmp_path, VALID | {column: " "}))


ONPREM = {name: FULL[name] for name in ("instance", "onprem_url", "onprem_username", "onprem_password")}
MISTAKES: dict[str, tuple[dict[str, str], str, str]] = {
    "no plus": ({"e164": "4915123456781"}, "e164", "is not an E.164 number"),
    "letters": ({"e164": "not a number"}, "e164", "is not an E.164 number"),
    "extension": ({"e164": "+4915123456781 ext. 12"}, "e164", "has an extension"),
    "an O for a 0": ({"e164": "+49151O23456781"}, "e164", "has a letter in it"),
    "a word for digits": ({"smoke_to": "+1800FLOWERS"}, "smoke_to", "has a letter in it"),
    "too short": ({"e164": "+4915"}, "e164", "is not an E.164 number"),
    "too long": ({"e164": "+49151234567812345"}, "e164", "is not an E.164 number"),
    "only local": ({"e164": "+12530000"}, "e164", "is not an E.164 number"),
    "no such country": ({"e164": "+99915123456781"}, "e164", "is not an E.164 number"),
    "smoke mode": ({"smoke": "sometimes"}, "smoke", "is none of read-only, outbound, inbound, round-trip, passive"),
    "smoke number": ({"smoke_to": "me"}, "smoke_to", "is not an E.164 number"),
    "id with letters": ({"phone_number_id": "10a"}, "phone_number_id", "is not an id of Graph"),
    "id from a spreadsheet": ({"phone_number_id": "1,0654e+14"}, "phone_number_id", "a spreadsheet has rounded it"),
    "number from a spreadsheet": ({"e164": "5.51E+12"}, "e164", "a spreadsheet has rounded it"),
    "waba id": ({"waba_id": "../1"}, "waba_id", "is not an id of Graph"),
    "user name in the address": (ONPREM | {"onprem_url": "http://a@b"}, "onprem_url", "has a user name in it"),
    "backslash in the address": (ONPREM | {"onprem_url": "http://a\\b"}, "onprem_url", "has a backslash in it"),
    "no such authority": (ONPREM | {"onprem_certificate": "hous"}, "onprem_certificate", "is neither sha256:"),
    "half a fingerprint": (ONPREM | {"onprem_certificate": "sha256:ab"}, "onprem_certificate", "is neither sha256:"),
    "no check beside a certificate": (
        ONPREM | {"onprem_certificate": "house", "onprem_self_signed": "yes"},
        "onprem_certificate",
        "leave one out",
    ),
    "clear http": (ONPREM | {"onprem_clear_http": "perhaps"}, "onprem_clear_http", "is neither yes nor no"),
    "unknown profile": ({"profile": "mian"}, "profile", "names no such profile (it has: main, other)"),
    "unknown hook": ({"hook": "acmee"}, "hook", "names no such hook (it has: acme)"),
    "unknown stop command": (ONPREM | {"stop_command": "halt"}, "stop_command", "names no such stop command"),
    "unknown start command": (ONPREM | {"start_command": "go"}, "start_command", "names no such start command"),
    "argument missing": (ONPREM | {"stop_command": "stop"}, "command_arguments", "stop needs container"),
    "argument not as it should be": (
        ONPREM | {"stop_command": "stop", "command_arguments": "container=a b"},
        "command_arguments",
        "container does not match",
    ),
    "argument without a name": (
        ONPREM | {"command_arguments": "client-1"},
        "command_arguments",
        "has a part that is not name=value",
    ),
    "unknown method": ({"code_method": "FAX"}, "code_method", "is none of SMS, VOICE"),
    "unknown region": ({"storage_region": "XX"}, "storage_region", "is none of AE"),
    "unknown itinerary": ({"itinerary": "FASTEST"}, "itinerary", "is none of CODE_AFTER"),
    "neither yes nor no": ({"hook_required": "maybe"}, "hook_required", "neither yes nor no"),
    "volume": ({"daily_volume": "many"}, "daily_volume", "is not a count"),
    "negative calls": ({"register_calls_72h": "-1"}, "register_calls_72h", "is not a count"),
    "calls in other digits": ({"register_calls_72h": "²"}, "register_calls_72h", "is not a count"),
    "more calls than there can be": ({"deregister_calls_72h": "1000000"}, "deregister_calls_72h", "is not a count"),
    "volume out of reach": ({"daily_volume": "99999999999"}, "daily_volume", "is not a count"),
    "short PIN": ({"pin": "12345"}, "pin", "is not six digits"),
    "address": (ONPREM | {"onprem_url": "client-1:9090"}, "onprem_url", "does not begin with http:// or https://"),
    "address whose port is a word": (ONPREM | {"onprem_url": "https://c:port"}, "onprem_url", "has no port from 1"),
    "address whose port is none": (ONPREM | {"onprem_url": "https://c:99999"}, "onprem_url", "has no port from 1"),
    "address with a query": (ONPREM | {"onprem_url": "https://c/?a=1"}, "onprem_url", "has a `?` or `#`"),
    "address with a password": (ONPREM | {"onprem_url": "https://a:b@c"}, "onprem_url", "has a user name in it"),
    "no username": (ONPREM | {"onprem_username": ""}, "onprem_username", "is empty"),
    "no password": (ONPREM | {"onprem_password": ""}, "onprem_password", "is empty"),
    "instance without address": ({"instance": "client-1"}, "onprem_url", "is empty, but instance is given"),
    "command without instance": ({"stop_command": "stop"}, "onprem_url", "is empty, but stop_command is given"),
    "customer too long": ({"customer": "x" * 201}, "customer", "is longer than 200"),
    "tags too long": ({"tags": "x" * 501}, "tags", "is longer than 500"),
    "wave too long": ({"wave": "x" * 101}, "wave", "is longer than 100"),
    "a wave that is called as a number": ({"wave": "n-0002"}, "wave", "give it a name that is no number's"),
    "a wave with a tab in it": ({"wave": "night\tone"}, "wave", "a character in it that nobody can see: U+0009"),
    "an address that reads backwards": (
        ONPREM | {"onprem_url": "https://\u202ea.test"},
        "onprem_url",
        "that nobody can see: U+202E RIGHT-TO-LEFT OVERRIDE",
    ),
    "a password with a space that has no width": (
        ONPREM | {"onprem_password": "secret\u200b"},
        "onprem_password",
        "that nobody can see: U+200B ZERO WIDTH SPACE",
    ),
    "a customer of two lines": ({"customer": "Acme\vInc"}, "customer", "that nobody can see: U+000B"),
    "a wave that Prefect would fill in": ({"wave": "{{ night }}"}, "wave", "without {{"),
    "language too long": ({"language": "english, please"}, "language", "is longer than 10"),
    "username too long": (ONPREM | {"onprem_username": "x" * 65}, "onprem_username", "is longer than 64"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_line_column_and_reason(tmp_path: Path, mistake: str) -> None:
    changes, column, reason = MISTAKES[mistake]
    inventory = read(tmp_path, second_row(), VALID | changes)
    assert [(bad.line, bad.column) for bad in inventory.bad] == [(3, column)]
    assert reason in inventory.bad[0].reason
    assert inventory.rows == ()


def test_digits_of_every_script_are_read_and_unseen_characters_removed(tmp_path: Path) -> None:
    cells = {
        "e164": "\u2066+٤٩١٥١٢٣٤٥٦٧٨١\u2069",
        "phone_number_id": "١٠٦٥٤٠٣٥٢",
        "waba_id": "\ufeff" + "".join(chr(0xFF10 + int(digit)) for digit in "10229"),
        "pin": "०१२३४५",
        "smoke_to": "\u200e+49 1512 3456780",
    }
    (row,) = read(tmp_path, VALID | cells).rows
    assert (row.new.e164, row.new.phone_number_id, row.new.waba_id) == ("+4915123456781", "106540352", "10229")
    assert (row.pin, row.new.smoke_to) == (SecretStr("012345"), "+4915123456780")


@pytest.mark.parametrize(
    "number",
    [
        "+52 1 55 1234 5678",
        "+55 11 8765-4321",
        "+54 9 11 2345-6789",
        "+225 07123456",
        "+229 97123456",
        "+57 1 1234567",
        "+241 07123456",
        "+84 120 1234567",
        "+974 3123456",
        "+230 7123456",
    ],
)
def test_numbers_in_whatsapps_spelling_are_taken_in(tmp_path: Path, number: str) -> None:
    (row,) = read(tmp_path, VALID | {"e164": number}).rows
    assert row.new.e164 == "+" + "".join(filter(str.isdigit, number))


PAIRS = [("+5215512345678", "+525512345678"), ("+22507123456", "+2250707123456"), ("+22507123456", "+2250107123456")]


@pytest.mark.parametrize(("one", "other"), [*PAIRS, *(pair[::-1] for pair in PAIRS)])
def test_two_spellings_of_one_number_are_a_duplicate(tmp_path: Path, one: str, other: str) -> None:
    inventory = read(tmp_path, VALID | {"e164": one}, second_row(e164=other))
    assert bad_cells(inventory) == [(3, "e164")]


def test_two_hooks_of_one_customer_are_named(tmp_path: Path) -> None:
    admin = AdminSettings.model_validate(
        ADMIN.model_dump(mode="json", exclude_defaults=True)
        | {"hooks": {name: {"url": f"https://{name}.test", "secret": {"env": "S"}} for name in ("acme", "others")}}
    )
    rows = (VALID | {"hook": "acme"}, second_row(hook="others"))
    inventory = read_inventory(write_rows(tmp_path, *rows), admin)
    assert [(bad.line, bad.column) for bad in inventory.bad] == [(3, "hook")]


def test_two_numbers_that_were_never_one_are_none(tmp_path: Path) -> None:
    assert not read(tmp_path, VALID | {"e164": "+2250707123456"}, second_row(e164="+2250507123456")).bad


def test_spaces_and_characters_that_nobody_sees_are_no_part_of_a_header_or_a_figure(tmp_path: Path) -> None:
    columns = {f"\u00a0{name}\u200b": cell for name, cell in VALID.items()}
    (row,) = read(tmp_path, columns | {"\ufeffpin\u2060": "012\u00a0345", "daily_volume": "1\u202f200"}).rows
    assert (row.pin, row.new.daily_volume, row.new.e164) == (SecretStr("012345"), 1200, VALID["e164"])


def test_a_joiner_within_a_name_stays(tmp_path: Path) -> None:
    (row,) = read(tmp_path, VALID | {"customer": "n\u200cm"}).rows
    assert row.new.customer == "n\u200cm"


DUPLICATES: dict[str, tuple[dict[str, str], str]] = {
    "number": ({"e164": VALID["e164"]}, "e164"),
    "number written otherwise": ({"e164": "+49 (151) 2345-6781"}, "e164"),
    "phone number id": ({"phone_number_id": VALID["phone_number_id"]}, "phone_number_id"),
    "instance": (ONPREM | {"onprem_url": "https://x.test"}, "instance"),
    "address": (ONPREM | {"instance": "x"}, "onprem_url"),
    "customer of a WABA": ({"customer": "Another"}, "customer"),
    "profile of a WABA": ({"profile": "other"}, "profile"),
}


@pytest.mark.parametrize("case", DUPLICATES)
def test_a_duplicate_is_named_with_both_lines(tmp_path: Path, case: str) -> None:
    changes, column = DUPLICATES[case]
    inventory = read(tmp_path, VALID | ONPREM, second_row() | changes)
    assert bad_cells(inventory) == [(3, column)]
    assert "line 2" in inventory.bad[0].reason


SPELLED = ["+4915123456781", "49 151 2345-6781", "https://wa.me/4915123456781", "client-4915123456781", "0151/23456781"]


@pytest.mark.parametrize("number", SPELLED)
def test_a_number_in_a_name_is_stored_masked(tmp_path: Path, number: str) -> None:
    names = dict.fromkeys(("customer", "instance", "tags"), f"shop {number}")
    others = {column: name.replace("2345", "2375") for column, name in names.items()} | {
        "onprem_url": "https://other.test"
    }
    rows = (VALID | FULL | names, second_row() | FULL | others)
    first, second = (row.new for row in read(tmp_path, *rows).rows)
    assert first.instance is not None
    assert second.instance is not None
    stored = f"{first.customer} {first.tags} {first.instance.name}"
    assert "6781" not in stored.replace("\u2022\u2022\u20226781", "")
    assert not any(part in "".join(filter(str.isdigit, stored)) for part in ("4915123", "15123456"))
    assert first.instance.name != second.instance.name, "names of instances are unique"
    assert first.customer == second.customer


@pytest.mark.parametrize("name", ["customer of 102290129340398", "shop 2 of 17", "10.20.30.40", "north;vip 2026-11-27"])
def test_other_digits_in_a_name_stay(tmp_path: Path, name: str) -> None:
    (row,) = read(tmp_path, VALID | FULL | {"customer": name, "instance": name}).rows
    assert row.new.instance is not None
    assert (row.new.customer, row.new.instance.name) == (name, name)


@pytest.mark.parametrize("column", ["customer", "instance", "tags"])
@pytest.mark.parametrize("secret", ["012345", "Adm1n!secret", "Adm1n%21secret"])
def test_a_secret_in_a_name_is_refused(tmp_path: Path, column: str, secret: str) -> None:
    inventory = read(tmp_path, VALID | FULL | {column: f"shop {secret}"})
    (bad,) = inventory.bad
    assert (bad.column, secret in bad.reason) == (column, False)
    assert bad.reason.startswith("has the PIN or the password of this row in it")


def test_a_bad_number_is_masked_in_the_message(tmp_path: Path) -> None:
    bad = read(tmp_path, VALID, second_row(e164=VALID["e164"])).bad
    assert VALID["e164"] not in str(bad[0])
    assert VALID["e164"] not in str(read(tmp_path, VALID | {"e164": VALID["e164"] * 2}).bad[0])


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    inventory = read(
        tmp_path,
        VALID | {"profile": "x", "pin": "1"},
        second_row(),
        VALID | {"e164": "+1", "phone_number_id": "106540352242923", "customer": ""},
    )
    assert sorted(bad_cells(inventory)) == [(2, "pin"), (2, "profile"), (4, "customer"), (4, "e164")]


@pytest.mark.parametrize(
    ("content", "bad"),
    [
        ("", [(1, name) for name in REQUIRED]),
        ("e164,phone_number_id,waba_id,customer,profile\n", [(1, "file")]),
        ("e164,phone_number_id,waba_id,customer,profile,pim\n", [(1, "column 6")]),
        ("e164,phone_number_id,waba_id,customer,profile,\n", [(1, "column 6")]),
        ("e164,phone_number_id,waba_id,customer,profile,profile\n", [(1, "profile"), (1, "profile")]),
        ('e164,phone_number_id,waba_id,customer,profile\n"+4915', [(1, "file")]),
        ("e164,phone_number_id,waba_id,customer,profile\n+4915123456781,1065403,10229,Acme,main,more\n", [(2, "row")]),
    ],
)
def test_a_file_that_is_no_inventory_is_refused(tmp_path: Path, content: str, bad: Any) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text(content)
    assert bad_cells(read_inventory(path, ADMIN)) == bad


@pytest.mark.parametrize("content", [b"\xff\xfe\x00e", b"PK\x03\x04\x00\xf3"])
def test_a_spreadsheet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fleet.csv"
    path.write_bytes(content)
    (bad, *_) = read_inventory(path, ADMIN).bad
    assert bad.line == 1


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(tmp_path: Path, separator: str, name: str) -> None:
    path = write_rows(tmp_path, VALID)
    path.write_text(path.read_text().replace('"', "").replace(",", separator))
    (bad,) = read_inventory(path, ADMIN).bad
    assert str(bad) == f"line 1, file: its cells have {name} between them; save it with commas"


def test_rows_of_commas_only_are_ignored(tmp_path: Path) -> None:
    path = write_rows(tmp_path, VALID)
    header, row, *_ = path.read_text().splitlines()
    empty_row = "," * header.count(",")
    path.write_text(f"{header}\n{empty_row}\n{row}\n{empty_row}\n")
    inventory = read_inventory(path, ADMIN)
    assert (inventory.bad, [parsed.new.line for parsed in inventory.rows]) == ((), [3])


def test_a_byte_order_mark_and_crlf_are_accepted(tmp_path: Path) -> None:
    path = write_rows(tmp_path, VALID)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_inventory(path, ADMIN).bad == ()


@pytest.mark.parametrize("column", ["customer", "tags", "instance", "wave", "onprem_username", "terms_accepted_by"])
@pytest.mark.parametrize("character", ["\x1b", "\n", "\r", "\t", "\x07", "\x85", "\x9b", "\u2028", "\u202e", "\u2066"])
def test_a_control_character_is_refused_in_every_text(tmp_path: Path, column: str, character: str) -> None:
    inventory = read(tmp_path, VALID | FULL | {column: f"a{character}N-0009 done"})
    assert [row for row in inventory.bad if row.column == column and "that nobody can see" in row.reason]
