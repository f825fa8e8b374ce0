"""The row that was read to decide about a number's turn serves its step too, but only where nobody was there since."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from migration.engine.places import KnownPlace, Place, under_lease
from state.enums import Status
from state.rows import Lease
from tests.harness.engine_in_memory import EngineInMemory
from tests.harness.hand_made_number import NOW, POSITION

SEEN = replace(POSITION, status=Status.READY, fence=6, version=3, lease_holder=None, lease_until=None, worker_gone=True)
LEASE = Lease(SEEN.migration_id, "w:1:a", 7, NOW, NOW + timedelta(seconds=45), 3)


def test_it_is_the_row_as_the_lease_left_it() -> None:
    assert under_lease(SEEN, LEASE) == replace(
        SEEN, status=Status.RUNNING, fence=7, lease_holder="w:1:a", lease_until=LEASE.until, worker_gone=False
    )


@pytest.mark.parametrize("changed", [{"fence": 8}, {"version": 4}], ids=["another worker", "something arrived"])
def test_a_row_that_was_changed_since_is_read_again(changed: dict[str, Any]) -> None:
    assert under_lease(SEEN, replace(LEASE, **changed)) is None


def test_nothing_was_seen() -> None:
    assert under_lease(None, LEASE) is None


async def test_a_row_that_this_release_does_not_understand_is_the_steps_to_report() -> None:
    engine = EngineInMemory("register")
    engine.row.update(itinerary="NONE")
    assert await engine.executor.look(1) == KnownPlace(Place.BEFORE_GATE, serves_still=False)
