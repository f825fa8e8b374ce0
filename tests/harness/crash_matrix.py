"""Cases that kill a worker at every commit and every send, divided into lanes."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from migration.app import App
from tests.harness.crash_point import CrashPoint, Killed
from tests.harness.in_process import Harness

LANES = 6
KILLED = "a worker was killed %s"  # logged once for each kill; the summary of the tests counts them
_log = logging.getLogger("tests.crash_matrix")
CRASH_KINDS = ("at_commit", "before_send", "after_send")


def lane_cases() -> list[Any]:
    """Cases of (kind of database, lane).

    On SQLite the first lane runs in `make test` and the others in `make test-slow`. On PostgreSQL, where a case costs
    more, the first lane runs in `make test-slow` and the others in `make crash`.
    """
    cases = []
    for lane in range(LANES):
        marks = [pytest.mark.slow] if lane else []
        cases.append(pytest.param("sqlite", lane, id=f"sqlite-{lane}", marks=marks))
    for lane in range(LANES):
        marks = [pytest.mark.postgres, pytest.mark.crash if lane else pytest.mark.slow]
        cases.append(pytest.param("postgresql", lane, id=f"postgresql-{lane}", marks=marks))
    return cases


async def for_each_crash_point(lane: int, run_case: Callable[[int], Awaitable[bool]], *, step: int = LANES) -> None:
    """Call `run_case(n)` for n = lane + 1, lane + 1 + step, ..., until it returns False: there was no nth place."""
    nth = lane + 1
    while await run_case(nth):
        nth += step


async def run_until_crash(harness: Harness, kind: str, nth: int, act: Callable[[App], Awaitable[object]]) -> bool:
    """Let a worker run `act` until it is killed. False when it finished: there was no nth place."""
    harness.crash_point = CrashPoint.at(kind, nth)
    try:
        async with harness.worker() as app:
            await act(app)
    except Killed:
        _log.info(KILLED, kind)
    reached, harness.crash_point = harness.crash_point.reached, CrashPoint()
    return reached
