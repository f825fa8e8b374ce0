"""What workers of this machine that have exited still hold. Their open attempts stay open: a call may be under way."""

from collections.abc import Callable

from state.ledger.ledger import Ledger
from state.queries.queries import Queries


async def end_leases_of_dead_workers(ledger: Ledger, queries: Queries, is_gone: Callable[[str], bool]) -> None:
    """End the leases of killed workers of this machine now, instead of waiting up to minutes until they expire."""
    for holder in await queries.due.lease_holders():
        if is_gone(holder):
            await ledger.leases.end_all_of(holder)
