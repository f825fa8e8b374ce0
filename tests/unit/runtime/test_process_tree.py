"""Everything that a child process started ends with it, also in another session."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migration.runtime.process_tree import CODE_FOLDER, ChildProcess, marked_pids, safe_python

# A parent that starts a grandchild in a session of its own and lives for so many seconds.
PARENT = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep({lifetime_s})
"""


@pytest.fixture
def start_parent() -> Iterator[Callable[[float], ChildProcess]]:
    children: list[ChildProcess] = []

    def start(lifetime_s: float) -> ChildProcess:
        child = ChildProcess([sys.executable, "-c", PARENT.format(lifetime_s=lifetime_s)], os.environ)
        children.append(child)
        until = time.monotonic() + 20
        while len(marked_pids(child.mark)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        return child

    yield start
    for child in children:
        child.kill()


def test_a_grandchild_in_another_session_is_found(start_parent: Callable[[float], ChildProcess]) -> None:
    assert len(start_parent(600).running_pids()) == 2


def test_kill_ends_the_whole_tree(start_parent: Callable[[float], ChildProcess]) -> None:
    child = start_parent(600)
    child.kill()
    assert marked_pids(child.mark) == set()


def test_a_grandchild_that_outlives_its_parent_is_ended(start_parent: Callable[[float], ChildProcess]) -> None:
    child = start_parent(0.5)
    child.process.wait(20)
    assert len(child.running_pids()) == 1
    child.stop()
    assert child.running_pids() == set()


def test_another_process_tree_is_left_alone(start_parent: Callable[[float], ChildProcess]) -> None:
    first, second = start_parent(600), start_parent(600)
    first.kill()
    assert len(second.running_pids()) == 2


def test_a_mark_matches_whole_path_parts_only() -> None:
    from migration.runtime.process_tree import _has_mark

    assert _has_mark("A=1\0CUTOVER_FAMILY=/ab/cd\0B=2", "/ab")
    assert _has_mark("A=1\0CUTOVER_FAMILY=/ab\0B=2", "/ab")
    assert not _has_mark("A=1\0CUTOVER_FAMILY=/abc\0B=2", "/ab")


@pytest.mark.parametrize("given", [None, "", ":", ".", f":.:relative:{CODE_FOLDER}", f"{CODE_FOLDER}:"])
def test_a_python_child_imports_nothing_from_the_current_directory(tmp_path: Path, given: str | None) -> None:
    for name in ("json.py", "migration.py", "planted.py"):
        (tmp_path / name).write_text("raise SystemExit(7)\n")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {} if given is None else {"PYTHONPATH": given}
    child = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'json.tool', '--help']))"
    for arguments in (["-m", "json.tool", "--help"], ["-c", "import json, migration"], ["-c", child]):
        process = ChildProcess([sys.executable, *arguments], env, cwd=tmp_path, log=tmp_path / "log")
        assert process.process.wait(60) == 0, (tmp_path / "log").read_text()
    assert safe_python(env).get("PYTHONPATH") in (None, str(CODE_FOLDER))
