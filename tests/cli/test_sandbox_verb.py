"""`cutover sandbox` starts the sandbox in its own place: ready line, exit codes and errors are the sandbox's."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from migration.cli.sandbox import options

CUTOVER = str(Path(sys.executable).with_name("cutover"))


def test_the_sandbox_takes_the_place_of_the_command(tmp_path: Path) -> None:
    """Its ready line is the command's, and a signal for the command ends it. A folder of its name does not matter."""
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "__init__.py").touch()
    command = [CUTOVER, "sandbox", "--numbers", "2", "--world", "open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        manifest = json.loads(process.stdout.readline())
        assert (manifest["world"], len(manifest["numbers"])) == ("open", 2)
    finally:
        process.send_signal(signal.SIGTERM)
        rest, complaint = process.communicate(timeout=20)
    assert (process.returncode, rest, complaint) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--colour", "red"], "unrecognized arguments: --colour red; see `cutover sandbox --help`"),
        (["--world", "mars"], "argument --world: invalid choice: 'mars'"),
        (["--numbers", "0"], "--numbers is 1 or more"),
        (["--switch", "read_lag_s=soon"], "switch read_lag_s takes a number"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(arguments: list[str], complaint: str) -> None:
    done = subprocess.run([CUTOVER, "sandbox", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(complaint)


def test_help_names_the_options_of_both() -> None:
    done = subprocess.run([CUTOVER, "sandbox", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    named = ("usage: cutover sandbox", "--as-measured", "--scenario", "--switch")
    assert [name for name in named if name not in done.stdout] == []


def test_a_scenario_keeps_its_own_world() -> None:
    measured = {"onprem_registration": "open", "read_lag_s": "3.0"}
    assert options(measured, has_scenario=False) == ["--world", "open", "--switch", "read_lag_s=3.0"]
    assert options(measured, has_scenario=True) == ["--switch", "read_lag_s=3.0"]
