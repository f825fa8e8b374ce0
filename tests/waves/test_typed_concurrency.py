"""`cutover run WAVE --concurrency`: no more numbers are tried at once than the wave allows."""

import pytest

from migration.cli.run import _begin_wave
from migration.waves.loop import NumberSelection
from state.ledger.waves import NewWave
from tests.harness.in_process import MakeHarness


@pytest.mark.parametrize(("typed", "tried"), [(None, 2), (1, 1), (2, 2), (200, 2)])
async def test_what_is_typed_does_not_exceed_the_wave(make_harness: MakeHarness, typed: int | None, tried: int) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await app.ledger.waves.create(NewWave("night", concurrency=2), [position.migration_id])
        assert await _begin_wave(app, NumberSelection("night"), typed, as_json=True) == tried
