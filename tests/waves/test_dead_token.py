"""A wave with the credentials of two partners: when one token dies, the other partner's numbers continue."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from migration.app import App
from migration.fleet.importing import import_fleet
from migration.operations.profile_renewal import renew_profile
from migration.operations.waves import begin_wave
from migration.settings import Settings
from migration.vault.sealing import new_master_key
from migration.waves.loop import NumberSelection, WaveLoop
from sandbox.app import Sandbox
from sandbox.calls import Call
from sandbox.scenarios.scenario_file import parse_scenario
from state.enums import Side, Status, WaveState
from state.rows import Position
from tests.harness.clock import START, FakeClock
from tests.harness.in_process import Harness
from tests.harness.partner_files import write_home, write_inventory

WAVE = "night"
EACH = 6
TWO_PARTNERS = f"""
world: closing
seed: 71
switches: {{read_lag_s: 2, register_seconds: 1}}
businesses: [{{name: north}}, {{name: south}}]
numbers:
  - {{kind: healthy, count: {EACH}, business: north}}
  - {{kind: healthy, count: {EACH}, business: south}}
"""
# The harness's own profile is the first partner's.
PROFILES = {"north": "main", "south": "south"}
SOUTH = """
[profiles.south]
app_id = "{app_id}"
token = {{ file = "south.token" }}
app_secret = {{ file = "south.secret" }}
"""
SOON = timedelta(seconds=30)


def build_two_partners(folder: Path, database_url: str) -> Harness:
    clock = FakeClock(START)
    sandbox = Sandbox.from_scenario(parse_scenario(TWO_PARTNERS), clock.now)
    manifest = sandbox.manifest("http://sandbox.localhost")
    write_home(folder, manifest)
    south = business(sandbox, "south")
    (folder / "south.token").write_text(south["token"])
    (folder / "south.secret").write_text(south["app_secret"])
    with (folder / "cutover.toml").open("a") as admin:
        admin.write(SOUTH.format(**south))
    settings = Settings(
        home=folder, database_url=database_url, master_key=new_master_key(), graph_url="http://sandbox.localhost"
    )
    return Harness(sandbox, clock, settings, folder)


def business(sandbox: Sandbox, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = next(row for row in sandbox.manifest()["businesses"] if row["name"] == name)
    return entry


def numbers_of(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    wabas = {row["waba_id"] for row in business(sandbox, name)["wabas"]}
    return [row for row in sandbox.manifest("http://sandbox.localhost")["numbers"] if row["waba_id"] in wabas]


async def import_alternately(harness: Harness, app: App) -> dict[str, list[Position]]:
    """Import both partners' numbers into one wave, alternately: a wave moves numbers in the order of their import."""
    path = harness.folder / "fleet.csv"
    for pair in zip(*(numbers_of(harness.sandbox, name) for name in PROFILES), strict=True):
        for number, profile in zip(pair, PROFILES.values(), strict=True):
            write_inventory(path, [number], {"profile": profile, "wave": WAVE, "hook": "senders"})
            await import_fleet(app, path, "tester", lambda done, of: None)
    board = await app.queries.positions.board()
    return {name: [position for position in board if position.profile == profile] for name, profile in PROFILES.items()}


async def current(app: App, numbers: Sequence[Position]) -> list[Position]:
    return [await app.queries.positions.get(position.migration_id) for position in numbers]


def registers(harness: Harness, numbers: Sequence[Position]) -> list[int]:
    """How many had their effect. One more may be sent in the moment in which the token is revoked, and be refused."""
    calls = Counter(call.e164 for call in harness.sandbox.world.calls if call.call == "register" and call.effect)
    return [calls[position.e164] for position in numbers]


@pytest.mark.parametrize("at_once", [1, 3])
async def test_a_dead_token_stops_only_the_numbers_of_its_profile(
    tmp_path: Path, database_url: str, at_once: int
) -> None:
    harness = build_two_partners(tmp_path / "home", database_url)
    token = harness.sandbox.world.tokens[business(harness.sandbox, "north")["token"]]
    async with harness.worker() as app:
        board = await import_alternately(harness, app)
        assert {name: len(numbers) for name, numbers in board.items()} == {"north": EACH, "south": EACH}
        await begin_wave(app, WAVE)

        async def tick() -> None:
            """Revoke the token when some of its numbers are on Cloud and others are not."""
            token.revoked = token.revoked or sum(registers(harness, board["north"])) >= 2

        await WaveLoop(app, app.runner.run_one, concurrency=at_once, patience=SOON).run(
            NumberSelection(wave=WAVE), tick
        )
        north, south = await current(app, board["north"]), await current(app, board["south"])
        assert token.revoked
        assert {(position.side, position.status) for position in south} == {(Side.CLOUD, Status.DONE)}
        assert registers(harness, south) == [1] * EACH
        crossed = registers(harness, north)
        assert 2 <= sum(crossed) < EACH
        assert [harness.sandbox_number(position).side for position in north] == [
            "cloud" if sent else "on_premises" for sent in crossed
        ]
        assert {position.status for position in north} <= {Status.HELD, Status.DONE}
        assert (await app.queries.waves.get(WAVE)).state is WaveState.RUNNING
        # A number that runs at the same time may meet the refusal itself: with one call, which changes nothing.
        late = writes_after_its_190(harness, north)
        assert len(late) < at_once
        assert len({call.e164 for call in late}) == len(late)
        assert all(call.code == 190 and not call.effect for call in late)

        # With a new token the other numbers continue from their steps.
        token.revoked = False
        await renew_profile(app, "main")
        await WaveLoop(app, app.runner.run_one, concurrency=at_once, patience=SOON).run(NumberSelection(wave=WAVE))
        assert {position.side for position in await app.queries.positions.board()} == {Side.CLOUD}
        assert (await app.queries.waves.get(WAVE)).state is WaveState.DONE
    assert registers(harness, north) == [1] * EACH


def writes_after_its_190(harness: Harness, numbers: Sequence[Position]) -> list[Call]:
    """Writes to Graph for these numbers that were sent after Graph had refused their token."""
    e164s = {position.e164 for position in numbers}
    calls = [call for call in harness.sandbox.world.calls if call.e164 in e164s and call.side == "graph"]
    refused = next(call.seq for call in calls if call.code == 190)
    return [call for call in calls if call.write and call.seq > refused]
