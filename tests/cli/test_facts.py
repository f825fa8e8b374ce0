"""Field facts set the switches of the sandbox: what was measured is what is rehearsed against."""

import json
import sys
from typing import Any

import pytest

from migration.fleet.field_facts import as_switches, as_world, field_facts
from sandbox.open_questions import switch_specs, with_values
from sandbox.switches import Switches
from tests.cli.side_effects import MakeOperator
from tests.harness.cli_fixture import CliFixture
from tests.harness.servers import child, line_of


def manifest(cli: CliFixture, *arguments: str) -> dict[str, Any]:
    """What a sandbox of this home's own says when it is ready."""
    with child(sys.executable, "-m", "migration.cli", "sandbox", *arguments, env=cli.env) as process:
        told: dict[str, Any] = json.loads(line_of(process))
    return told


def test_every_switch_can_be_stated_as_a_fact_and_set_by_it() -> None:
    assert set(field_facts()) - {"onprem_registration"} == set(switch_specs())
    for known in field_facts().values():
        for value in known.values or ("1",):
            measured = {known.name: known.read(value)}
            told = dict(one.split("=") for one in as_switches(measured))
            set_so = with_values(Switches(), told)
            assert as_world(measured) or str(getattr(set_so, known.name)).lower().startswith(value.lower())


def test_a_sandbox_as_measured(cli: CliFixture) -> None:
    facts = {"platform_when_expired": "NOT_APPLICABLE", "read_lag_s": "12", "onprem_registration": "open"}
    for name, value in facts.items():
        output = cli.cutover("fact", name, value, "--because", "seen on N-0001")
        assert output.exit_code == 0, output.stderr
    told = manifest(cli, "--as-measured", "--numbers", "1")
    assert (told["world"], told["switches"]) == (
        "open",
        {"platform_when_expired": "NOT_APPLICABLE", "read_lag_s": 12.0},
    )
    # What is typed counts for more than what was measured, and without the option nothing is taken over.
    typed = manifest(cli, "--as-measured", "--world", "after-sunset", "--switch", "read_lag_s=3")
    assert (typed["world"], typed["switches"]["read_lag_s"]) == ("after-sunset", 3.0)
    assert manifest(cli)["switches"] == {}


def test_a_measured_sandbox_needs_a_home(cli: CliFixture) -> None:
    output = cli.cutover("sandbox", "--as-measured", env={"CUTOVER_HOME": str(cli.home / "nowhere")})
    assert (output.exit_code, output.stdout) == (1, "")
    assert "cutover init" in output.error_line


def test_what_is_listed_is_what_the_code_asks_and_what_was_measured(cli: CliFixture) -> None:
    first = cli.cutover("fact").stdout
    assert "onprem_registration" in first
    assert "webhook_retries" not in first
    assert "webhook_retries" in cli.cutover("fact", "--all").stdout
    cli.cutover("fact", "webhook_retries", "36h", "--because", "the receiver was down for two days")
    assert "webhook_retries" in cli.cutover("fact").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("webhook_retries", "8d", "--because", "x"), "webhook_retries is 7d or 36h, not 8d"),
        (("read_lag_s", "soon", "--because", "x"), "read_lag_s is a number from 0 on, not soon"),
        (("webhook_retrys", "7d", "--because", "x"), "perhaps webhook_retries"),
        (("colours",), "no question is called colours; see `cutover fact --all`"),
    ],
)
def test_what_is_no_fact(cli: CliFixture, words: tuple[str, ...], said: str) -> None:
    output = cli.cutover("fact", *words)
    assert output.exit_code == 2
    assert said in output.error_line


@pytest.mark.parametrize(("value", "registers"), [("onprem_keeps", 0), ("refused", 0), ("accepted", 1)])
def test_a_pin_that_graph_would_not_set_is_not_sent(make_operator: MakeOperator, value: str, registers: int) -> None:
    """Its host is gone and nobody knows its PIN: what was measured decides whether Graph may be asked to set one."""
    desk = make_operator(kinds=["host_gone"], world="after-sunset")
    desk.import_numbers(pin="")
    assert desk.cutover("fact", "pin_while_not_on_cloud", value, "--because", "tried on a spare number").exit_code == 0
    position = desk.run_number()
    assert desk.calls().count("register") == registers
    assert (position.runbook or "").endswith("pin-unknown.md") == (registers == 0)
