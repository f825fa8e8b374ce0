"""Who writes next on SQLite: numbers past their gate before all others, and nobody waits for ever."""

import asyncio

from state.sqlite_driver import FIRST_IN_A_ROW, TRY_AGAIN_S, TURNS_IN_A_ROW, SqliteFile, WriterQueue


async def turns(waiting: str) -> str:
    """The order in which writers that all wait have their turns. `f` goes first, `o` does not."""
    queue, had = WriterQueue(), list[str]()

    async def write(kind: str) -> None:
        await queue.acquire(first=kind == "f")
        had.append(kind)
        queue.release()

    await queue.acquire(first=False)
    writers = [asyncio.ensure_future(write(kind)) for kind in waiting]
    await asyncio.sleep(0)
    queue.release()
    await asyncio.gather(*writers)
    return "".join(had)


async def test_those_that_go_first_do() -> None:
    assert await turns("oofof") == "ffooo"


async def test_others_have_a_turn_after_some_of_them() -> None:
    in_a_row = "f" * FIRST_IN_A_ROW
    assert await turns("oo" + 2 * in_a_row) == f"{in_a_row}o{in_a_row}o"


async def test_a_writer_that_gave_up_keeps_nobody_waiting() -> None:
    queue = WriterQueue()
    await queue.acquire(first=False)
    gone, next_one = (asyncio.ensure_future(queue.acquire(first=True)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    queue.release()
    await next_one
    queue.release()
    await queue.acquire(first=False)


async def test_a_turn_that_was_given_to_a_writer_that_is_gone_goes_on() -> None:
    queue = WriterQueue()
    await queue.acquire(first=False)
    gone, next_one = (asyncio.ensure_future(queue.acquire(first=True)) for _ in range(2))
    await asyncio.sleep(0)
    queue.release()  # to the first of the two,
    gone.cancel()  # which is gone before it runs
    await asyncio.wait_for(next_one, 5)


async def test_a_process_leaves_the_lock_to_another_one_that_writes_too() -> None:
    file, loop = SqliteFile(5.0), asyncio.get_running_loop()

    async def slowest() -> float:
        took = []
        for _ in range(2 * TURNS_IN_A_ROW):
            began = loop.time()
            await file.leave_to_others()
            took.append(loop.time() - began)
        return max(took)

    assert await slowest() < TRY_AGAIN_S  # alone, it waits for nobody
    file.note_busy()
    assert await slowest() >= 2 * TRY_AGAIN_S * 0.9
