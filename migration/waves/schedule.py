"""Which Prefect runs the waves need, and when: one for every part of a wave, at the start of its window."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from state.enums import WaveState
from state.rows import Position, WaveRow

# A larger wave gets a second run beside the first: if one worker dies, the other one continues.
MAX_NUMBERS_IN_SINGLE_RUN = 20
# Numbers per run. Up to 500 would work, but a shorter run ends sooner after a kill.
NUMBERS_PER_RUN = 150
# The prefix of the names of our schedules.
WAVE_SLUG = "wave-"
MAY_RUN = (WaveState.PLANNED, WaveState.RUNNING)


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
        """The name of the schedule, with the wave's own time and zone: the schedule itself is in UTC.

        It contains the wave's id, because the wave's name may contain any character.
        """
        local = self.at.astimezone(ZoneInfo(self.time_zone))
        zone = self.time_zone.replace("/", "-")
        return f"{WAVE_SLUG}{self.wave_id}-part-{self.part}-{local:%Y-%m-%d-%H%M}-{zone}"

    @property
    def local_time(self) -> str:
        """The wave's own time with its zone, as people read it."""
        return f"{self.at.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M} {self.time_zone}"


def part_count(numbers: int) -> int:
    """Into how many runs a wave of so many numbers is cut."""
    return max(2 if numbers > MAX_NUMBERS_IN_SINGLE_RUN else 1, -(-numbers // NUMBERS_PER_RUN))


def scheduled_runs(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> tuple[ScheduledRun, ...]:
    """Runs that are still to come. A wave that has ended, or whose window has begun, needs no schedule."""
    to_come = [row for row in waves if row.state in MAY_RUN and needs_schedule(row, now)]
    return _runs_of(to_come, board)


def late_runs(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> tuple[ScheduledRun, ...]:
    """Runs of waves whose window is open: no schedule will begin them any more.

    A wave that was begun is among them: the run that began it may be gone, and with it whoever would begin its others.
    """
    return _runs_of([row for row in waves if is_late(row, now)], board)


def is_late(row: WaveRow, now: datetime) -> bool:
    """Its window has begun and is not over, and the wave may run."""
    if row.state not in MAY_RUN or row.window_start is None or row.window_start > now:
        return False
    return row.window_end is None or row.window_end > now


def _runs_of(waves: Sequence[WaveRow], board: Sequence[Position]) -> tuple[ScheduledRun, ...]:
    live_numbers = Counter(position.wave for position in board if position.ended_at is None)
    return tuple(
        ScheduledRun(row.id, row.name, part, part_count(row.numbers), row.window_start, row.time_zone)
        for row in waves
        if row.window_start is not None and live_numbers[row.name]
        for part in range(part_count(row.numbers))
    )


def needs_schedule(row: WaveRow, now: datetime) -> bool:
    """Whether Prefect has, or should have, a schedule for this wave; `cutover deploy` creates and deletes it."""
    return row.window_start is not None and row.window_start > now
