"""The pages for verification codes, PINs and Embedded Signup."""

from typing import Any

import pytest

from state.enums import Status
from tests.runbooks.execution import (
    RunbookExecution,
    assert_on_cloud,
    assert_untouched,
    drive_to_block,
)

pytestmark = pytest.mark.slow  # each page is typed from its first line to its last


def test_code_never_comes(runbook: RunbookExecution) -> None:
    operator = runbook.begin("no_backup")
    operator.cutover("run", "N-0001", "--patience", "0")
    runbook.execute("show")
    runbook.execute("enter-code", typed=operator.newest_code() + "\n")
    runbook.execute("run")
    assert_on_cloud(operator)

    operator = runbook.begin("no_backup")
    position = operator.position()
    while position.status is not Status.BLOCKED:
        operator.cutover("run", "N-0001", "--patience", "0")
        position = operator.position()
        operator.harness.clock.advance(900)
    assert position.runbook == "runbooks/code-never-comes.md"
    runbook.execute("hold")
    assert_untouched(operator)
    operator.harness.clock.advance(86400)
    operator.cutover("release", "N-0001")
    runbook.execute("ask-code")
    operator.run_number()
    methods = [
        row.method for row in operator.with_app(lambda app: app.queries.people.code_requests(position.number_id))
    ]
    assert set(methods) == {"SMS", "VOICE"}, "after a lost message the number is called"
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_code_refused(runbook: RunbookExecution) -> None:
    operator = runbook.begin("code_refused")
    drive_to_block(operator, "code-refused")
    runbook.execute("show")
    operator.sandbox_client().backup_works = True
    runbook.execute("WITH_BACKUP")
    operator.run_number()
    assert_on_cloud(operator)

    operator = runbook.begin("code_refused")
    drive_to_block(operator, "code-refused")
    runbook.execute("CODE_AFTER")
    operator.run_number()
    assert_on_cloud(operator)

    operator = runbook.begin("code_refused")
    drive_to_block(operator, "code-refused")
    operator.sandbox_number().code_while_on_premises = "accepted"
    runbook.execute("--look-again")
    operator.cutover("run", "N-0001", "--patience", "0")
    assert operator.position().next_step == "verify_code"
    runbook.assert_all_executed()


def test_embedded_signup_again(runbook: RunbookExecution) -> None:
    operator = runbook.begin("new")
    operator.harness.clock.advance(12 * 86400)
    drive_to_block(operator, "embedded-signup-again")
    runbook.execute("show")
    assert operator.calls().count("register") == 0
    operator.sandbox_number().onboarded_at = operator.harness.clock.now()
    runbook.execute("import", argument=str(operator.harness.folder / "fleet.csv"))
    runbook.execute("--look-again")
    runbook.execute("run", exit_code=None)
    operator.run_number()
    assert_on_cloud(operator, registers=2)  # Meta wanted a code again: 133006
    runbook.assert_all_executed()


def test_pin_unknown(runbook: RunbookExecution) -> None:
    refused: dict[str, Any] = {"switches": {"pin_while_not_on_cloud": "refused"}, "world": "after-sunset"}
    for remedy in ("--look-again", "--pin-handed-in", "--two-step-off"):
        operator = runbook.begin("dark", **refused)
        drive_to_block(operator, "pin-unknown")
        runbook.execute("show")
        runbook.execute("hold")
        operator.cutover("release", "N-0001")
        assert operator.calls().count("register") == 0
        if remedy == "--look-again":
            runbook.execute(remedy)
            continue
        if remedy == "--two-step-off":
            operator.change_at_meta("pin", None)
        runbook.execute(remedy, typed=f"{operator.sandbox_number().pin}\n")
        runbook.execute("run", exit_code=None)
        operator.run_number()
        assert_on_cloud(operator)
        assert operator.sandbox_number().wrong_pins == 0
    runbook.assert_all_executed()


def test_wrong_pin(runbook: RunbookExecution) -> None:
    switches = {"pin_while_not_on_cloud": "refused"}
    for remedy in ("--pin-handed-in", "--two-step-off"):
        operator = runbook.begin("dark", columns={"pin": "000001"}, world="after-sunset", switches=switches)
        drive_to_block(operator, "wrong-pin")
        runbook.execute("show")
        assert operator.sandbox_number().wrong_pins == 1
        operator.harness.clock.advance(600)
        if remedy == "--two-step-off":
            operator.change_at_meta("pin", None)
        runbook.execute(remedy, typed=f"{operator.sandbox_number().pin}\n")
        runbook.execute("run", exit_code=None)
        operator.run_number()
        assert_on_cloud(operator, registers=2)
        assert operator.sandbox_number().wrong_pins == 1

    operator = runbook.begin("dark", columns={"pin": "000001"}, world="after-sunset", switches=switches)
    drive_to_block(operator, "wrong-pin")
    runbook.execute("FORWARD_RECOVERY")
    assert operator.run_number().runbook == "runbooks/pin-unknown.md", "the PIN that was refused is known no longer"
    assert operator.sandbox_number().wrong_pins == 1
    runbook.execute("--look-again")
    runbook.assert_all_executed()
