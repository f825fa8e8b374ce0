"""A client that dies while its number is held or waits is noticed, by whatever runs and at a bounded rate."""

from collections import Counter
from datetime import timedelta

from migration.app import App
from migration.cli.status import fleet_document, read_fleet
from migration.operations.service_wording import finding_text
from migration.waves.loop import NumberSelection, WaveLoop
from migration.waves.watch import Look, Watch, look_at_standing
from state.enums import Side, Status
from state.rows import Position
from state.service import service_of_row
from tests.harness.in_process import Harness, MakeHarness


async def _held(harness: Harness, app: App) -> Position:
    (position,) = await harness.import_numbers(app, hook="senders")
    await app.ledger.operator_changes.hold(position.migration_id, True, "tester")
    await harness.run_number(app, position.ref)
    position = await app.queries.positions.get(position.migration_id)
    assert (position.status, position.side) == (Status.HELD, Side.ON_PREMISES)
    return position


def _client_dies(harness: Harness, position: Position) -> None:
    assert position.instance is not None
    harness.sandbox.stop_instance(str(harness.sandbox_number(position).instance_id))


async def test_a_client_that_dies_while_its_number_is_held_is_found(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await _held(harness, app)
        harness.clock.advance(61)
        assert set((await look_at_standing(app)).values()) == {Look.READ}
        served = harness.clock.now()
        harness.clock.advance(5)
        _client_dies(harness, position)
        harness.clock.advance(60)
        assert set((await look_at_standing(app)).values()) == {Look.STOPPED}
        found = await app.queries.positions.get(position.migration_id)
        events = await app.queries.records.events(position.migration_id)
        (row,) = fleet_document(await read_fleet(app.queries, None), show_numbers=False)["numbers"]
        again = await look_at_standing(app)
    assert (found.served_at, found.dark_from, found.side) == (served, harness.clock.now(), Side.ON_PREMISES)
    assert (row["side"], row["dark_at_most_s"], row["dark_by_us"]) == ("neither", 65.0, False)
    assert "its client stopped serving, not by us" in str(row["finding"])
    assert (events[-1].kind, again) == ("stopped_serving", {})


async def test_a_client_that_comes_back_ends_the_outage(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await _held(harness, app)
        _client_dies(harness, position)
        harness.clock.advance(61)
        assert set((await look_at_standing(app)).values()) == {Look.STOPPED}
        harness.sandbox.start_instance(str(harness.sandbox_number(position).instance_id))
        harness.clock.advance(61)
        assert set((await look_at_standing(app)).values()) == {Look.READ}
        after = await app.queries.positions.get(position.migration_id)
        events = await app.queries.records.events(position.migration_id)
        truly = harness.sandbox_number(position).outage_s
    assert (after.dark_from, finding_text(after), events[-1].kind) == (None, None, "serves_again")
    assert truly is not None
    assert (after.outage_at_least or 0.0) - 1 <= truly <= (after.outage_seconds or 0.0) + 1


async def test_a_number_that_serves_is_asked_once_a_minute_and_costs_no_call_of_graph(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await _held(harness, app)
        harness.clock.advance(61)
        before = len(harness.sandbox.world.log)
        for _ in range(6):
            await look_at_standing(app)
            harness.clock.advance(10)
        sides = Counter(call.side for call in harness.sandbox.world.log.since(before))
    assert sides["graph"] == 0
    assert 1 <= sides["onprem"] <= 3


async def test_whatever_runs_looks_and_writes_nothing_over_a_newer_reading(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        position = await _held(harness, app)
        _client_dies(harness, position)
        harness.clock.advance(61)
        stale = await app.queries.positions.get(position.migration_id)
        watch = Watch(app)
        watch.begin_pass(None, lambda _: True)
        await watch.finish()
        found = await app.queries.positions.get(position.migration_id)
        assert found.dark_from is not None
        assert not await app.ledger.service.record(stale, service_of_row(found))


async def test_a_loop_has_the_numbers_looked_at_that_it_does_not_move(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy", "healthy"])
    async with harness.worker() as app:
        first, second = await harness.import_numbers(app, hook="senders")
        await app.ledger.operator_changes.hold(first.migration_id, True, "tester")
        _client_dies(harness, first)
        harness.clock.advance(61)
        loop = WaveLoop(app, app.runner.run_one, concurrency=2, patience=timedelta())
        await loop.run(NumberSelection(only={first.migration_id, second.migration_id}))
        harness.clock.advance(11)
        await loop.run(NumberSelection(only={first.migration_id, second.migration_id}))
        held = await app.queries.positions.get(first.migration_id)
    assert (held.dark_by_us, finding_text(held) is not None) == (False, True)


async def test_a_number_that_nobody_can_read_costs_few_calls_of_graph(make_harness: MakeHarness) -> None:
    """Its client refuses the connection, and Graph shows it connected for an hour."""
    harness = await make_harness(kinds=["healthy"], switches={"read_lag_s": 100_000})
    async with harness.worker() as app:
        position = await _held(harness, app)
        _client_dies(harness, position)
        before = len(harness.sandbox.world.log)
        for _ in range(60):
            harness.clock.advance(60)
            await look_at_standing(app)
        graph = [call for call in harness.sandbox.world.log.since(before) if call.side == "graph"]
    assert 6 <= len(graph) <= 10
