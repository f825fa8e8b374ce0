"""The pages for a database, Prefect, a key, a token, a login, a hook or a far side that fails."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from migration.vault.sealing import new_master_key
from state.enums import Side, Status
from state.schema import downgrade
from tests.runbooks.execution import (
    HOOK_COLUMNS,
    RunbookExecution,
    assert_on_cloud,
    assert_untouched,
    begin_planned_wave,
    drive_to_block,
)

pytestmark = pytest.mark.slow  # each page is typed from its first line to its last


def test_database_down(runbook: RunbookExecution) -> None:
    operator = runbook.begin(*["healthy"] * 2)
    runbook.plan_wave("--limit", "1")
    operator.advance_to("pause_sends", "N-0002")
    settings = operator.harness.settings
    unreachable = "postgresql+asyncpg://nobody@127.0.0.1:9/none"
    operator.harness.settings = replace(settings, database_url=unreachable)
    assert "the database does not answer" in runbook.execute("status", exit_code=1).error_line
    assert "the database does not answer" in runbook.execute("show", exit_code=1).error_line
    assert "the database does not answer" in runbook.execute("sweep", exit_code=1).error_line
    assert "cutover runbook database-down" in runbook.execute("hold", exit_code=1).error_line
    assert all("register" not in call.call for call in operator.harness.sandbox.world.calls)
    operator.harness.settings = settings
    asyncio.run(downgrade(settings.database, "2026_11_27_versions_of_secrets"))
    for path in operator.harness.folder.rglob("home.json"):
        path.unlink()  # a home of an earlier release has none
    assert "run `cutover init`" in operator.cutover("status").error_line
    runbook.execute("init")
    runbook.execute("status")
    runbook.execute("hold")
    runbook.execute("sweep")
    assert_on_cloud(operator, ref="N-0002")
    assert_untouched(operator)
    runbook.assert_all_executed()


def test_far_side_down(runbook: RunbookExecution) -> None:
    operator = runbook.begin(*["healthy"] * 2)
    runbook.plan_wave()
    operator.advance_to("set_storage")
    begin_planned_wave(operator)
    operator.harness.sandbox.faults.add("get.number", "500", times=0)
    drive_to_block(operator, "far-side-down")
    runbook.execute("status")
    runbook.execute("show")
    runbook.execute("hold")
    operator.harness.sandbox.faults.clear()
    assert_untouched(operator)
    runbook.execute("release")
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator)
    assert_on_cloud(operator, ref="N-0002")
    runbook.assert_all_executed()


def test_key_lost(runbook: RunbookExecution) -> None:
    operator = runbook.begin()
    operator.advance_to("pause_sends")
    key_file = operator.harness.folder / "master.key"
    old = key_file.read_text().strip()
    key_file.unlink()
    assert "there is no master key" in operator.cutover("sweep").error_line
    key_file.write_text(new_master_key().get_secret_value() + "\n")
    key_file.chmod(0o644)
    assert "can be read by others" in operator.cutover("sweep").error_line
    key_file.chmod(0o600)
    assert "cutover runbook key-lost" in operator.cutover("run", "N-0001").error_line
    operator.harness.settings = replace(operator.harness.settings, older_master_keys=old)
    operator.env["CUTOVER_OLDER_MASTER_KEYS"] = old
    runbook.execute("rotate-key")
    operator.harness.settings = replace(operator.harness.settings, older_master_keys="")
    assert operator.cutover("run", "N-0001").exit_code == 0
    assert_on_cloud(operator)

    operator = runbook.begin()
    runbook.plan_wave()
    (operator.harness.folder / "master.key").unlink()
    runbook.execute("init")
    runbook.execute("profile", argument="main")
    runbook.execute("import", argument=str(operator.harness.folder / "fleet.csv"))
    runbook.execute("--pin-handed-in", typed=operator.sandbox_number().pin + "\n")
    result = operator.cutover("preflight", "WAVE")
    assert result.exit_code == 0, result.stdout
    assert operator.cutover("run", "WAVE").exit_code == 0
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_onprem_login(runbook: RunbookExecution) -> None:
    operator = runbook.begin()
    runbook.plan_wave()
    operator.sandbox_client().users["admin"].password = "N3w!password"
    operator.sandbox_client().tokens.clear()
    drive_to_block(operator, "onprem-login")
    runbook.execute("show")
    assert_untouched(operator)
    runbook.execute("import", argument=str(operator.harness.inventory()))
    assert operator.cutover("preflight", "WAVE").exit_code == 0
    runbook.execute("--look-again")
    operator.cutover("run", "WAVE", "--patience", "0")
    runbook.execute("run", exit_code=None)
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_prefect_down(runbook: RunbookExecution) -> None:
    """No Prefect server runs in these tests: that is the state. Deployments and a worker: tests/flows."""
    operator = runbook.begin(*["healthy"] * 3)
    runbook.plan_wave("--limit", "2")
    operator.advance_to("secure_pin", "N-0003")
    runbook.execute("status")
    runbook.execute("run")
    assert_on_cloud(operator)
    assert_on_cloud(operator, ref="N-0002")
    assert "PREFECT_API_URL is not set" in runbook.execute("deploy", exit_code=1).error_line
    assert "PREFECT_API_URL is not set" in runbook.execute("worker", exit_code=1).error_line
    runbook.execute("sweep")
    assert_on_cloud(operator, ref="N-0003")
    runbook.assert_all_executed()


def test_token_refused(runbook: RunbookExecution) -> None:
    operator = runbook.begin()
    world = operator.harness.sandbox.world
    token = (operator.harness.folder / "token").read_text()
    world.tokens[token].revoked = True
    assert operator.run_number().status is Status.HELD
    assert "is halted" in runbook.execute("status").stdout
    assert operator.cutover("profile", "main", "--new-token").exit_code == 12
    world.tokens[token].revoked = False  # the system user's new token, as far as anybody can tell
    runbook.execute("profile", argument="main")
    runbook.execute("sweep")
    assert_on_cloud(operator)
    assert "is halted" not in operator.cutover("status").stdout
    runbook.assert_all_executed()


def test_traffic_hook(runbook: RunbookExecution) -> None:
    operator = runbook.begin(columns=HOOK_COLUMNS | {"hook_required": "yes"})
    operator.sandbox_number().sender.behaviour = "veto"
    drive_to_block(operator, "traffic-hook")
    runbook.execute("show")
    runbook.execute("hold")
    assert_untouched(operator)
    operator.cutover("release", "N-0001")
    runbook.execute("import", argument=str(operator.harness.inventory(**HOOK_COLUMNS, hook_required="no")))
    assert operator.position().hook_required is False
    operator.sandbox_number().sender.behaviour = "obey"
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator)
    assert operator.sandbox_number().sender.route == "cloud"
    assert operator.position().sender_gap_seconds is not None

    operator = runbook.begin(columns=HOOK_COLUMNS)
    operator.advance_to("drain")
    runbook.execute("--senders-resumed")
    assert operator.with_app(lambda app: app.queries.positions.paused()) == ()
    runbook.assert_all_executed()


def test_internal_error(runbook: RunbookExecution) -> None:
    operator = runbook.begin(columns=HOOK_COLUMNS)
    admin = operator.harness.folder / "cutover.toml"
    whole = admin.read_text()
    admin.write_text(whole.replace("[hooks.senders]", "[hooks.others]"))
    position = drive_to_block(operator, "internal-error")
    assert "names no hook senders" in (position.reason or "")
    runbook.execute("show")
    assert_untouched(operator)
    admin.write_text(whole)
    runbook.execute("--look-again")
    runbook.execute("run")
    assert_on_cloud(operator)

    operator = runbook.begin("dark")
    runbook.execute("FORWARD_RECOVERY")
    operator.run_number()
    assert_on_cloud(operator)
    runbook.assert_all_executed()


def test_restored(runbook: RunbookExecution, tmp_path: Path) -> None:
    operator = runbook.begin(*["healthy"] * 2)
    file = str(tmp_path / "fleet.backup")
    runbook.execute("backup", argument=file)
    assert operator.run_number("N-0002").side is Side.CLOUD
    moved = operator.calls("N-0002")
    runbook.execute("restore FILE", argument=file)
    assert operator.position("N-0002").side is Side.ON_PREMISES, "as in the record of then"
    assert operator.cutover("run").exit_code == 3
    assert operator.calls("N-0002") == moved
    client = operator.sandbox_client()
    client.host = "gone"
    runbook.execute("restore --look", exit_code=3)
    client.host = "up"
    runbook.execute("status")
    runbook.execute("show")
    runbook.execute("--look-again")
    assert operator.cutover("run").exit_code == 0
    assert_on_cloud(operator)
    assert operator.position("N-0002").side is Side.CLOUD
    assert operator.calls("N-0002").count("register") == moved.count("register")
    runbook.assert_all_executed()
