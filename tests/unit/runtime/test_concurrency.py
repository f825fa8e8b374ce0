"""`gather_all`: results in order, and every task has ended when it returns or raises."""

import asyncio

import pytest

from migration.runtime.concurrency import gather_all


async def test_results_are_in_the_order_of_the_coroutines() -> None:
    async def return_later(value: int) -> int:
        await asyncio.sleep(0)
        return value

    assert await gather_all(return_later(value) for value in (3, 1, 2)) == (3, 1, 2)


async def test_every_coroutine_has_ended_when_an_error_is_raised() -> None:
    ended: list[int] = []

    async def end_after(rounds: int) -> None:
        for _ in range(rounds * 3):
            await asyncio.sleep(0)
        ended.append(rounds)
        if rounds == 0:
            raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        await gather_all(end_after(rounds) for rounds in range(4))
    assert ended == [0, 1, 2, 3]
