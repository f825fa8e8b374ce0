"""The generated pages say what the code does, and every call of the oracle is on docs/sandbox.md."""

from itertools import pairwise
from pathlib import Path

import pytest

from sandbox import sources
from sandbox.control.oracle import ROUTES
from sandbox.documentation.__main__ import main
from sandbox.documentation.generated import FILES, SANDBOX_PAGE, renewed
from sandbox.open_questions import questions, switch_specs

TOP = Path(__file__).resolve().parents[2]
TEXT = (TOP / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_generated_files_are_up_to_date(name: str) -> None:
    text = (TOP / name).read_text(encoding="utf-8")
    assert FILES[name](text) == text, "python -m sandbox.documentation"


def test_every_switch_names_its_source_page() -> None:
    assert {spec.name: spec.source for spec in switch_specs().values() if spec.source not in sources.PAGES} == {}
    assert set(sources.PAGES) == {spec.source for spec in switch_specs().values()}


def test_every_default_is_a_value_of_its_switch() -> None:
    assert {spec.name for spec in switch_specs().values() if spec.parse(spec.default) != spec.default} == set()
    assert {name for question in questions() for name in question.see} <= set(switch_specs())
    assert len(switch_specs()) == sum(len(question.switches) for question in questions()), "a name stands twice"


def test_every_section_is_listed_once() -> None:
    sections = [question.section for question in questions()]
    assert len(set(sections)) == 1 + sum(before != after for before, after in pairwise(sections))


def test_every_oracle_call_is_on_docs_page() -> None:
    assert [name for _, name in ROUTES if f"/_sandbox/{name}" not in TEXT] == []


def test_renewing_files_changes_only_generated_parts(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (TOP / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("pin_guesses", "changed"), encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert {name for name in FILES if (tmp_path / name).read_text() != (TOP / name).read_text()} == set()
    assert main(["too", "many"]) == 2
    with pytest.raises(ValueError, match="no place for switches"):
        renewed("nothing", SANDBOX_PAGE)
