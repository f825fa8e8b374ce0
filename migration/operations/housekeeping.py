"""Destroys what is not needed any more: sealed secrets, files of the shelf, and what SQLite's log still holds."""

from dataclasses import dataclass

from migration.app import App
from state.database import empty_wal
from state.ledger.shredding import BACKUP


@dataclass(frozen=True, slots=True)
class Destroyed:
    secrets: int
    files: int
    wal_empty: bool  # False: a reader or a writer was at SQLite's log; the next time empties it


async def destroy_what_is_due(app: App) -> Destroyed:
    """What a sweep or the end of a run finds. Safe beside workers, and to repeat after a kill."""
    secrets = await app.ledger.shredding.shred_due(app.admin.retention.keep())
    kept = {secret.owner for secret in await app.queries.secrets.openable() if secret.name == BACKUP}
    files = await app.secret_store.remove_files(await app.queries.secrets.shredded_files(), kept)
    return Destroyed(secrets, files, await empty_wal(app.database))
