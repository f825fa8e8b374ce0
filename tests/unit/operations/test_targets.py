"""What a name on the command line stands for."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from migration.app import App
from migration.operations.targets import find_target
from state.errors import NotFound, NotMigrated
from state.rows import Position, WaveRow
from tests.harness.positions import make_position, make_wave


def app_with(number: Position | Exception) -> App:
    """An App whose database has the wave `north` and finds `number`, or raises it."""

    async def waves() -> tuple[WaveRow, ...]:
        return (make_wave(),)

    async def find(name: str) -> Position:
        if isinstance(number, Exception):
            raise number
        return number

    queries: Any = SimpleNamespace(waves=SimpleNamespace(all=waves), positions=SimpleNamespace(find=find))
    return cast("App", SimpleNamespace(queries=queries))


async def test_a_wave_comes_before_a_number() -> None:
    assert await find_target(app_with(make_position()), "north") == make_wave()


async def test_any_other_name_is_a_number() -> None:
    assert await find_target(app_with(make_position()), "n-1") == make_position()


async def test_a_name_that_is_neither_is_reported_as_both() -> None:
    with pytest.raises(NotFound, match="there is no wave and no number south") as raised:
        await find_target(app_with(NotFound("any text")), "south")
    assert not isinstance(raised.value, NotMigrated)


async def test_a_number_without_a_migration_keeps_its_own_message() -> None:
    with pytest.raises(NotMigrated, match=r"^N-0003 has no such number in its message$"):
        await find_target(app_with(NotMigrated("N-0003 has no such number in its message")), "N-0003")
