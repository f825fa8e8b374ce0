"""Whole numbers from import to their end: what the other side saw, in order."""

from typing import Any

import pytest

from migration.step import Advanced
from state.sides import Side, Status
from tests.conftest import MakeRig

STORIES: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "WITH_BACKUP": (
        {"kinds": ["healthy"]},
        "WITH_BACKUP",
        ["onprem.two_step", "onprem.backup", "subscribe", "onprem.two_step", "register", "messages", "stop"],
    ),
}


@pytest.mark.parametrize("story", STORIES)
async def test_calls_in_order(rig: MakeRig, story: str) -> None:
    how, itinerary, expected = STORIES[story]
    told = await rig(**how)
    async with told.worker() as app:
        (at,) = await told.imported(app)
        assert at.itinerary == itinerary
        outcome = await told.drive(app, at.ref)
        assert outcome == Advanced(outcome.step, ended=True), outcome
        at = await app.queries.position(at.migration_id)
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE)
        assert await app.queries.broken_link(at.migration_id) is None
    number = told.number(at)
    assert (number.platform, number.registered, number.double_effects) == ("CLOUD_API", 1, 0)
    assert told.mutations(at) == expected
