"""Waiting for something that another process does: asked for again and again, up to a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_S = 0.1


async def wait_for(read: Callable[[], Awaitable[T | None]], description: str, *, within_s: float) -> T:
    """The first result of `read` that is not None or False. Raises AssertionError after `within_s` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        result = await read()
        if result is not None and result is not False:
            return result
        if loop.time() >= deadline:
            raise AssertionError(f"{description}: not within {within_s} s")
        await asyncio.sleep(PAUSE_S)
