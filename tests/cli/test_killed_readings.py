"""Processes that are killed while they drain, compare or read callers: nothing crosses, and the record stays whole."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli_fixture import CliFixture, SandboxProcess, build_cli_fixture, run_sandbox

pytestmark = pytest.mark.slow
WITHIN_S = 20


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[CliFixture, SandboxProcess]]:
    with run_sandbox("--numbers", "1", "--kinds", "callbacks_stuck", "--seed", "5") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        assert cli.cutover("import", cli.inventory()).exit_code == 0
        yield cli, sandbox


@contextmanager
def running(cli: CliFixture, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    argv = [sys.executable, "-m", "migration.cli", *arguments]
    env = {**os.environ, **cli.env}
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def document(cli: CliFixture) -> dict[str, Any]:
    found: dict[str, Any] = cli.cutover("status", "--json").document["numbers"][0]
    return found


def calls(sandbox: SandboxProcess) -> list[str]:
    return [call["call"] for call in sandbox.control("GET", "calls")["calls"]]


def test_a_run_that_is_killed_while_it_drains_loses_no_callback(own: tuple[CliFixture, SandboxProcess]) -> None:
    cli, sandbox = own
    instance = sandbox.manifest["numbers"][0]["instance"]
    for _ in range(2):
        with running(cli, "run", "N-0001", "--patience", "600") as process:
            end = time.monotonic() + WITHIN_S
            while document(cli)["next_step"] != "drain":
                assert time.monotonic() < end, document(cli)
                time.sleep(0.1)
            time.sleep(0.5)
            process.kill()
    assert "register" not in calls(sandbox)
    sandbox.control("POST", f"instances/{instance}", {"do": "callbacks_drain"})
    output = cli.cutover("run", "N-0001", "--patience", "120")
    assert output.exit_code in (0, 4), output.stdout + output.stderr
    assert calls(sandbox).count("register") == 1
    shown = cli.cutover("show", "N-0001").stdout
    assert "callbacks were still queued" not in shown
    assert cli.cutover("audit", "verify").exit_code == 0


def test_readings_after_a_move_that_are_killed_at_any_time_leave_the_record_whole(
    own: tuple[CliFixture, SandboxProcess],
) -> None:
    cli, sandbox = own
    sandbox.control("POST", f"instances/{sandbox.manifest['numbers'][0]['instance']}", {"do": "callbacks_drain"})
    assert cli.cutover("run", "N-0001", "--patience", "120").exit_code in (0, 4)
    expected = {verb: cli.cutover(verb, "N-0001").exit_code for verb in ("parity", "callers")}
    before = len([call for call in calls(sandbox) if not call.startswith(("get.", "onprem.get"))])
    for delay in (0.3, 0.6, 0.9, 1.2):
        with running(cli, "parity", "N-0001") as first, running(cli, "callers", "N-0001") as second:
            time.sleep(delay)
            first.kill()
            second.kill()
    with running(cli, "parity", "N-0001") as first, running(cli, "parity", "N-0001") as second:
        assert {first.wait(WITHIN_S), second.wait(WITHIN_S)} == {expected["parity"]}
    assert {verb: cli.cutover(verb, "N-0001").exit_code for verb in expected} == expected
    assert len([call for call in calls(sandbox) if call in ("register", "messages", "profile")]) <= before
    assert cli.cutover("audit", "verify").exit_code == 0
