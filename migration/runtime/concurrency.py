"""Waiting for several coroutines."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def gather_all(work: Iterable[Awaitable[T]]) -> tuple[T, ...]:
    """Their results, in their order. Raises the first error after all of them have ended.

    `asyncio.gather` alone raises at once and leaves the others running; they then query a database that is closed.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return tuple(result for result in results if not isinstance(result, BaseException))
