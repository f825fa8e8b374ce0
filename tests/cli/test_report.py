"""The written account: it counts registered and in service apart, and names what is left."""

from pathlib import Path

import pytest

from tests.cli.side_effects import MakeOperator
from tests.harness.cli_fixture import CliFixture
from tests.harness.operator import Operator


@pytest.fixture
def moved(make_operator: MakeOperator) -> Operator:
    """A wave of two numbers, one of which has no recipient for its smoke message; both are moved."""
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("plan", "north", "--limit", "2")
    operator.cutover("run", "north")
    return operator


def test_the_account_of_a_wave(moved: Operator) -> None:
    output = moved.cutover("report", "north")
    assert output.exit_code == 0
    text = output.stdout
    assert text.startswith("# Wave north of home ")
    assert "| moved to Cloud | 2 |" in text
    assert "| of them in service (a message has gone each way) | 0 |" in text
    assert "planned by " in text, "who decided"
    assert "N-0003" not in text, "of another wave"
    numbers, left = text.split("## Left to do")
    assert "| N-0001 | +" in numbers
    assert "cutover " in left, "the next command"


def test_the_document_has_the_same_figures(moved: Operator) -> None:
    document = moved.cutover("report", "--json").document
    assert (document["figures"]["numbers"], document["figures"]["moved"], document["figures"]["not_ended"]) == (3, 2, 1)
    assert document["figures"]["outage_s"]["longest"] is not None
    assert [wave["name"] for wave in document["waves"]] == ["north"]
    assert len(document["numbers"]) == 3


def test_a_file_is_new_and_its_owner_s_alone(cli: CliFixture, tmp_path: Path) -> None:
    out = tmp_path / "account.md"
    assert cli.cutover("report", "--out", str(out)).exit_code == 0
    assert out.read_text().startswith("# Fleet of home ")
    assert out.stat().st_mode & 0o077 == 0
    before = out.read_text()
    assert "nothing was written" in cli.cutover("report", "--out", str(out)).error_line
    assert out.read_text() == before
    assert "cannot be written" in cli.cutover("report", "--out", str(tmp_path / "no" / "x.md")).error_line


def test_full_numbers_only_where_they_are_asked_for(cli: CliFixture) -> None:
    e164 = cli.fleet[0]["e164"]
    assert e164 not in cli.cutover("report").stdout
    assert e164 in cli.cutover("report", "--show-numbers").stdout


def test_an_unknown_wave_is_one_line(cli: CliFixture) -> None:
    output = cli.cutover("report", "nobody")
    assert output.exit_code != 0
    assert "there is no wave nobody" in output.error_line
