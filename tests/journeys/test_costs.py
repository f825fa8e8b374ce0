"""What a number costs, counted: statements, commits and calls from its first step to its end. It may only shrink.

Four calls of each snapshot read what `cutover parity` compares with (two at the client, two that the numbers of a WABA
share); two statements keep the picture, and where it was lost three calls and four statements put it back.
Where senders are paused, a second look at the client's queue, two seconds later, is one call and two commits.

A statement is a round trip to PostgreSQL; a commit waits for the disk. Whoever makes a number cheaper lowers the table.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event

from migration.app import App
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from tests.harness.in_process import MakeHarness
from tests.harness.scenarios import BACK, SCENARIOS


@dataclass(frozen=True)
class Cost:
    statements: int
    commits: int
    calls: int  # of both APIs and of the senders' hook
    rollbacks: int  # of writes that were refused, on PostgreSQL; a read is no transaction


COSTS = {
    "open, with backup": Cost(143, 27, 39, 2),
    "closing, code first": Cost(217, 42, 54, 3),
    "closing, code after": Cost(220, 43, 56, 3),
    "closing, dark": Cost(168, 27, 18, 3),
    "closing, onboard": Cost(81, 15, 11, 1),
    "open, back by code": Cost(173, 32, 39, 1),
}


class Counted:
    """Counts what the worker's engine does from now on."""

    def __init__(self, app: App) -> None:
        self.counts: Counter[str] = Counter()
        engine = app.database.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *_: self.counts.update(["statements"]))
        event.listen(engine, "commit", lambda _: self.counts.update(["commits"]))
        event.listen(engine, "rollback", self._rollback)

    def _rollback(self, connection: Any) -> None:
        """A read on SQLite is no transaction; on PostgreSQL the driver says whether one was begun."""
        driver = connection.connection.driver_connection
        begun = driver.raw.in_transaction if hasattr(driver, "raw") else driver.is_in_transaction()
        self.counts.update(["rollbacks"] if begun else [])


@pytest.mark.parametrize("name", COSTS)
async def test_a_number_costs_no_more_than_the_table_says(make_harness: MakeHarness, name: str) -> None:
    scenario, allowed = SCENARIOS[name], COSTS[name]
    harness = await make_harness(kinds=[scenario.kind], world=scenario.world, switches=scenario.switches)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **scenario.columns)
        if scenario.after == BACK:
            await harness.run_number(app, position.ref)
            position = await back_to_onprem(app, await read_rollback_assessment(app, position.ref), "tester")
        counted, before = Counted(app), len(harness.sandbox.world.calls)
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.get(position.migration_id)).ended_at is not None
        counts = counted.counts
        cost = Cost(
            counts["statements"], counts["commits"], len(harness.sandbox.world.calls) - before, counts["rollbacks"]
        )
    assert cost.statements <= allowed.statements, cost
    assert cost.commits <= allowed.commits, cost
    assert cost.calls <= allowed.calls, cost
    assert cost.rollbacks <= allowed.rollbacks, cost
