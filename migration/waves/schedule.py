"""Which runs the waves need, and when: one at the start of the window for every part of a wave."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from migration.operations.wording import extend_window_command
from migration.waves.plan import window_of
from state.enums import WaveState
from state.queries import WaveRow
from state.rows import Position

# From here on a wave is worth a second run beside the first: if one worker dies, the other one goes on.
ALONE = 20
# Numbers a run; more would still work up to 500, but shorter runs end sooner after a kill.
A_RUN = 150
# How the names of our schedules begin.
WAVE_SLUG = "wave-"


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """One run of one part of a wave, to be started at `at`."""

    wave_id: int
    wave: str
    part: int
    parts: int
    at: datetime
    time_zone: str

    @property
    def slug(self) -> str:
        """Names the schedule; a wave's own name may hold anything, its id does not."""
        return f"{WAVE_SLUG}{self.wave_id}-part-{self.part}"


def part_count(numbers: int) -> int:
    return max(2 if numbers > ALONE else 1, -(-numbers // A_RUN))


def scheduled_runs(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> tuple[ScheduledRun, ...]:
    """Runs that are still to come; a wave that is over, or whose window has begun, needs no schedule."""
    left = Counter(at.wave for at in board if at.ended_at is None)
    return tuple(
        ScheduledRun(row.id, row.name, part, part_count(row.numbers), row.window_start, row.time_zone)
        for row in waves
        if row.state in (WaveState.PLANNED, WaveState.RUNNING)
        if row.window_start is not None and row.window_start > now and left[row.name]
        for part in range(part_count(row.numbers))
    )


def unscheduled_waves(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> dict[str, str]:
    """Waves that nobody will begin by schedule although numbers of theirs are left, each with the reason."""
    left = {at.wave for at in board if at.ended_at is None}
    live = [row for row in waves if row.name in left and row.state not in (WaveState.STOPPED, WaveState.DONE)]
    return {row.name: said for row in live if (said := _why_not(row, now)) is not None}


def _why_not(row: WaveRow, now: datetime) -> str | None:
    ended = window_ended_message(row, now)
    if ended is not None:
        return ended
    if row.state in (WaveState.HELD, WaveState.HALTED):
        return f"wave {row.name} is {row.state}; `cutover release {row.name}` lets it go"
    if row.window_start is None:
        return f"wave {row.name} has no start; `cutover run {row.name}` begins it"
    if row.window_start <= now:
        return f"the window of wave {row.name} has begun; `cutover run {row.name}` goes on with it"
    return None


def window_ended_message(row: WaveRow, now: datetime) -> str | None:
    """One line that names the wave, when its window ended and what gives it another; None while it has not ended."""
    if row.window_end is None or row.window_end > now:
        return None
    ended = window_of(row).local(row.window_end)
    return f"the window of wave {row.name} ended at {ended}; `{extend_window_command(row.name)}` gives it more time"


def needs_schedule(row: WaveRow, now: datetime) -> bool:
    """Whether a Prefect server has, or should have, a schedule for this wave: `cutover deploy` makes and removes it."""
    return row.window_start is not None and row.window_start > now
