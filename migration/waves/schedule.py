"""Which runs the waves need, and when: one at the start of the window for every part of a wave."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from state.queries import WaveRow
from state.rows import Position
from state.sides import WaveState

# From here on a wave is worth a second run beside the first: if one worker dies, the other one goes on.
ALONE = 20
# Numbers a run; more would still work up to 500, but shorter runs end sooner after a kill.
A_RUN = 150
# How the names of our schedules begin.
WAVE_SLUG = "wave-"


@dataclass(frozen=True, slots=True)
class Planned:
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


def parts_of(numbers: int) -> int:
    return max(2 if numbers > ALONE else 1, -(-numbers // A_RUN))


def planned_runs(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> tuple[Planned, ...]:
    """Runs that are still to come; a wave that is over, or whose window has begun, needs no schedule."""
    left = Counter(at.wave for at in board if at.ended_at is None)
    return tuple(
        Planned(row.id, row.name, part, parts_of(row.numbers), row.window_start, row.time_zone)
        for row in waves
        if row.state in (WaveState.PLANNED, WaveState.RUNNING)
        if row.window_start is not None and row.window_start > now and left[row.name]
        for part in range(parts_of(row.numbers))
    )
