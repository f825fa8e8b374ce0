"""Two rows of an inventory have the addresses of their clients exchanged; neither number is moved by the other's."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from migration.engine.itineraries import ItineraryName
from migration.fleet.importing import import_fleet
from state.enums import Side
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.partner_files import write_inventory


def stop(client: Any, _: Harness) -> None:
    client.host = "stopped"


def expire(client: Any, harness: Harness) -> None:
    client.expires_at = harness.sandbox.world.now() - timedelta(days=1)


def wait(client: Any, harness: Harness) -> None:
    client.connects_until = harness.sandbox.world.now() + timedelta(days=1)


def unregister(client: Any, _: Harness) -> None:
    client.registered = False


STATES: dict[str, Callable[[Any, Harness], None]] = {
    "it serves": lambda client, harness: None,
    "stopped": stop,
    "expired": expire,
    "waiting": wait,
    "unregistered": unregister,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("itinerary", ["", ItineraryName.CODE_AFTER])
async def test_a_number_whose_row_has_another_s_client_goes_on_serving(
    make_harness: MakeHarness, state: str, itinerary: str
) -> None:
    harness = await make_harness(kinds=["healthy", "healthy"])
    rows = [dict(row) for row in harness.sandbox.manifest("http://sandbox.localhost")["numbers"]]
    for column in ("onprem_url", "username", "password"):
        rows[0][column], rows[1][column] = rows[1][column], rows[0][column]
    path = harness.folder / "exchanged.csv"
    write_inventory(path, rows, {"itinerary": itinerary})
    world = harness.sandbox.world
    first, second = world.numbers[rows[0]["e164"]], world.numbers[rows[1]["e164"]]
    STATES[state](world.instance_of(second), harness)
    async with harness.worker() as app:
        await import_fleet(app, path, "tester", lambda done, of: None)
        for position in await app.queries.positions.board():
            if position.e164 == first.e164:
                assert position.dark_since is None
                outcome = await harness.run_number(app, position.ref)
                after = await app.queries.positions.get(position.migration_id)
                assert after.side in (Side.UNKNOWN, Side.ON_PREMISES), f"{outcome}"
                assert after.dark_since is None
    assert (first.side, first.registered) == ("on_premises", 0)
