"""What Prefect shows of a wave: one progress artifact and one table, over all of it, whichever of its runs writes."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from prefect import get_client
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey

from migration.app import App
from migration.operations.wording import current_status, next_command, number_label, outage_text

PROGRESS_EVERY_S = 5.0


class WaveArtifacts:
    """Both are named by the wave's id: a name may hold anything, and two waves' names may come to the same key.

    They are pictures: a Prefect server that is lost in the middle must not keep a number from its next step.
    """

    def __init__(self, app: App, wave: str, wave_id: int) -> None:
        self._app = app
        self._wave = wave
        self._key = f"wave-{wave_id}"
        self._drawing: asyncio.Task[None] | None = None
        self._drawn = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._put_down()

    async def update_progress(self) -> None:
        """The progress, now and then. Not waited for: Prefect's client tries a lost server again for a minute."""
        busy = self._drawing is not None and not self._drawing.done()
        if busy or time.monotonic() - self._drawn < PROGRESS_EVERY_S:
            return
        self._drawn = time.monotonic()
        self._drawing = asyncio.create_task(self._draw())

    async def finish(self) -> Sequence[Any]:
        """The table of all numbers as they stand. Every run that ends writes it, so the last one's is the true one.

        Returns the numbers.
        """
        await self._put_down()
        while True:
            board = await self._board()
            with suppress(Exception):
                await self._show(board)
            await self._table(board)
            again = await self._board()
            # Another run may have ended, and written, between our reading and our writing: ours would hide its truth.
            if _stand(again) == _stand(board) or any(at.lease_holder is not None for at in again):
                return again

    async def _put_down(self) -> None:
        if self._drawing is not None:
            self._drawing.cancel()
            await asyncio.gather(self._drawing, return_exceptions=True)

    async def _draw(self) -> None:
        with suppress(Exception):
            await self._show(await self._board())

    async def _board(self) -> Sequence[Any]:
        return await self._app.queries.positions.board(wave=self._wave)

    async def _show(self, board: Sequence[Any]) -> None:
        ended = sum(1 for at in board if at.ended_at is not None)
        percent = 100.0 * ended / len(board) if board else 100.0
        about = f"wave {self._wave}: {ended} of {len(board)} numbers are at their end"
        async with get_client() as client:
            wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[self._key]))
            there = await client.read_latest_artifacts(artifact_filter=wanted)
        if there:  # another run's, or an earlier one's: the newest is what Prefect's pages show
            await aupdate_progress_artifact(there[0].latest_id, progress=percent, description=about)
        else:
            await acreate_progress_artifact(percent, key=self._key, description=about)

    async def _table(self, board: Sequence[Any]) -> None:
        now = await self._app.queries.now()
        rows = [
            {
                "number": number_label(at),
                "itinerary": at.itinerary,
                "side": at.side.value,
                "status": current_status(at, now).value,
                "outage": outage_text(at, now),
                "why": at.reason or "",
                "next command": next_command(at, now),
            }
            for at in board
        ]
        await acreate_table_artifact(rows, key=f"{self._key}-table", description=f"how wave {self._wave} stands")


def _stand(board: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [(at.migration_id, at.next_step, at.status, at.side) for at in board]
