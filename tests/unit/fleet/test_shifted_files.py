"""A file whose cells stand in other columns than the header says: no error quotes a cell of it."""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from migration.fleet.inventory import OPTIONAL, REQUIRED, read_inventory
from tests.unit.fleet.test_inventory import ADMIN, FULL, VALID

PASSWORD, PIN, DIGITS = "Zz7-planted!pass", "481516", "23424815162342"
COLUMNS = [*REQUIRED, *OPTIONAL]
# Secrets of three kinds: of letters, of digits as an id, and a PIN.
ROWS = [VALID | FULL | {"onprem_password": password, "pin": PIN} for password in (PASSWORD, DIGITS)]


def write(rows: list[list[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def orders() -> Iterator[list[str]]:
    """The columns as the page lists them, and with a secret at each place."""
    yield COLUMNS
    for secret in ("pin", "onprem_password"):
        rest = [name for name in COLUMNS if name != secret]
        yield from ([*rest[:place], secret, *rest[place:]] for place in range(len(COLUMNS)))


def shifted(cells: list[str]) -> Iterator[list[str]]:
    """Every row that a slip makes of one."""
    for by in range(1, len(cells)):
        yield [*cells[by:], *cells[:by]]
        yield [*[""] * by, *cells[:-by]]
        yield cells[by:]
    for place in range(len(cells)):
        yield [*cells[:place], "", *cells[place:]]
        yield [*cells[:place], *cells[place + 1 :]]
        yield [*cells[:place], *cells[place + 1 :], ""]


def files() -> Iterator[str]:
    for row in ROWS:
        for order in orders():
            cells = [row[name] for name in order]
            for moved in shifted(cells):
                yield write([order, moved])
        for order in (COLUMNS, [*COLUMNS[-14:], *COLUMNS[:-14]]):
            cells = [row[name] for name in order]
            yield write([cells])
            yield write([cells, cells])
            for moved in shifted(order):
                yield write([moved, cells])
            for separator in ";\t|:":
                yield write([order, cells], separator)
                yield write([order]) + write([cells], separator)
                yield write([order], separator) + write([cells])
            plain = ",".join(cells)
            for place in range(len(cells)):
                opened = ",".join([*cells[:place], f'"{cells[place]}', *cells[place + 1 :]])
                yield f"{','.join(order)}\n{opened}\n{plain}\n"
                yield f"{','.join(order)}\n{plain}\n{opened}\n"
            # A secret as a name in the header, where the first line is a row.
            yield write([["customer" if cell == row["customer"] else cell for cell in cells], cells])


# Numbers that divide no count of columns, so that every order, slip and place is among the files that are taken.
@pytest.mark.parametrize("every", [41, pytest.param(7, marks=pytest.mark.slow)])
def test_no_message_quotes_a_secret(tmp_path: Path, every: int) -> None:
    path = tmp_path / "fleet.csv"
    tried = wrong = 0
    for text in itertools.islice(files(), 0, None, every):
        path.write_text(text)
        inventory = read_inventory(path, ADMIN)
        said = "\n".join(map(str, inventory.bad))
        assert not [secret for secret in (PASSWORD, PIN, DIGITS) if secret in said], said
        tried, wrong = tried + 1, wrong + bool(inventory.bad)
    assert (tried > 500, wrong / tried > 0.8) == (True, True)
