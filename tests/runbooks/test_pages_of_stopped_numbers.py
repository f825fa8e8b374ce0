"""The pages for numbers that stopped before, in or after their move."""

import pytest

from sandbox.world import health
from state.enums import Status
from tests.harness.crash_point import Killed
from tests.runbooks.execution import (
    HOOK_COLUMNS,
    RunbookExecution,
    assert_on_cloud,
    assert_untouched,
    begin_planned_wave,
    dark_number,
    drive_to_block,
)

pytestmark = pytest.mark.slow  # each page is typed from its first line to its last


def test_budget_spent(runbook: RunbookExecution) -> None:
    operator = runbook.begin(columns={"register_calls_72h": "7"})
    position = operator.run_number()
    assert (position.status, position.next_step) == (Status.WAITING, "register")
    assert "budget-spent" in (position.reason or "")
    assert "7 of 10" in runbook.execute("show").stdout
    runbook.execute("--spend-reserve")
    runbook.execute("run")
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_callbacks_do_not_drain(runbook: RunbookExecution) -> None:
    operator = runbook.begin("callbacks_stuck", columns=HOOK_COLUMNS)
    drive_to_block(operator, "callbacks-do-not-drain")
    runbook.execute("show")
    runbook.execute("hold")
    assert_untouched(operator)
    operator.sandbox_client().callbacks.stuck, operator.sandbox_client().callbacks.size = False, 0.0
    runbook.execute("release")
    runbook.execute("--look-again")
    runbook.execute("run", exit_code=None)
    operator.run_number()
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_dark_on_both_sides(runbook: RunbookExecution) -> None:
    operator = dark_number(runbook)
    assert "DARK" in runbook.execute("show").stdout
    runbook.execute("--look-again")
    runbook.execute("FORWARD_RECOVERY")
    operator.harness.clock.advance(60)  # the code that its move had asked for cools down
    runbook.execute("run", exit_code=3)
    runbook.execute("enter-code", typed=operator.newest_code() + "\n")
    runbook.execute("run")
    assert_on_cloud(operator)
    assert operator.position().outage_seconds is not None
    runbook.assert_all_executed()


def test_deregistration_unfinished(runbook: RunbookExecution) -> None:
    operator = runbook.begin()
    operator.sandbox_number().incomplete_deregistration = True
    drive_to_block(operator, "deregistration-unfinished")
    runbook.execute("show")
    operator.sandbox_number().incomplete_deregistration = False
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator, registers=2)
    runbook.assert_all_executed()


def test_no_backup(runbook: RunbookExecution) -> None:
    for remedy in ("--look-again", "CODE_FIRST", "CODE_AFTER"):
        operator = runbook.begin()
        operator.harness.sandbox.stop_instance(operator.sandbox_client().id)
        drive_to_block(operator, "no-backup")
        runbook.execute("show")
        assert operator.calls().count("register") == 0
        if remedy == "--look-again":
            operator.harness.sandbox.start_instance(operator.sandbox_client().id)
        runbook.execute(remedy)
        runbook.execute("run", exit_code=None)
        assert operator.position().status is not Status.BLOCKED, (
            f"{remedy}: {operator.position().next_step}: {operator.position().reason}"
        )
        operator.run_number()
        assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_refused(runbook: RunbookExecution) -> None:
    operator = runbook.begin("verified")
    runbook.plan_wave()
    operator.advance_to("subscribe")
    operator.harness.sandbox.faults.add(route="subscribe", kind="error", code=135000, times=0)
    drive_to_block(operator, "refused")
    runbook.execute("show")
    runbook.execute("hold")
    operator.harness.sandbox.faults.clear()
    assert_untouched(operator)
    operator.cutover("release", "WAVE")
    operator.cutover("run", "WAVE", "--patience", "0")
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_smoke_failed(runbook: RunbookExecution) -> None:
    operator = runbook.begin("payment_problem")
    operator.harness.sandbox.faults.add("messages", "error", operator.position().e164, code=133010, times=0)
    drive_to_block(operator, "smoke-failed")
    assert operator.sandbox_number().side == "cloud"
    runbook.execute("show")
    operator.harness.sandbox.faults.clear()
    runbook.execute("--look-again")
    runbook.execute("run", exit_code=4)
    assert_on_cloud(operator)
    health.remove_problem(operator.harness.sandbox.world, operator.sandbox_number(), health.PAYMENT)
    runbook.execute("prove", exit_code=None)
    assert operator.position().smoke_error is None
    runbook.execute("parity", exit_code=None)
    assert operator.position().profile_read_at is not None
    runbook.assert_all_executed()


