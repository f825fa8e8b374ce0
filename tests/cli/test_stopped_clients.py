"""`cutover sweep` and `cutover status` about a client that died while its number was held."""

import json

from tests.cli.side_effects import MakeOperator


def test_a_client_that_died_while_held_is_in_the_exit_code_and_on_every_screen(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    ref = operator.import_numbers().ref
    operator.cutover("hold", ref, "--because", "not yet")
    operator.cutover("run", ref)
    assert operator.cutover("status").exit_code == 0
    number = operator.sandbox_number(ref)
    operator.harness.sandbox.stop_instance(str(number.instance_id))
    operator.harness.clock.advance(61)
    shown_before = operator.cutover("status")
    swept = operator.cutover("sweep")
    assert (shown_before.exit_code, swept.exit_code) == (0, 3)
    finding = f"{ref}: its client stopped serving, not by us"
    for command in (["sweep"], ["status"], ["show", ref]):
        assert finding in operator.cutover(*command).stdout
    status = operator.cutover("status", "--json")
    (row,) = json.loads(status.stdout.splitlines()[-1])["numbers"]
    assert (status.exit_code, row["side"], row["dark_s"], row["seen_at"] is not None) == (3, "neither", 61.0, True)
    operator.harness.sandbox.start_instance(str(number.instance_id))
    operator.harness.clock.advance(61)
    assert operator.cutover("sweep").exit_code == 0
    assert finding not in operator.cutover("status").stdout
