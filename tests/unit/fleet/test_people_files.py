"""Files of customers and of the duty roster: every odd value is named by row and column, and no cell is quoted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from migration.fleet.allowed_hours import parse_hours
from migration.fleet.bad_inventory import BadInventory
from migration.fleet.people_files import read_customers, read_roster
from state.ledger.people import NewCustomer

CUSTOMERS = "customer,contact,language,time_zone,hours,consent\n"
ROSTER = "operator,contact,languages,time_zone,from,to\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_known_of_customers(tmp_path: Path) -> None:
    path = write(
        tmp_path, CUSTOMERS + "Acme,Rui +55 11 91234 5678,pt_BR,America/Sao_Paulo,Mon-Fri 09:00-18:00,Bea\nB,,,,,\n"
    )
    acme = NewCustomer("Rui +55 11 91234 5678", "pt_BR", "America/Sao_Paulo", "Mon-Fri 09:00-18:00", "Bea")
    assert read_customers(path) == {"Acme": acme, "B": NewCustomer()}


def test_shifts_are_moments_in_their_own_zone(tmp_path: Path) -> None:
    row = "Ana,ana@partner.test,en pt_BR,America/Sao_Paulo,2026-12-01 22:00,2026-12-02 06:00\n"
    (shift,) = read_roster(write(tmp_path, ROSTER + row))
    assert shift.begins_at == datetime(2026, 12, 2, 1, 0, tzinfo=UTC)
    assert shift.ends_at == datetime(2026, 12, 2, 9, 0, tzinfo=UTC)


BAD_CUSTOMERS = {
    ("", "customer"): ",x,,,,",
    ("zone", "time_zone"): "Acme,,,Middle/Earth,,",
    ("zone in lower case", "time_zone"): "Acme,,,localtime,,",
    ("language", "language"): "Acme,,portuguese!,,,",
    ("hours", "hours"): "Acme,,,,9 to 5,",
    ("backward hours", "hours"): "Acme,,,,18:00-09:00,",
    ("no such day", "hours"): "Acme,,,,Son 09:00-10:00,",
    ("no such minute", "hours"): "Acme,,,,09:00-24:30,",
    ("a PIN", "contact"): "Acme,482913,,,,",
    ("a PIN as consent", "consent"): "Acme,,,,,482913",
    ("long", "contact"): f"Acme,{'x' * 201},,,,",
    ("unseen", "contact"): "Acme,a\u202eb,,,,",
    ("surplus", "row"): "Acme,,,,,,more",
}


@pytest.mark.parametrize("case", BAD_CUSTOMERS)
def test_an_odd_value_is_named_and_not_quoted(tmp_path: Path, case: tuple[str, str]) -> None:
    path = write(tmp_path, CUSTOMERS + "Good,,,,,\n" + BAD_CUSTOMERS[case] + "\n")
    with pytest.raises(BadInventory) as failed:
        read_customers(path)
    (bad,) = failed.value.bad
    assert (bad.line, bad.column) == (3, case[1])
    assert "482913" not in str(failed.value)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",x,en,UTC,2026-12-01 22:00,2026-12-02 06:00", "operator"),
        ("Ana,,en,Nowhere,2026-12-01 22:00,2026-12-02 06:00", "time_zone"),
        ("Ana,,en,UTC,yesterday,2026-12-02 06:00", "from"),
        ("Ana,,en,UTC,2026-12-02 22:00,2026-12-02 06:00", "to"),
        ("Ana,,en,UTC,2026-12-02 22:00,", "to"),
        ("Ana,,english?,UTC,2026-12-01 22:00,2026-12-02 06:00", "languages"),
    ],
)
def test_an_odd_shift_is_named(tmp_path: Path, row: str, column: str) -> None:
    with pytest.raises(BadInventory) as failed:
        read_roster(write(tmp_path, ROSTER + row + "\n"))
    assert column in {bad.column for bad in failed.value.bad}


@pytest.mark.parametrize("text", ["", "482913,secret\n", "e164,pin\n+15550104321,482913\n", "customer;contact\nA;b\n"])
def test_a_file_of_another_kind_shows_none_of_its_cells(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInventory) as failed:
        read_customers(write(tmp_path, text))
    assert "482913" not in str(failed.value)


def test_a_customer_may_stand_there_once(tmp_path: Path) -> None:
    with pytest.raises(BadInventory, match="line 2 already"):
        read_customers(write(tmp_path, CUSTOMERS + "Acme,,,,,\nAcme,,,,,\n"))


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (datetime(2026, 3, 27, 8, 30, tzinfo=UTC), True),  # Friday 09:30 in Berlin, winter time
        (datetime(2026, 3, 27, 7, 30, tzinfo=UTC), False),
        (datetime(2026, 3, 30, 7, 30, tzinfo=UTC), True),  # Monday 09:30, summer time since Sunday
        (datetime(2026, 3, 28, 8, 30, tzinfo=UTC), False),  # Saturday
    ],
)
def test_hours_are_those_of_the_customers_clock(at: datetime, allowed: bool) -> None:
    hours = parse_hours("Mon-Fri 09:00-18:00", "Europe/Berlin")
    assert hours.allow(at, at) is allowed


def test_the_next_opening_skips_the_weekend() -> None:
    hours = parse_hours("Mon-Fri 09:00-18:00; Sat 10:00-12:00", "UTC")
    saturday = datetime(2026, 3, 28, 13, 0, tzinfo=UTC)
    assert hours.next_opening(saturday) == datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
    assert parse_hours("").next_opening(saturday) is None
