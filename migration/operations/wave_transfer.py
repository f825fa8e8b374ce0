"""Puts numbers into another wave, or takes them out of theirs."""

from collections.abc import Sequence
from datetime import datetime

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.wave_wording import ENDED_STATES
from migration.waves.window import check_window_fits, window_of
from state.enums import WaveState
from state.errors import NotFound
from state.ledger.waves import NewWave
from state.proof import kept_by_reports, why_kept
from state.rows import Position


async def move_numbers(
    app: App, numbers: Sequence[Position], to: str | None, because: str, by: str, *, new: bool = False
) -> None:
    """Move all of these numbers, or none; None takes them out of their waves. `new`: make the wave if there is none.

    Raises NotFound, OperationRefused for a wave that has ended, or that runs while Meta reports something of a number's
    account that would have halted it, BadPlan for a window too short for one of them, and
    Conflict for a number that has crossed, has ended, is in that wave already, or whose senders were asked to wait.
    """
    if to is not None:
        row = next((wave for wave in await app.queries.waves.all() if wave.name == to), None)
        if row is None and not new:
            raise NotFound(f"there is no wave {to}; --new makes it; `cutover status` lists the waves")
        if row is not None and row.state in ENDED_STATES:
            raise OperationRefused(f"wave {to} is {row.state}; nothing was changed")
        if row is None:
            await app.ledger.waves.create(NewWave(to), [], by=by)
        else:
            if row.state is WaveState.RUNNING:
                _check_accounts(numbers, to, await app.queries.now())
            check_window_fits(window_of(row), numbers, await app.queries.now())
    await app.ledger.wave_moves.move([number.migration_id for number in numbers], to, because, by)
    await app.ledger.waves.finish()  # of a wave that they leave, the others may have ended


def _check_accounts(numbers: Sequence[Position], running: str, now: datetime) -> None:
    """A wave is halted when an account of it is reported, and when it begins; who joins later would slip past both."""
    for number in numbers:
        if number.crossed_at is None and (found := kept_by_reports(number, now)) is not None:
            raise OperationRefused(
                f"{number.ref} would cross with wave {running}, which runs, and {why_kept(*found)}; "
                f"`cutover hold {running}` first and release it with the number in it, or move the number later; "
                "nothing was changed"
            )
