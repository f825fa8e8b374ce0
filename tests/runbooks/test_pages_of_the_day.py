"""The pages of a cutover day: plans, single numbers that leave the fleet, and ways back."""

from datetime import datetime, timedelta

from state.enums import Side, Status
from tests.harness.operator import Operator
from tests.runbooks.execution import (
    HOOK_COLUMNS,
    RunbookExecution,
    assert_on_cloud,
    assert_untouched,
    dark_number,
    drive_to_block,
)


def go_on(runbook: RunbookExecution, operator: Operator) -> None:
    """What held the number is mended: it is released and looked at again, and moves to Cloud."""
    operator.cutover("release", "N-0001")
    runbook.execute("--look-again")
    runbook.execute("run", exit_code=None)
    operator.run_number()
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_abort(runbook: RunbookExecution) -> None:
    operator = runbook.begin(columns=HOOK_COLUMNS)
    operator.advance_to("drain")
    runbook.execute("show")
    runbook.execute("abort")
    assert "aborted" in runbook.execute("show").stdout
    assert operator.calls()[-1] == "resume_sends"
    assert_untouched(operator)
    runbook.assert_all_executed()


def test_business_app(runbook: RunbookExecution) -> None:
    operator = runbook.begin("business_app", "healthy", only=1)
    drive_to_block(operator, "business-app")
    runbook.execute("show")
    runbook.execute("abort")
    path = operator.harness.inventory()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    runbook.execute("import", argument=str(path))
    assert operator.calls() == []
    rows = operator.cutover("status", "--json").document["numbers"]
    assert [row["status"] for row in rows] == ["aborted", "ready"]
    runbook.assert_all_executed()


def test_cutover_day(runbook: RunbookExecution) -> None:
    operator = runbook.begin(*["healthy"] * 3)
    runbook.plan_wave("--canary", "1")
    runbook.execute("preflight")
    runbook.execute("status")
    assert operator.calls() == []
    runbook.execute("release WAVE --canary")
    runbook.execute("run", exit_code=3)
    assert_on_cloud(operator)
    for ref in ("N-0002", "N-0003"):
        assert_untouched(operator, ref)
    runbook.execute("release WAVE")
    runbook.execute("run")
    for ref in ("N-0001", "N-0002", "N-0003"):
        assert_on_cloud(operator, ref=ref)
    assert "Dark by us: 0" in runbook.execute("status").stdout

    operator = runbook.begin(*["healthy"] * 2)
    runbook.plan_wave("--canary", "1")
    runbook.execute("hold")
    assert operator.cutover("run", "WAVE").exit_code == 1
    assert_untouched(operator)
    runbook.assert_all_executed()


def test_first_wave(runbook: RunbookExecution) -> None:
    runbook.executed_elsewhere("cutover demo")  # tests/flows/test_demo.py: a sandbox and a Prefect server of its own
    operator = runbook.begin(
        *["healthy"] * 3,
        columns={"tags": "pilot", "daily_volume": "20"},
        start=datetime.fromisoformat("2026-12-01T12:00+00:00"),
        world="open",
    )
    for number in ("N-0001", "N-0002", "N-0003"):
        operator.sandbox_client(number).expires_at = operator.harness.clock.now() + timedelta(days=90)
    runbook.execute("--rule")
    runbook.execute("--tz")
    runbook.execute("preflight", exit_code=None)
    runbook.execute("release WAVE --canary")
    runbook.execute("run", exit_code=3)
    assert_untouched(operator)  # the window has not begun
    operator.harness.clock.advance(13.5 * 3600)
    runbook.execute("run", exit_code=3)
    assert_on_cloud(operator)
    assert_on_cloud(operator, ref="N-0002")
    assert_untouched(operator, "N-0003")
    runbook.execute("hold")
    runbook.execute("release WAVE")
    runbook.execute("run")
    assert_on_cloud(operator, ref="N-0003")
    runbook.execute("status")
    assert "outage" in runbook.execute("show").stdout
    runbook.assert_all_executed()


