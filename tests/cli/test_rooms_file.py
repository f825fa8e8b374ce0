"""The file of links that `cutover rooms` writes: a partner opens it in a spreadsheet and sends its rows out."""

import csv

import pytest

from tests.cli.side_effects import MakeOperator


@pytest.mark.parametrize(
    ("contact", "cell"),
    [
        ("", ""),
        ("Rui, +351 912 555 010", "Rui, +351 912 555 010"),
        ("+351 912 555 010", "+351 912 555 010"),
        ("+1+1", "'+1+1"),
        ('=HYPERLINK("https://evil.test")', '\'=HYPERLINK("https://evil.test")'),
        ("Rui;=1+1", "Rui;'=1+1"),
    ],
)
def test_a_contact_is_text_in_a_spreadsheet(make_operator: MakeOperator, contact: str, cell: str) -> None:
    operator = make_operator(kinds=["no_backup"])
    operator.import_numbers(customer_contact=contact)
    file = operator.harness.folder / "links.csv"
    output = operator.cutover("rooms", "N-0001", "--url", "https://rooms.test", "--out", str(file))
    assert output.exit_code == 0
    (row,) = csv.DictReader(file.read_text().splitlines())
    assert row["contact"] == cell
    assert row["e164"] == operator.position("N-0001").e164
    assert row["url"].startswith("https://rooms.test/room/")
