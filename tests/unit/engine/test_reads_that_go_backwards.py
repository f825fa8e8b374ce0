"""A stale replica answers at any step of any itinerary: what cannot move the number takes no side away from it."""

from typing import Any

import pytest
from pydantic import SecretStr

from migration.clients.graph_models import Health, Profile, StorageSettings
from migration.clients.onprem_parsing import CallbackQueue
from migration.clients.traffic_hooks import HookDone
from migration.engine.itineraries import ITINERARIES
from migration.steps.outcomes import Blocked, Waiting
from state.enums import Side
from state.ledger import changes as c
from tests.harness.engine_in_memory import SECRETS, EngineInMemory
from tests.harness.fake_clients import FakeGraph, FakeHooks, FakeOnPrem
from tests.harness.hand_made_number import DISCONNECTED, ON_CLOUD, ON_PREMISE, REFUSED, REGISTERED_NOWHERE

STALE = [REGISTERED_NOWHERE, ON_CLOUD, ON_PREMISE, DISCONNECTED, ON_CLOUD, REGISTERED_NOWHERE]
PLACES = [
    pytest.param(name, entry.name, id=f"{name}-{entry.name}")
    for name, itinerary in ITINERARIES.items()
    for entry in itinerary.steps
    if not entry.changes_side
]


def engine_at(itinerary: str, step: str) -> EngineInMemory:
    graph: dict[str, Any] = {
        "number": list(STALE),
        "settings": StorageSettings.model_validate({}),
        "subscribed_apps": (),
        "profile": Profile(),
        "health": Health(messaging="AVAILABLE", why=""),
        "certificate": "cert",
    }
    onprem: dict[str, Any] = {"reading": REFUSED, "backup": SecretStr("blob"), "callback_queue": CallbackQueue(0)}
    onprem["request_code"] = False
    return EngineInMemory(
        step,
        itinerary,
        graph=FakeGraph(**graph),
        onprem=FakeOnPrem(**onprem),
        hooks=FakeHooks(announce=HookDone()),
        secrets=SECRETS,
        code="905417",
        side=Side.CLOUD,
    )


@pytest.mark.parametrize(("itinerary", "step"), PLACES)
async def test_a_number_on_cloud_is_never_said_to_be_elsewhere(itinerary: str, step: str) -> None:
    engine = engine_at(itinerary, step)
    for _ in range(6):
        outcome = await engine.run()
        if not isinstance(outcome, Waiting):
            break
        engine.clock.advance(max((outcome.until - engine.now()).total_seconds(), 0.0))
        engine.find_all_inputs()
    assert not (isinstance(outcome, Blocked) and "internal error" in outcome.reason), outcome
    sides = [change.side for move in engine.row.moves for change in move.changes if isinstance(change, c.SideRead)]
    assert set(sides) <= {Side.CLOUD}
    assert engine.row.position.side is Side.CLOUD
    assert "register" not in engine.graph.script.names()