def test_stop_by_hand(runbook: RunbookExecution) -> None:
    for proof in ("--look-again", "--onprem-off"):
        columns = {} if proof == "--onprem-off" else {"stop_command": "", "command_arguments": ""}
        operator = runbook.begin("verified", columns={"itinerary": "CODE_FIRST"} | columns)
        operator.sandbox_client().stop_works = False
        drive_to_block(operator, "stop-by-hand")
        runbook.execute("show")
        assert operator.sandbox_number().side == "on_premises"
        if proof == "--look-again":
            operator.change_at_meta(
                "cut_off", True
            )  # by hand: its web application still answers, and says that it serves none
        else:
            operator.sandbox_client().host = "stopped"
        runbook.execute(proof)
        runbook.execute("run", exit_code=None)
        operator.run_number()
        assert_on_cloud(operator)
        assert operator.sandbox_number().outage_s is not None
    runbook.assert_all_executed()


def test_storage_refused(runbook: RunbookExecution) -> None:
    operator = runbook.begin(columns={"storage_region": "DE"}, switches={"storage_while_on_premises": "refused"})
    drive_to_block(operator, "storage-refused")
    runbook.execute("show")
    runbook.execute("hold")
    assert_untouched(operator)
    operator.cutover("release", "N-0001")
    runbook.execute("import", argument=str(operator.harness.inventory(storage_region="")))
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_terms_of_service(runbook: RunbookExecution) -> None:
    operator = runbook.begin("tos_missing", "tos_missing")
    runbook.plan_wave("--concurrency", "1")
    begin_planned_wave(operator)
    drive_to_block(operator, "terms-of-service")
    runbook.execute("hold")
    runbook.execute("show")
    for ref in ("N-0001", "N-0002"):
        operator.sandbox_number(ref).tos_missing = False
    runbook.execute("--look-again")
    runbook.execute("--terms-accepted")
    runbook.execute("release")
    runbook.execute("run N-0001")
    assert_on_cloud(operator, registers=2)
    runbook.execute("run WAVE")
    assert_on_cloud(operator, ref="N-0002")
    runbook.assert_all_executed()


def test_unknown_outcome(runbook: RunbookExecution) -> None:
    for remedy in ("--look-again", "--onprem-off"):
        operator = runbook.begin("verified")
        operator.advance_to("register")
        operator.harness.sandbox.faults.add("register", "slow", times=1, effect=False)
        operator.harness.crash_point.after_send = operator.harness.crash_point.sends + 1
        with pytest.raises(Killed):
            operator.run_number()
        operator.harness.crash_point.after_send = None
        operator.harness.sandbox.stop_instance(operator.sandbox_client().id)
        drive_to_block(operator, "unknown-outcome")
        runbook.execute("show")
        if remedy == "--look-again":
            operator.harness.sandbox.start_instance(operator.sandbox_client().id)
        else:
            operator.harness.clock.advance(2400)  # the backup is no longer good
        runbook.execute(remedy)
        runbook.execute("run", exit_code=None)
        position = operator.run_number()
        if position.status is Status.BLOCKED:  # a dead client gives no other backup
            assert position.next_step == "back_up"
            runbook.execute("FORWARD_RECOVERY")
            operator.run_number()
        assert_on_cloud(operator, registers=2)
        assert operator.sandbox_number().double_effects == 0
    runbook.assert_all_executed()


@pytest.mark.parametrize("decision", ["already_on_cloud", "--take-over"])
def test_moved_by_others(runbook: RunbookExecution, decision: str) -> None:
    operator = runbook.begin("verified", columns=HOOK_COLUMNS)
    operator.advance_to("register")
    operator.change_at_meta("platform", "CLOUD_API")
    operator.sandbox_client().registered = False
    drive_to_block(operator, "moved-by-others")
    assert "register" not in operator.calls()
    runbook.execute("status", exit_code=None)
    runbook.execute("show")
    runbook.execute(decision)
    for other in ("already_on_cloud", "--take-over"):
        runbook.executed_elsewhere(other)
    runbook.execute("run", exit_code=0 if decision == "--take-over" else None)
    assert operator.sandbox_number().wrong_pins == 0
    if decision == "--take-over":
        assert_on_cloud(operator, registers=0)
        assert operator.sandbox_number().sender.route == "cloud"
    runbook.assert_all_executed()
