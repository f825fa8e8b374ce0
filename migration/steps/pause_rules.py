"""For how long senders wait, and when their messages would be lost. Imports no client."""

from datetime import timedelta

from state.enums import Side
from state.rows import Position

# How often a sweep runs where `cutover deploy` scheduled it, and how often cron has to run `cutover sweep`.
SWEEP_EVERY = timedelta(seconds=60)
# A pause ends by itself after this long unless it is renewed, so that a dead worker keeps no sender waiting. Two sweeps
# may be late or be lost before it does.
PAUSE_LEASE = 3 * SWEEP_EVERY
# Before a number of a customer without a hook crosses, the routes feed says for so long that sends are held, where a
# router reads it for that customer. A router asks at least every five seconds; the feed itself is a second old at most.
FEED_NOTICE = timedelta(seconds=10)


def may_be_dark(state: Position) -> bool:
    """Messages to the side that it came from would be lost: it has crossed, or serves on neither side."""
    return state.crossed_at is not None or state.side not in (Side.ON_PREMISES, Side.CLOUD)
