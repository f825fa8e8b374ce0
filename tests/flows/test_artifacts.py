"""The artifacts that Prefect shows of a wave while it runs and at its end, also when another run has part of it."""

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
from state.queries.positions import WaveProgress
from state.rows import Position
from tests.flows.marks import FLOWS_IN_THIS_PROCESS
from tests.flows.test_flows import artifact
from tests.harness.flow_environment import FlowEnvironment

pytestmark = FLOWS_IN_THIS_PROCESS

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Board = Sequence[Position]


class Wave:
    """The queries of a wave: gives the boards in order and repeats the last one. None never answers."""

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

    async def progress(self, *, wave: str) -> WaveProgress:
        board = await self.board(wave=wave)
        return WaveProgress(len(board), sum(row.ended_at is not None for row in board), {})


async def in_a_flow(coroutine_function: Callable[[], Awaitable[Any]]) -> None:
    """Run it inside a flow, because an artifact belongs to a flow run."""

    @flow(name="around", retries=0)
    async def around() -> None:
        await coroutine_function()

    await around()


async def import_two_numbers(environment: FlowEnvironment) -> list[Position]:
    await environment.start_and_import("--numbers", "2", wave="")
    return list(await environment.positions())


def ended(position: Position) -> Position:
    return replace(position, status=Status.DONE, side=Side.CLOUD, next_step=None, ended_at=NOW, lease_holder=None)


@pytest.mark.slow
async def test_progress_is_written_while_numbers_move(environment: FlowEnvironment) -> None:
    position, other = await import_two_numbers(environment)

    async def work() -> None:
        async with WaveArtifacts(Wave([ended(position), other]), "night", 901) as artifacts:  # type: ignore[arg-type]
            await artifacts.update_progress()
            assert artifacts._writing is not None
            await artifacts._writing

    await in_a_flow(work)
    assert (await artifact("wave-901")).data == 50


async def test_numbers_do_not_wait_for_an_artifact() -> None:
    async with asyncio.timeout(5), WaveArtifacts(Wave(None), "night", 902) as artifacts:  # type: ignore[arg-type]
        await artifacts.update_progress()
        await artifacts.update_progress()


async def test_the_last_table_shows_the_final_state(environment: FlowEnvironment) -> None:
    """Another run ended and wrote its table after this run read the wave and before it wrote its own."""
    position, other = await import_two_numbers(environment)
    before, after = [ended(position), other], [ended(position), ended(other)]

    async def work() -> None:
        async with WaveArtifacts(Wave(before, after), "night", 903) as artifacts:  # type: ignore[arg-type]
            assert list(await artifacts.finish()) == after

    await in_a_flow(work)
    assert [row["status"] for row in json.loads((await artifact("wave-903-table")).data)] == ["done", "done"]
    assert (await artifact("wave-903")).data == 100


async def test_a_table_is_written_once_while_another_run_continues(environment: FlowEnvironment) -> None:
    """The other run writes the table again at its own end."""
    position, other = await import_two_numbers(environment)
    moving = [replace(other, next_step=step, lease_holder="another") for step in ("drain", "register", "confirm")]

    async def work() -> None:
        reads = [[ended(position), unfinished] for unfinished in moving]
        async with WaveArtifacts(Wave(*reads), "night", 904) as artifacts:  # type: ignore[arg-type]
            assert list(await artifacts.finish()) == reads[1]

    await in_a_flow(work)
