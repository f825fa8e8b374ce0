"""Waiting for several coroutines."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import NoReturn, TypeVar

T = TypeVar("T")
U = TypeVar("U")


async def gather_all(work: Iterable[Awaitable[T]]) -> tuple[T, ...]:
    """Their results, in their order. Raises the first error after all of them have ended.

    `asyncio.gather` alone raises at once and leaves the others running; they then query a database that is closed.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return tuple(result for result in results if not isinstance(result, BaseException))


async def both_of(first: Awaitable[T], second: Awaitable[U]) -> tuple[T, U]:
    """The results of both, which run side by side. Raises the first's error before the second's, once both have ended.

    Where the caller is cancelled, both are.
    """
    one, other = asyncio.ensure_future(_kept(first)), asyncio.ensure_future(_kept(second))
    try:
        await asyncio.wait((one, other))
    except asyncio.CancelledError:
        one.cancel()
        other.cancel()
        await asyncio.wait((one, other))
        raise
    return one.result()(), other.result()()


async def _kept(work: Awaitable[T]) -> Callable[[], T]:
    """Its result or its error. A KeyboardInterrupt that left a task would end the whole loop and not its caller."""
    try:
        result = await work
    except BaseException as exc:  # noqa: BLE001 -- its caller raises it
        return partial(_raise, exc)
    return lambda: result


def _raise(exc: BaseException) -> NoReturn:
    raise exc
