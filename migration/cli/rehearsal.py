"""Dry runs: the same code in a transaction that is never committed, with clients that refuse to write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from migration.app import App
from migration.cli.session import open_cli_app
from migration.engine.dead_workers import end_leases_of_dead_workers
from migration.vault.backup_shelf import BackupShelf
from migration.vault.store import SecretStore
from state.dry_run import open_dry_run
from state.ledger.ledger import Ledger
from state.queries.queries import Queries
from state.secrets import Secrets


@asynccontextmanager
async def open_for_change(*, dry_run: bool) -> AsyncIterator[App]:
    """The object graph; in a dry run, one whose changes are rolled back at the end."""
    async with open_cli_app(dry_run=dry_run) as app:
        if not dry_run:
            yield app
            return
        async with rehearse(app) as rehearsal:
            yield rehearsal


@asynccontextmanager
async def rehearse(app: App) -> AsyncIterator[App]:
    """The same object graph on a transaction that is never committed."""
    async with open_dry_run(app.database) as database:
        clock = app.sql_clock
        ledger, queries = Ledger(database, clock), Queries(database, clock, app.is_gone)
        await end_leases_of_dead_workers(ledger, queries, app.is_gone)
        with app.clients.budget.counted_in(ledger.call_budgets):
            yield replace(
                app,
                ledger=ledger,
                queries=queries,
                secret_store=SecretStore(app.vault, Secrets(database, clock), BackupShelf(app.settings.backup_folder)),
            )
