"""What a preflight report says of a number."""

from migration.cli.preflight import summarize_reports
from migration.preflight.assessment import PreflightReport
from migration.preflight.check import CheckResult, Verdict
from migration.steps.rollback_options import RollbackOption, RollbackState
from tests.harness.positions import make_position

CLOSED = RollbackOption(RollbackState.CLOSED, "its client: expired")


def report(*results: CheckResult) -> PreflightReport:
    return PreflightReport(make_position(), results)


def test_the_worst_verdict_counts() -> None:
    passed, warned = CheckResult("PIN", Verdict.PASS, "known"), CheckResult("token", Verdict.WARN, "ends soon")
    assert report(passed, warned).verdict is Verdict.WARN
    assert report().verdict is Verdict.PASS


def test_the_way_back_is_the_options_own_and_not_its_sentence() -> None:
    result = CheckResult("way back", Verdict.PASS, "another sentence", rollback=CLOSED)
    assert report(CheckResult("PIN", Verdict.PASS, "known"), result).rollback == CLOSED


def test_a_way_back_that_could_not_be_read_is_left_out_of_the_summary() -> None:
    failed = report(CheckResult("way back", Verdict.FAIL, "Graph does not answer"))
    read = report(CheckResult("way back", Verdict.PASS, str(CLOSED), rollback=CLOSED))
    assert failed.rollback is None
    assert summarize_reports([failed, read]) == "1 closed (its client: expired)"
