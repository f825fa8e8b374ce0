"""Which Prefect runs the waves need, and when: one for every part of a wave, at the start of its window."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from state.enums import WaveState
from state.rows import Position, WaveRow

# A larger wave gets a second run beside the first: if one worker dies, the other one continues.
MAX_NUMBERS_IN_SINGLE_RUN = 20
# Numbers per run. Up to 500 would work, but a shorter run ends sooner after a kill.
NUMBERS_PER_RUN = 150
# The prefix of the names of our schedules.
WAVE_SLUG = "wave-"


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """One run of one part of a wave, to be started at `at`."""

    wave_id: int
    wave: str
    part: int  # from 0
    parts: int
    at: datetime
    time_zone: str

    @property
    def slug(self) -> str:
        """The name of the schedule. It contains the wave's id, because the wave's name may contain any character."""
        return f"{WAVE_SLUG}{self.wave_id}-part-{self.part}"


def part_count(numbers: int) -> int:
    """Into how many runs a wave of so many numbers is cut."""
    return max(2 if numbers > MAX_NUMBERS_IN_SINGLE_RUN else 1, -(-numbers // NUMBERS_PER_RUN))


def scheduled_runs(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> tuple[ScheduledRun, ...]:
    """Runs that are still to come. A wave that has ended, or whose window has begun, needs no schedule."""
    live_numbers = Counter(position.wave for position in board if position.ended_at is None)
    return tuple(
        ScheduledRun(row.id, row.name, part, part_count(row.numbers), row.window_start, row.time_zone)
        for row in waves
        if row.state in (WaveState.PLANNED, WaveState.RUNNING)
        if row.window_start is not None and row.window_start > now and live_numbers[row.name]
        for part in range(part_count(row.numbers))
    )


def needs_schedule(row: WaveRow, now: datetime) -> bool:
    """Whether Prefect has, or should have, a schedule for this wave; `cutover deploy` creates and deletes it."""
    return row.window_start is not None and row.window_start > now
