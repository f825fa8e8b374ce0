"""A number on hold in a wave that is released for all: every screen says that the hold wins."""

import json

from tests.cli.side_effects import MakeOperator

WINS = "1 number of it is on hold and may not cross: a hold wins over any release"


def test_every_screen_says_that_the_hold_wins(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    ref = operator.import_numbers().ref
    planned = operator.cutover("plan", "north")
    assert (planned.exit_code, WINS in planned.stdout) == (0, False)
    operator.cutover("hold", ref, "--because", "not yet")
    again = operator.cutover("plan", "north")
    rehearsed = operator.cutover("run", "north", "--dry-run")
    operator.cutover("run", "north")
    shown, status = operator.cutover("show", ref), operator.cutover("status")
    for output in (again, rehearsed, status):
        assert WINS in output.stdout, output.stdout
    assert "1 number would cross in it" in rehearsed.stdout
    assert "no: it is on hold, which wins over the release of wave north for all" in shown.stdout
    assert "the number is on hold, which wins over the release of wave north for all" in shown.stdout
    document = json.loads(operator.cutover("status", "--json").stdout.splitlines()[-1])
    held = next(row for row in document["numbers"] if row["ref"] == ref)
    assert (held["status"], held["may_cross"].startswith("no: it is on hold")) == ("held", True)
    assert document["waves"][0]["on_hold"] == 1
    assert WINS in document["waves"][0]["may_cross"]
