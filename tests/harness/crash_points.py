"""Every place where a worker can be killed, dealt out in lanes; and the killing of one."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from migration.app import App
from tests.harness.in_process import Killed, Rig, Scythe

LANES = 6
KILLS = ("at_commit", "before_send", "after_send")


def lanes() -> list[Any]:
    """Cases of (kind of database, lane). On SQLite the first is for every day and the others for `make test-slow`; on
    PostgreSQL, where a story costs more, the first is for `make test-slow` and the others for `make crash`."""
    found = []
    for lane in range(LANES):
        marks = [pytest.mark.slow] if lane else []
        found.append(pytest.param("sqlite", lane, id=f"sqlite-{lane}", marks=marks))
    for lane in range(LANES):
        marks = [pytest.mark.postgres, pytest.mark.crash if lane else pytest.mark.slow]
        found.append(pytest.param("postgresql", lane, id=f"postgresql-{lane}", marks=marks))
    return found


async def at_every(lane: int, told: Callable[[int], Awaitable[bool]], *, of: int = LANES) -> None:
    """Tell a story with a kill at each place of the lane, until it says that there was no such place."""
    nth = lane + 1
    while await told(nth):
        nth += of


async def struck(rig: Rig, kill: str, nth: int, act: Callable[[App], Awaitable[object]]) -> bool:
    """Let a worker act until it is killed. False when it came to its end: there was no nth place."""
    rig.scythe = Scythe.out(kill, nth)
    try:
        async with rig.worker() as app:
            await act(app)
    except Killed:
        pass
    there_was, rig.scythe = rig.scythe.struck, Scythe()
    return there_was
