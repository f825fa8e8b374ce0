"""docs/unconfirmed.md follows the code: it has every switch of the sandbox, and the files that it names exist."""

import re
from pathlib import Path

from sandbox.open_questions import switch_specs

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "unconfirmed.md").read_text()


def test_every_switch_of_the_sandbox_is_on_the_page() -> None:
    assert {name for name in switch_specs() if f"`{name}`" not in PAGE} == set()


def test_the_page_names_no_switch_that_is_gone() -> None:
    rows = [
        line.split("|") for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Question")
    ]
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row[4])}
    assert named - set(switch_specs()) == set()


def test_the_files_that_the_page_names_exist() -> None:
    assert {
        path for path in re.findall(r"`((?:migration|state)/[a-z_/]+\.py)`", PAGE) if not (TOP / path).exists()
    } == set()


def test_field_facts_on_the_page_are_asked_for_by_the_code() -> None:
    code = "".join(path.read_text() for path in (TOP / "migration").rglob("*.py"))
    for name in re.findall(r"field fact `([a-z_]+)`", PAGE):
        assert f'"{name}"' in code, name