def test_not_movable(runbook: RunbookExecution) -> None:
    operator = runbook.begin()
    operator.change_at_meta("banned", True)
    drive_to_block(operator, "not-movable")
    runbook.execute("show")
    runbook.execute("hold")
    assert operator.calls().count("register") == 0
    operator.change_at_meta("banned", False)
    operator.cutover("release", "N-0001")
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator)

    operator = runbook.begin()
    operator.change_at_meta("banned", True)
    drive_to_block(operator, "not-movable")
    runbook.execute("abort")
    operator.change_at_meta("banned", False)
    assert "N-0001" in runbook.execute("import", argument=str(operator.harness.folder / "fleet.csv")).stdout
    operator.run_number()
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_graph_unclear(runbook: RunbookExecution) -> None:
    operator = runbook.begin("dark")
    platform = operator.sandbox_number().platform
    operator.change_at_meta("flagged", "UNKNOWN")
    operator.change_at_meta("platform", "UNKNOWN")
    drive_to_block(operator, "graph-unclear")
    runbook.execute("show")
    runbook.execute("hold")
    assert operator.calls().count("register") == 0
    operator.change_at_meta("flagged", None)
    operator.change_at_meta("platform", platform)
    go_on(runbook, operator)


def test_display_name(runbook: RunbookExecution) -> None:
    operator = runbook.begin("no_backup")
    operator.change_at_meta("name_status", "PENDING_REVIEW")
    drive_to_block(operator, "display-name")
    assert operator.sandbox_number().side == "on_premises"
    assert operator.calls() == []
    runbook.execute("show")
    runbook.execute("hold")
    operator.change_at_meta("name_status", "APPROVED")
    go_on(runbook, operator)


def test_rollback_number(runbook: RunbookExecution) -> None:
    operator = runbook.begin("verified", columns=HOOK_COLUMNS, world="open")
    operator.run_number()
    assert_on_cloud(operator)
    calls = operator.calls()
    runbook.execute("--dry-run")
    assert operator.calls() == calls
    runbook.execute("back-to-onprem N-0001 --confirm N-0001")
    runbook.execute("run", exit_code=None)
    assert (operator.position().side, operator.sandbox_number().side) == (Side.ON_PREMISES, "on_premises")
    assert operator.sandbox_number().sender.route == "on_premises"

    operator = dark_number(runbook, start_command="")
    assert "the way back is open: its client was only stopped" in runbook.execute("--dry-run").stdout
    runbook.execute("back-to-onprem N-0001 --confirm N-0001", exit_code=3)
    drive_to_block(operator, "rollback-number")
    operator.harness.sandbox.start_instance(operator.sandbox_client().id)
    runbook.execute("--look-again")
    runbook.execute("run")
    assert (operator.position().status, operator.position().side, operator.sandbox_number().side) == (
        Status.DONE,
        Side.ON_PREMISES,
        "on_premises",
    )
    assert "register" not in operator.calls()
    runbook.assert_all_executed()


def test_rollback_wave(runbook: RunbookExecution) -> None:
    operator = runbook.begin(*["healthy"] * 3, columns=HOOK_COLUMNS)
    runbook.plan_wave("--released", "none")
    operator.cutover("release", "WAVE", "--only", "N-0002")
    operator.cutover("run", "WAVE")
    runbook.execute("hold")
    runbook.execute("status")
    assert_on_cloud(operator, ref="N-0002")
    runbook.execute("stop")
    runbook.execute("abort")
    assert operator.position().status is Status.ABORTED
    assert_untouched(operator)
    assert_untouched(operator, "N-0003")
    assert operator.position("N-0003").status is Status.HELD
    runbook.assert_all_executed()


def test_way_back_closed(runbook: RunbookExecution) -> None:
    operator = runbook.begin("dark", world="after-sunset")
    result = operator.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert (result.exit_code, "FORWARD_RECOVERY" in result.error_line) == (1, True)
    runbook.execute("show")
    runbook.execute("FORWARD_RECOVERY")
    runbook.execute("run", exit_code=3)
    runbook.execute("enter-code", typed=operator.newest_code() + "\n")
    runbook.execute("run")
    assert_on_cloud(operator)
    runbook.assert_all_executed()
