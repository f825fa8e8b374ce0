"""Field facts set the switches of the sandbox: a rehearsal uses what was measured."""

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
    """The ready line of `cutover sandbox` with this home folder."""
    with child(sys.executable, "-m", "migration.cli", "sandbox", *arguments, env=cli.env) as process:
        ready: dict[str, Any] = json.loads(line_of(process))
    return ready


def test_every_switch_can_be_recorded_as_a_fact_and_set_by_it() -> None:
    assert set(field_facts()) - {"onprem_registration"} == set(switch_specs())
    for fact in field_facts().values():
        for value in fact.values or ("1",):
            recorded = {fact.name: fact.read(value)}
            texts = dict(text.split("=") for text in as_switches(recorded))
            switches = with_values(Switches(), texts)
            assert as_world(recorded) or str(getattr(switches, fact.name)).lower().startswith(value.lower())


@pytest.mark.slow
def test_a_sandbox_uses_the_recorded_facts(cli: CliFixture) -> None:
    facts = {"platform_when_expired": "NOT_APPLICABLE", "read_lag_s": "12", "onprem_registration": "open"}
    for name, value in facts.items():
        output = cli.cutover("fact", name, value, "--because", "seen on N-0001")
        assert output.exit_code == 0, output.stderr
    ready = manifest(cli, "--as-measured", "--numbers", "1")
    assert (ready["world"], ready["switches"]) == (
        "open",
        {"platform_when_expired": "NOT_APPLICABLE", "read_lag_s": 12.0},
    )
    # An option overrides a field fact, and without --as-measured no field fact is used.
    overridden = manifest(cli, "--as-measured", "--world", "after-sunset", "--switch", "read_lag_s=3")
    assert (overridden["world"], overridden["switches"]["read_lag_s"]) == ("after-sunset", 3.0)
    assert manifest(cli)["switches"] == {}


def test_as_measured_needs_a_home_folder(cli: CliFixture) -> None:
    output = cli.cutover("sandbox", "--as-measured", env={"CUTOVER_HOME": str(cli.home / "nowhere")})
    assert (output.exit_code, output.stdout) == (1, "")
    assert "cutover init" in output.error_line


def test_the_list_has_the_facts_that_decide_and_the_recorded_ones(cli: CliFixture) -> None:
    first = cli.cutover("fact").stdout
    assert "onprem_registration" in first
    assert "webhook_retries" not in first
    assert "webhook_retries" in cli.cutover("fact", "--all").stdout
    cli.cutover("fact", "webhook_retries", "36h", "--because", "the receiver was down for two days")
    assert "webhook_retries" in cli.cutover("fact").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("webhook_retries", "8d", "--because", "x"), "webhook_retries is 7d or 36h, not 8d"),
        (("read_lag_s", "soon", "--because", "x"), "read_lag_s is a number from 0 on, not soon"),
        (("webhook_retrys", "7d", "--because", "x"), "perhaps webhook_retries"),
        (("colours",), "no question is called colours; see `cutover fact --all`"),
    ],
)
def test_an_unknown_fact_or_value_is_refused(cli: CliFixture, arguments: tuple[str, ...], message: str) -> None:
    output = cli.cutover("fact", *arguments)
    assert output.exit_code == 2
    assert message in output.error_line


@pytest.mark.parametrize(("value", "registers"), [("onprem_keeps", 0), ("refused", 0), ("accepted", 1)])
def test_a_fact_decides_whether_graph_is_asked_to_set_the_pin(
    make_operator: MakeOperator, value: str, registers: int
) -> None:
    """The host is gone and the PIN is unknown: a field fact decides whether Graph is asked to set one."""
    operator = make_operator(kinds=["host_gone"], world="after-sunset")
    operator.import_numbers(pin="")
    assert (
        operator.cutover("fact", "pin_while_not_on_cloud", value, "--because", "tried on a spare number").exit_code == 0
    )
    position = operator.run_number()
    assert operator.calls().count("register") == registers
    assert (position.runbook or "").endswith("pin-unknown.md") == (registers == 0)
