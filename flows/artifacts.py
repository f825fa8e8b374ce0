"""What Prefect shows of a wave: a progress artifact and a table. All runs of a wave write the same two artifacts."""

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
from migration.operations.proof_wording import proof_text, why_not_proved
from migration.operations.service_wording import outage_text, side_text
from migration.operations.wording import number_label, reason_text, waits_on, without_customer
from migration.scrubbing.rendering import for_markdown
from migration.waves.next_command import current_status, next_command

PROGRESS_EVERY_S = 5.0
# Each change of the table of who waits makes a new version of it in Prefect's record.
WAITING_EVERY_S = 15.0


class WaveArtifacts:
    """Their keys contain the wave's id, because two waves' names may lead to the same key.

    They only show: a Prefect server that is lost during the run must not keep a number from its next step.
    """

    def __init__(self, app: App, wave: str, wave_id: int) -> None:
        self._app = app
        self._wave = wave
        self._key = f"wave-{wave_id}"
        self._writing: asyncio.Task[None] | None = None
        self._written_at = float("-inf")  # time.monotonic()
        self._waiting_at = float("-inf")
        self._waiting: list[dict[str, str]] | None = None  # the rows as they were written last

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cancel_writing()

    async def update_progress(self) -> None:
        """Start to write the progress, now and then. Not awaited: Prefect's client may retry for a minute."""
        is_writing = self._writing is not None and not self._writing.done()
        if is_writing or time.monotonic() - self._written_at < PROGRESS_EVERY_S:
            return
        self._written_at = time.monotonic()
        self._writing = asyncio.create_task(self._try_write_progress())

    async def finish(self) -> Sequence[Any]:
        """Write the table of all numbers, and return the numbers. Each run writes it, so the last one's is true."""
        await self._cancel_writing()
        while True:
            board = await self._board()
            with suppress(Exception):
                await self._write_progress(sum(row.ended_at is not None for row in board), len(board))
                await self._write_waiting(board)
            await self._write_table(board)
            again = await self._board()
            # Another run may have ended and written its table between our read and our write; ours would then hide it.
            if _progress_of(again) == _progress_of(board) or any(row.lease_holder is not None for row in again):
                return again

    async def _cancel_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _try_write_progress(self) -> None:
        with suppress(Exception):
            progress = await self._app.queries.positions.progress(wave=self._wave)
            await self._write_progress(progress.ended, progress.total)
            if time.monotonic() - self._waiting_at >= WAITING_EVERY_S:
                self._waiting_at = time.monotonic()
                await self._write_waiting(await self._board())

    async def _write_waiting(self, board: Sequence[Any]) -> None:
        """Who waits for whom, where that has changed."""
        rows = waiting_rows(board, await self._app.queries.now())
        if rows != self._waiting:
            description = f"who waits for whom in wave {for_markdown(self._wave)}"
            await acreate_table_artifact(rows, key=f"{self._key}-waiting", description=description)
            self._waiting = rows

    async def _board(self) -> Sequence[Any]:
        return await self._app.queries.positions.board(wave=self._wave)

    async def _write_progress(self, ended: int, total: int) -> None:
        percent = 100.0 * ended / total if total else 100.0
        description = f"wave {for_markdown(self._wave)}: {ended} of {total} numbers are at their end"
        async with get_client() as client:
            same_key = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[self._key]))
            existing = await client.read_latest_artifacts(artifact_filter=same_key)
        if existing:  # of this, another or an earlier run: Prefect's pages show the newest artifact of a key
            await aupdate_progress_artifact(existing[0].latest_id, progress=percent, description=description)
        else:
            await acreate_progress_artifact(percent, key=self._key, description=description)

    async def _write_table(self, board: Sequence[Any]) -> None:
        now = await self._app.queries.now()
        rows = [
            {
                "number": number_label(position),
                "itinerary": position.itinerary,
                "side": side_text(position, now),
                "service": proof_text(position),
                "status": current_status(position, now).value,
                "outage": outage_text(position, now),
                "why": _for_prefect(why_not_proved(position) or reason_text(position, now) or "", position),
                "next command": _for_prefect(next_command(position, now), position),
            }
            for position in board
        ]
        await acreate_table_artifact(
            rows, key=f"{self._key}-table", description=f"how wave {for_markdown(self._wave)} stands"
        )


def waiting_rows(board: Sequence[Any], now: Any) -> list[dict[str, str]]:
    """A row for each number that waits, is held or is blocked: for whom, until when, why, and what to type."""
    return [
        {
            "number": number_label(position),
            "waits for": _for_prefect(waits_on(position, now), position),
            "until": f"{position.waiting_until:%Y-%m-%d %H:%M} UTC" if position.waiting_until is not None else "",
            "why": _for_prefect(reason_text(position, now) or "", position),
            "next command": _for_prefect(next_command(position, now), position),
        }
        for position in board
        if position.ended_at is None and current_status(position, now).value in ("waiting", "held", "blocked")
    ]


def _for_prefect(text: str, position: Any) -> str:
    """Prefect keeps its record for itself: no customer is named there."""
    return for_markdown(without_customer(text, position))


def _progress_of(board: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [(position.migration_id, position.next_step, position.status, position.side) for position in board]
