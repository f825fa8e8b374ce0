"""Several coroutines at once."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def gather_all(work: Iterable[Awaitable[T]]) -> tuple[T, ...]:
    """What each gave, in their order. All come to their end before an error of one is raised: with `gather` alone
    the others would go on, and ask a database that is closed by then."""
    told = await asyncio.gather(*work, return_exceptions=True)
    for one in told:
        if isinstance(one, BaseException):
            raise one
    return tuple(one for one in told if not isinstance(one, BaseException))
