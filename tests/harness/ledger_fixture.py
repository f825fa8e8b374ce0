"""A database with numbers in it, a clock that the test moves by hand, and the ledger on both."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import open_database
from state.enums import AttemptEnd, Side, Status
from state.ledger.attempts import NewIntent
from state.ledger.changes import AttemptClosed
from state.ledger.fleet_rows import NewNumber
from state.ledger.ledger import Ledger
from state.ledger.moves import Move
from state.ledger.profiles import NewProfile
from state.queries.queries import Queries
from state.rows import Lease, OpenAttempt, SealedSecret
from tests.harness.clock import FakeSqlClock

START = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class NoSecrets:
    """A sealer for rows that have no secrets."""

    def profile(self, name: str, owner: str) -> Sequence[SealedSecret]:
        return []

    def number(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        return []

    def instance(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        return []


def new_number(index: int, **changes: Any) -> NewNumber:
    defaults: dict[str, Any] = {
        "e164": f"+1555010{index:04d}",
        "phone_number_id": f"{10**14 + index}",
        "waba_id": "10229",
        "customer": "Acme",
        "profile": "main",
        "hook": None,
        "hook_required": False,
        "instance": None,
        "language": "en",
        "code_method": "SMS",
        "tags": "",
        "daily_volume": None,
        "storage_region": None,
        "smoke_to": None,
        "itinerary": None,
        "has_pin": False,
        "line": index + 1,
    }
    return NewNumber(**(defaults | changes))


@dataclass
class LedgerFixture:
    engine: AsyncEngine
    ledger: Ledger
    queries: Queries
    now: datetime = START

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    async def import_number(self, index: int = 1, *, step: str = "register", **changes: Any) -> int:
        """Import a number and begin its migration at `step`."""
        (imported,) = await self.ledger.fleet_import.import_numbers(
            [NewProfile("main", "77")], [new_number(index, **changes)], NoSecrets()
        )
        return await self.start_migration(imported.number_id, step=step)

    async def start_migration(self, number_id: int, *, step: str = "register") -> int:
        return await self.ledger.migrations.start(
            number_id, itinerary="WITH_BACKUP", first=step, because="a test", side=Side.ON_PREMISES
        )

    async def lease(self, migration: int, holder: str = "worker-1", duration: timedelta = MINUTE) -> Lease:
        return await self.ledger.leases.acquire(migration, holder, duration)

    async def reread(self, lease: Lease) -> Lease:
        """The same lease, after its holder has read the number again."""
        return replace(lease, version=(await self.queries.positions.get(lease.migration_id)).version)

    async def open_attempt(self, lease: Lease, step: str = "register", **changes: Any) -> OpenAttempt:
        return await self.ledger.attempts.open(lease, new_intent(step, **changes))

    async def close_attempt(self, lease: Lease, attempt: OpenAttempt, end: AttemptEnd = AttemptEnd.REFUSED) -> None:
        """Close an attempt as answered; the number stays at its step."""
        move = Move(attempt.step, Status.READY, "refused", changes=(AttemptClosed(attempt.id, end),))
        await self.ledger.moves.record(lease, move)

    async def end_migration(self, migration: int) -> None:
        """Abort a migration at whatever step it is."""
        position = await self.queries.positions.get(migration)
        lease = await self.lease(migration, "worker-at-the-end")
        await self.ledger.moves.record(lease, Move(str(position.next_step), Status.ABORTED, "aborted"))

    async def spend_calls(self, migration: int, call: str = "register", times: int = 1) -> None:
        for _ in range(times):
            lease = await self.lease(migration)
            await self.close_attempt(lease, await self.open_attempt(lease, budget=call))

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.engine.begin() as tx:
            result = await tx.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def row_counts(self) -> dict[str, int]:
        """The number of rows of each table that a call may write to."""
        tables = ("attempts", "budget_calls", "events", "secrets", "outbox", "findings")
        return {name: (await self.sql(f"SELECT count(*) FROM {name}"))[0][0] for name in tables}


def new_intent(step: str = "register", **changes: Any) -> NewIntent:
    defaults: dict[str, Any] = {
        "facts": {"side_before": "on_premises"},
        "sealed": None,
        "longest_call": MINUTE,
        "settle_for": MINUTE,
        "lease_margin": MINUTE,
    }
    return NewIntent(step, **(defaults | changes))


@asynccontextmanager
async def open_ledger_fixture(database_url: str) -> AsyncIterator[LedgerFixture]:
    engine = open_database(database_url)
    clock = FakeSqlClock(lambda: fixture.now)
    fixture = LedgerFixture(engine, Ledger(engine, clock), Queries(engine, clock))
    try:
        yield fixture
    finally:
        await engine.dispose()
