"""Destroys what is not needed any more: sealed secrets, files of the shelf, and what SQLite's log still holds."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from migration.app import App
from state.database import empty_wal
from state.errors import Conflict
from state.ledger.shredding import BACKUP
from state.ledger.wave_events import OURSELVES


@dataclass(frozen=True, slots=True)
class Destroyed:
    secrets: int
    files: int
    wal_empty: bool  # False: a reader or a writer was at SQLite's log; the next time empties it


async def destroy_what_is_due(app: App) -> Destroyed:
    """What a sweep or the end of a run finds. Safe beside workers, and to repeat after a kill."""
    await _forget_customers(app)
    secrets = await app.ledger.shredding.shred_due(app.admin.retention.keep())
    kept = {secret.owner for secret in await app.queries.secrets.openable() if secret.name == BACKUP}
    files = await app.secret_store.remove_files(await app.queries.secrets.shredded_files(), kept)
    return Destroyed(secrets, files, await empty_wal(app.database))


async def _forget_customers(app: App) -> None:
    """Customers whose time is over, where the admin file sets one."""
    days = app.admin.retention.customers_days
    if days is None:
        return
    for customer in await app.ledger.forgetting.due(timedelta(days=days)):
        with suppress(Conflict):  # something of it is still needed; the next sweep tries again
            await app.ledger.forgetting.forget(customer, OURSELVES, f"retention: customers_days = {days}")
