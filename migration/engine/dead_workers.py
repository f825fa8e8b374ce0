"""What workers of this machine that have exited still hold. Their open attempts stay open: a call may be under way."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from state.enums import Status
from state.rows import AnyPosition

if TYPE_CHECKING:  # whoever only asks whether a number lost its worker writes nothing
    from state.ledger.ledger import Ledger
    from state.queries.queries import Queries


async def end_leases_of_dead_workers(ledger: "Ledger", queries: "Queries", is_gone: Callable[[str], bool]) -> None:
    """End the leases of killed workers of this machine now, instead of waiting up to minutes until they expire.

    The record says which numbers they left: people are told of it, also where another worker goes on at once.
    """
    for holder in await queries.due.lease_holders():
        if is_gone(holder):
            await ledger.leases.end_of_dead(holder)


def lost_its_worker(position: AnyPosition, now: datetime) -> bool:
    """A worker took the number and never gave it up: its lease has expired, or its process is known to have exited."""
    lease_over = position.lease_until is None or position.lease_until <= now
    return position.status is Status.RUNNING and (lease_over or position.worker_gone)
