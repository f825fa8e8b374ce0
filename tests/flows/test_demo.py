"""`cutover demo` from end to end, and what is left of it when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from migration.runtime.process_tree import CODE_FOLDER, MARK, marked

pytestmark = pytest.mark.slow

# Seconds. Three minutes are the demo's promise on two cores that have nothing else to do.
LONGEST_S = 330
MARKED = "/demo-under-test"


def started(folder: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "migration.cli", "demo", "--json", "--folder", str(folder)],
        env=os.environ | {MARK: f"{MARKED}-{name}", "PYTHONPATH": str(CODE_FOLDER)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(name: str) -> set[int]:
    return marked(f"{MARKED}-{name}")


def test_the_story_comes_out(tmp_path: Path) -> None:
    demo = started(tmp_path / "house", "whole")
    out, err = demo.communicate(timeout=LONGEST_S)
    assert demo.returncode == 0, err
    told = json.loads(out.splitlines()[-1])
    assert (told["numbers"], told["on_cloud"], told["blocked"]) == (24, 23, 1)
    assert {"WITH_BACKUP", "CODE_FIRST", "CODE_AFTER", "ONBOARD"} == set(told["itineraries"])
    assert (told["killed"], told["double_effects"], told["wrong_pins"], told["sends_to_dead_side"]) == (1, 0, 0, 0)
    assert "a code is typed in, and it is wrong" in err
    assert "typed into Prefect's form" in err
    assert left("whole") == set()
    assert not (tmp_path / "house").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_runs_after_it_was_stopped(tmp_path: Path, number: signal.Signals) -> None:
    """Stopped while the Prefect server and the import are coming up, which is when the most is in the making."""
    name = number.name
    demo = started(tmp_path / "house", name)
    until = time.monotonic() + 60
    while len(left(name)) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(left(name)) >= 4
    demo.send_signal(number)
    _, err = demo.communicate(timeout=90)
    assert demo.returncode == 130, err
    assert left(name) == set()
    assert not (tmp_path / "house").exists()
