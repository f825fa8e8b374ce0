"""Everything that a child started ends with it, wherever it went."""

import os
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from migration.runtime.process_tree import Child, marked

# A parent that starts a grandchild in a session of its own, and tells its pid in a file.
STORY = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep({lives})
"""


@pytest.fixture
def started() -> Iterator[Callable[[float], Child]]:
    children: list[Child] = []

    def start(lives: float) -> Child:
        child = Child([sys.executable, "-c", STORY.format(lives=lives)], os.environ)
        children.append(child)
        until = time.monotonic() + 20
        while len(marked(child.mark)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        return child

    yield start
    for child in children:
        child.kill()


def test_a_grandchild_in_another_session_is_family(started: Callable[[float], Child]) -> None:
    assert len(started(600).family()) == 2


def test_killing_takes_all(started: Callable[[float], Child]) -> None:
    child = started(600)
    child.kill()
    assert marked(child.mark) == set()


def test_a_grandchild_that_outlives_its_parent_is_ended(started: Callable[[float], Child]) -> None:
    child = started(0.5)
    child.process.wait(20)
    assert len(child.family()) == 1
    child.end()
    assert child.family() == set()


def test_another_familys_children_are_left_alone(started: Callable[[float], Child]) -> None:
    one, other = started(600), started(600)
    one.kill()
    assert len(other.family()) == 2


def test_a_mark_that_begins_like_another_is_another() -> None:
    from migration.runtime.process_tree import _carries

    assert _carries("A=1\0CUTOVER_FAMILY=/ab/cd\0B=2", "/ab")
    assert _carries("A=1\0CUTOVER_FAMILY=/ab\0B=2", "/ab")
    assert not _carries("A=1\0CUTOVER_FAMILY=/abc\0B=2", "/ab")
