"""What Prefect shows of a wave while it runs and when it ends, whoever else runs it and whatever becomes of Prefect."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import flow

from flows.artifacts import WaveArtifacts
from state.enums import Side, Status
from state.rows import Position
from tests.flows.test_flows import artifact
from tests.harness.flow_environment import FlowEnvironment

pytestmark = [
    pytest.mark.usefixtures("prefect_test_server", "collect_garbage"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Board = Sequence[Position]


class Wave:
    """The reads of a wave, one after the other; the last one stays. None is an answer that never comes."""

    def __init__(self, *boards: Board | None) -> None:
        self.queries = self.positions = self
        self._boards = list(boards)

    async def now(self) -> datetime:
        return NOW

    async def board(self, *, wave: str) -> Board:
        board = self._boards.pop(0) if len(self._boards) > 1 else self._boards[0]
        if board is None:
            await asyncio.Event().wait()
        assert board is not None
        return board


async def in_a_flow(work: Callable[[], Awaitable[Any]]) -> None:
    """Artifacts belong to a run."""

    @flow(name="around", retries=0)
    async def around() -> None:
        await work()

    await around()


async def two(environment: FlowEnvironment) -> list[Position]:
    await environment.start_and_import("--numbers", "2", wave="")
    return list(await environment.positions())


def ended(position: Position) -> Position:
    return replace(position, status=Status.DONE, side=Side.CLOUD, next_step=None, ended_at=NOW, lease_holder=None)


async def test_the_progress_is_drawn_while_numbers_move(environment: FlowEnvironment) -> None:
    position, other = await two(environment)

    async def work() -> None:
        async with WaveArtifacts(Wave([ended(position), other]), "night", 901) as shown:  # type: ignore[arg-type]
            await shown.update_progress()
            assert shown._writing is not None
            await shown._writing

    await in_a_flow(work)
    assert (await artifact("wave-901")).data == 50


async def test_numbers_do_not_wait_for_a_picture() -> None:
    async with asyncio.timeout(5), WaveArtifacts(Wave(None), "night", 902) as shown:  # type: ignore[arg-type]
        await shown.update_progress()
        await shown.update_progress()


async def test_the_last_table_is_the_true_one(environment: FlowEnvironment) -> None:
    """Another run ended, and wrote its table, between this one's reading and its writing."""
    position, other = await two(environment)
    before, after = [ended(position), other], [ended(position), ended(other)]

    async def work() -> None:
        async with WaveArtifacts(Wave(before, after), "night", 903) as shown:  # type: ignore[arg-type]
            assert list(await shown.finish()) == after

    await in_a_flow(work)
    assert [row["status"] for row in json.loads((await artifact("wave-903-table")).data)] == ["done", "done"]
    assert (await artifact("wave-903")).data == 100


async def test_a_table_is_written_once_while_another_run_goes_on(environment: FlowEnvironment) -> None:
    """That run will write the next one at its own end."""
    position, other = await two(environment)
    moving = [replace(other, next_step=step, lease_holder="another") for step in ("drain", "register", "confirm")]

    async def work() -> None:
        reads = [[ended(position), one] for one in moving]
        async with WaveArtifacts(Wave(*reads), "night", 904) as shown:  # type: ignore[arg-type]
            assert list(await shown.finish()) == reads[1]

    await in_a_flow(work)
