"""For how long senders wait, and when their messages would be lost. Imports no client."""

from datetime import timedelta

from state.enums import Side
from state.rows import Position

# How often a sweep runs where `cutover deploy` scheduled it, and how often cron has to run `cutover sweep`.
SWEEP_EVERY = timedelta(seconds=60)
# A pause ends by itself after this long unless it is renewed, so that a dead worker keeps no sender waiting. Two sweeps
# may be late or be lost before it does.
PAUSE_LEASE = 3 * SWEEP_EVERY


def may_be_dark(state: Position) -> bool:
    """Messages to the side that it came from would be lost: it has crossed, or serves on neither side."""
    return state.crossed_at is not None or state.side not in (Side.ON_PREMISES, Side.CLOUD)
