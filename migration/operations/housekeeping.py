"""Destroys what is not needed any more: sealed secrets, files of the shelf, and what SQLite's log still holds."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from migration.app import App
from migration.steps.code_requests import CODE_LIVES
from migration.vault.private_file import remove_leftovers
from migration.vault.rotation_lock import rotation_lock
from state.database import empty_wal
from state.errors import Conflict, LeaseLost
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
    _remove_keys_in_clear(app)
    await app.ledger.readiness.drop_tags(CODE_LIVES)
    await app.ledger.webhooks.drop_older(timedelta(days=app.admin.retention.webhooks_days))
    await app.ledger.gateway_posts.drop_old()
    secrets = await app.ledger.shredding.shred_due(app.admin.retention.keep())
    kept = {secret.owner for secret in await app.queries.secrets.openable() if secret.name == BACKUP}
    files = await app.secret_store.remove_files(await app.queries.secrets.shredded_files(), kept)
    return Destroyed(secrets, files, await empty_wal(app.database))


def _remove_keys_in_clear(app: App) -> None:
    """What a killed rotation has left beside the key file."""
    path = app.settings.key_path
    if any(path.parent.glob(f".{path.name}.*")):
        with suppress(LeaseLost, OSError), rotation_lock(path):
            remove_leftovers(path.parent, re.escape(path.name))


async def _forget_customers(app: App) -> None:
    """Customers whose time is over, where the admin file sets one."""
    days = app.admin.retention.customers_days
    if days is None:
        return
    for customer in await app.ledger.forgetting.due(timedelta(days=days)):
        with suppress(Conflict):  # something of it is still needed; the next sweep tries again
            await app.ledger.forgetting.forget(customer, OURSELVES, f"retention: customers_days = {days}")
