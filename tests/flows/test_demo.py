"""`cutover demo` from end to end, and that it leaves no process and no folder when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from migration.runtime.process_tree import CODE_FOLDER, MARK_VARIABLE, marked_pids

pytestmark = [pytest.mark.slow, pytest.mark.alone]

# Seconds. The demo promises three minutes on two idle cores.
LONGEST_S = 330
MARKED = "/demo-under-test"


def start_demo(folder: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "migration.cli", "demo", "--json", "--folder", str(folder)],
        env=os.environ | {MARK_VARIABLE: f"{MARKED}-{name}", "PYTHONPATH": str(CODE_FOLDER)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(name: str) -> set[int]:
    return marked_pids(f"{MARKED}-{name}")


def test_the_demo_ends_as_promised(tmp_path: Path) -> None:
    demo = start_demo(tmp_path / "house", "whole")
    stdout, stderr = demo.communicate(timeout=LONGEST_S)
    assert demo.returncode == 0, stderr
    result = json.loads(stdout.splitlines()[-1])
    assert (result["numbers"], result["on_cloud"], result["blocked"]) == (24, 23, 1)
    assert {"WITH_BACKUP", "CODE_FIRST", "CODE_AFTER", "ONBOARD"} == set(result["itineraries"])
    assert (result["killed"], result["double_effects"], result["wrong_pins"], result["sends_to_dead_side"]) == (
        1,
        0,
        0,
        0,
    )
    assert "a code is typed in, and it is wrong" in stderr
    assert "typed into Prefect's form" in stderr
    assert processes_of("whole") == set()
    assert not (tmp_path / "house").exists()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_demo_leaves_no_process(tmp_path: Path, signal_number: signal.Signals) -> None:
    """Stopped while the Prefect server and the import start: then the most processes are being created."""
    name = signal_number.name
    demo = start_demo(tmp_path / "house", name)
    deadline = time.monotonic() + 60
    while len(processes_of(name)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes_of(name)) >= 4
    demo.send_signal(signal_number)
    _, stderr = demo.communicate(timeout=90)
    assert demo.returncode == 130, stderr
    assert processes_of(name) == set()
    assert not (tmp_path / "house").exists()
