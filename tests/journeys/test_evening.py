"""A seeded evening of numbers that need a code: mistyped, late and lost codes lose no number and cross none."""

from pathlib import Path

import pytest

from bench.evening import evening, todays_way


@pytest.mark.slow
async def test_an_evening_loses_no_number_and_gives_no_code_to_another(tmp_path: Path) -> None:
    came = await evening(tmp_path, 24, seed=5)
    assert (came.on_cloud, came.crossed, came.failed_runs) == (24, 0, 0), came
    assert came.first_code >= 18
    assert came.per_operator_hour() > todays_way(24, seed=5).per_operator_hour()
