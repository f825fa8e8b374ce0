"""Work that is done at once ends together, also where a part of it fails."""

import asyncio

import pytest

from migration.runtime.concurrency import gather_all


async def test_what_each_gave_in_their_order() -> None:
    async def given(value: int) -> int:
        await asyncio.sleep(0)
        return value

    assert await gather_all(given(one) for one in (3, 1, 2)) == (3, 1, 2)


async def test_none_goes_on_after_the_error_of_another() -> None:
    ended: list[int] = []

    async def one(at: int) -> None:
        for _ in range(at * 3):
            await asyncio.sleep(0)
        ended.append(at)
        if at == 0:
            raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        await gather_all(one(at) for at in range(4))
    assert ended == [0, 1, 2, 3]
