"""`--log-json`: what a log system collects from a run."""

import json

import pytest

from tests.cli.side_effects import MakeOperator


@pytest.mark.parametrize("arguments", [("--log-json", "run"), ("run", "--log-json")])
def test_a_run_logs_each_transition_as_json(make_operator: MakeOperator, arguments: tuple[str, ...]) -> None:
    operator = make_operator()
    position = operator.import_numbers()
    output = operator.cutover(*arguments)
    records = [json.loads(line) for line in output.stderr.splitlines()]
    transitions = [record for record in records if "event" in record]
    events = {(record["step"], record["event"]) for record in transitions}
    assert {("register", "intent"), ("register", "advanced")} <= events
    assert {record["number"] for record in transitions} == {position.ref}
    assert len({record["run"] for record in transitions}) == 1
    assert all(record["time"] and record["level"] and record["holder"] for record in transitions)
    assert position.e164.lstrip("+") not in output.stderr + output.stdout


def test_a_run_without_the_option_logs_no_transition(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    assert operator.cutover("run").stderr == ""
