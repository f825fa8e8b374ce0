"""docs/sandbox.md says what the code does: its tables are made of it, and every call of the oracle is on it."""

from pathlib import Path

import pytest

from sandbox import sources as pages
from sandbox import switches
from sandbox.control import docs_tables as page
from sandbox.control.oracle import ROUTES

PATH = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"
TEXT = PATH.read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert page.renewed(TEXT) == TEXT, "python -m sandbox.control.docs_tables docs/sandbox.md"


def test_every_switch_says_which_page_leaves_it_open() -> None:
    told = switches.questions()
    assert set(told) == set(switches.names())
    assert {name: key for name, (_, _, key) in told.items() if key not in pages.PAGES} == {}
    assert set(pages.PAGES) == {key for _, _, key in told.values()}


def test_every_call_of_the_oracle_is_on_the_page() -> None:
    assert [name for _, name in ROUTES if f"/_sandbox/{name}" not in TEXT] == []


def test_writing_the_page_anew_changes_what_is_made_and_nothing_else(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(TEXT.replace("| `lag` |", "| `lug` |"), encoding="utf-8")
    assert page.main([str(copy)]) == 0
    assert copy.read_text(encoding="utf-8") == TEXT
    assert page.main([]) == 2
    with pytest.raises(ValueError, match="no place for switches"):
        page.renewed("nothing")
